//! A run or a comparison as one self-contained page.

use kaname_machine::Machine;

use crate::row::CompareRow;

/// What a page is made of.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Heading.
    pub title: String,
    /// What it was measured on.
    pub machine: Machine,
    /// Rows of a comparison.
    pub rows: Vec<CompareRow>,
}

/// The page.
pub fn page(_input: &Input) -> String {
    String::new()
}
