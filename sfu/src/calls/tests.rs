//! Calls against an engine that only writes down what it is told.

mod commands;
mod door;
mod early;
mod fake;
mod fax;
mod forwarding;
mod offers;
mod sound;
mod times;
