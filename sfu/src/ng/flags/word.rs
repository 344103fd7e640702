//! Words compared and taken apart.

/// The same word: without case, and with blanks, hyphens and underscores alike.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// What follows a prefix, compared like [`same`].
pub(super) fn after<'t>(prefix: &str, text: &'t str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    same(prefix, head).then_some(rest).filter(|rest| !rest.is_empty())
}

/// A word as [`same`] sees it, so that equal ones are equal texts. Words that are longer than any known are cut.
pub(super) fn plain_text(text: &str) -> String {
    text.chars().take(64).map(|c| u8::try_from(c).map_or(c, |byte| char::from(plain(byte)))).collect()
}

fn plain(byte: u8) -> u8 {
    match byte {
        b' ' | b'_' => b'-',
        _ => byte.to_ascii_lowercase(),
    }
}
