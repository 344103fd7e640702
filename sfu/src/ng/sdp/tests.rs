//! Texts as phones, browsers and switches write them, through the reader and the rewriter.

mod bad;
mod property;
mod rewriting;
mod rules;
mod texts;
mod views;
