//! Where a message ends in a stream of bytes: nothing frames it but its own brackets.

use super::limits::{COOKIE_BYTES, MESSAGE_BYTES};

/// What is known of the message at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// It is not all there.
    Incomplete,
    /// It has so many bytes.
    Complete(usize),
    /// This is no message, so nobody knows where the next one would begin.
    Broken,
}

/// Finds the end of one message; looks at each byte once, however they arrive.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// What has been looked at.
    at: usize,
    depth: usize,
    inside: Inside,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Cookie,
    Bencode,
    Json,
    /// A JSON text; whether the next letter is escaped.
    JsonText(bool),
}

/// Digits of a length or number in bencode.
const NUMBER_BYTES: usize = 21;

impl Scanner {
    /// Looks at `buffer`, which begins as it did before, perhaps with more behind.
    pub(super) fn look(&mut self, buffer: &[u8]) -> Frame {
        while let Some(&byte) = buffer.get(self.at) {
            if self.at > MESSAGE_BYTES {
                return Frame::Broken;
            }
            let step = match self.inside {
                Inside::Cookie => self.cookie(byte),
                Inside::Bencode => self.bencode(&buffer[self.at..]),
                Inside::Json => self.json(byte),
                Inside::JsonText(escaped) => self.json_text(byte, escaped),
            };
            match step {
                Frame::Complete(bytes) => self.at += bytes,
                // A length says how long its text is: all of it is needed at once.
                other => return other,
            }
            if self.depth == 0 && matches!(self.inside, Inside::Bencode | Inside::Json) {
                return Frame::Complete(self.at);
            }
        }
        if self.at > MESSAGE_BYTES { Frame::Broken } else { Frame::Incomplete }
    }

    fn cookie(&mut self, byte: u8) -> Frame {
        let behind_blank = self.depth == 1;
        match byte {
            b'd' | b'{' if behind_blank => {
                self.inside = if byte == b'd' { Inside::Bencode } else { Inside::Json };
                Frame::Complete(1)
            }
            b' ' if !behind_blank && self.at > 0 => {
                self.depth = 1;
                Frame::Complete(1)
            }
            _ if !behind_blank && byte.is_ascii_graphic() && self.at < COOKIE_BYTES => Frame::Complete(1),
            _ => Frame::Broken,
        }
    }

    fn bencode(&mut self, rest: &[u8]) -> Frame {
        match rest[0] {
            b'd' | b'l' => {
                self.depth += 1;
                Frame::Complete(1)
            }
            b'e' => {
                self.depth -= 1;
                Frame::Complete(1)
            }
            b'i' => match rest.iter().take(NUMBER_BYTES + 1).position(|byte| *byte == b'e') {
                Some(end) => Frame::Complete(end + 1),
                None if rest.len() <= NUMBER_BYTES => Frame::Incomplete,
                None => Frame::Broken,
            },
            b'0'..=b'9' => text(rest),
            _ => Frame::Broken,
        }
    }

    fn json(&mut self, byte: u8) -> Frame {
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            b'"' => self.inside = Inside::JsonText(false),
            _ => {}
        }
        Frame::Complete(1)
    }

    fn json_text(&mut self, byte: u8, escaped: bool) -> Frame {
        self.inside = match byte {
            b'"' if !escaped => Inside::Json,
            b'\\' if !escaped => Inside::JsonText(true),
            _ => Inside::JsonText(false),
        };
        Frame::Complete(1)
    }
}

/// `3:abc`
fn text(rest: &[u8]) -> Frame {
    let Some(colon) = rest.iter().take(NUMBER_BYTES).position(|byte| *byte == b':') else {
        return if rest.len() < NUMBER_BYTES { Frame::Incomplete } else { Frame::Broken };
    };
    let length = std::str::from_utf8(&rest[..colon]).ok().and_then(|digits| digits.parse::<usize>().ok());
    match length {
        Some(length) if length > MESSAGE_BYTES => Frame::Broken,
        Some(length) if rest.len() > colon + length => Frame::Complete(colon + 1 + length),
        Some(_) => Frame::Incomplete,
        None => Frame::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Scanner::default().look(text.as_bytes())
    }

    #[test]
    fn messages_end_where_their_brackets_do() {
        for (message, behind) in [
            ("5_1 d7:command4:pinge", ""),
            ("5_1 d7:command4:pinge", "5_2 d"),
            ("5_1 d1:ali-5ed1:b2:e}eee", "x"),
            ("a {\"command\":\"ping\"}", "b {"),
            ("a {\"x\":[\"}\\\"]\",{}]}", "\n"),
        ] {
            let text = format!("{message}{behind}");
            assert_eq!(frame(&text), Frame::Complete(message.len()), "{text}");
            let mut scanner = Scanner::default();
            for end in 0..message.len() {
                assert_eq!(scanner.look(&text.as_bytes()[..end]), Frame::Incomplete, "{text} {end}");
            }
            assert_eq!(scanner.look(text.as_bytes()), Frame::Complete(message.len()), "{text} at last");
        }
    }

    #[test]
    fn what_is_no_message_is_broken() {
        for bad in [
            " d1:ae",
            "cookie",
            "a  d",
            "a x",
            "a d999999:",
            "a d1x:",
            "a di123456789012345678901234e",
            "a d-",
            "é ",
        ] {
            let long = format!("{bad}{}", "9".repeat(200));
            assert_eq!(frame(&long), Frame::Broken, "{bad}");
        }
        let endless = format!("a {{\"{}", "x".repeat(MESSAGE_BYTES));
        assert_eq!(frame(&endless), Frame::Broken);
    }
}
