//! Elements that carry an SDES item as text (RFC 7941): mid, rid and repaired rid.

/// The longest text we write: what fits the one-byte form. Session descriptions are held to it.
const TEXT_MAX: usize = 16;

/// A mid or rid of up to 16 bytes, held without allocation so that a table can be keyed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text {
    len: u8,
    bytes: [u8; TEXT_MAX],
}

impl Text {
    /// `None` when empty, longer than 16 bytes, or not made of token characters.
    pub fn new(text: &str) -> Option<Text> {
        let text = read_text(text.as_bytes())?;
        let mut bytes = [0; TEXT_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Text { len: text.len() as u8, bytes })
    }

    /// What is written into an element.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Token characters are ASCII, so this never takes the default.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// The text of a mid, rid or repaired rid element: `None` when empty or when it holds anything but the token
/// characters to which session descriptions restrict these names (RFC 8866 section 9).
#[inline]
pub fn read_text(data: &[u8]) -> Option<&str> {
    if data.is_empty() || !data.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    std::str::from_utf8(data).ok()
}

fn is_token(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        assert_eq!(read_text(b"0"), Some("0"));
        assert_eq!(read_text(b"video-1"), Some("video-1"));
        for bad in [&b""[..], b"\0", b"a b", b"a\nb", b"\"", b"\xc3\xa4", b"a\0b"] {
            assert_eq!(read_text(bad), None);
        }
        let text = Text::new("hi").unwrap();
        assert_eq!((text.as_bytes(), text.as_str()), (&b"hi"[..], "hi"));
        assert_eq!(Text::new("0123456789abcdef").unwrap().as_str(), "0123456789abcdef");
        assert_eq!(Text::new("0123456789abcdefg"), None);
        assert_eq!(Text::new(""), None);
    }
}
