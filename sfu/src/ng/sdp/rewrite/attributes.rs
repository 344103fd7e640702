//! Edits of single attribute lines that flags ask for (`sdp-attr`).

/// Which part of a text an edit is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditScope {
    /// Ahead of the first m-line.
    Session,
    /// M-lines of this kind (`audio`, `video`).
    Kind(String),
}

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeEdit {
    /// Where.
    pub scope: EditScope,
    /// What.
    pub action: EditAction,
}

/// What an edit does. Texts are what follows `a=`, and hold no line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditAction {
    /// Adds a line, unless it is there.
    Add(String),
    /// Removes lines that are so, or that begin so and go on with `:` or a blank; a text that ends with `:` removes all
    /// that begin so.
    Remove(String),
    /// Replaces the first text by the second.
    Substitute(String, String),
}
