//! Keys in session descriptions: `a=crypto` (RFC 4568), with the suites of RFC 6188 and RFC 7714.

mod choice;
mod line;
mod suite;

pub use choice::{CryptoPair, CryptoRules, Fill, agreed, answer, offer};
pub use line::{CryptoLine, CryptoRefused, InlineKey, Mki, Parameters};
pub use suite::Suite;

#[cfg(test)]
mod tests;
