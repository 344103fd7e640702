//! Rust text without what is not code.

/// The text with comments, strings and character literals blanked out; line breaks stay, so that lines keep numbers.
pub(super) fn bare(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at..] {
            [b'/', b'/', ..] => at + bytes[at..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - at),
            [b'/', b'*', ..] => block_comment_end(bytes, at),
            [b'"', ..] => string_end(bytes, at + 1),
            [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => raw_string_end(bytes, at),
            [b'\'', b'\\', ..] => {
                at + 2 + bytes[at + 2..].iter().skip(1).position(|&b| b == b'\'').map_or(0, |n| n + 2)
            }
            [b'\'', _, b'\'', ..] => at + 3,
            _ => at,
        };
        if end == at {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let end = end.min(bytes.len());
        out.extend(bytes[at..end].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0usize, start);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes[start + 1..].iter().take_while(|&&b| b == b'#').count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        // `r#name` is an identifier.
        return start;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &bytes[open + 1..];
    body.windows(close.len()).position(|w| w == close).map_or(bytes.len(), |n| open + 1 + n + close.len())
}

/// Line numbers (from 1) on which `word` stands as code, whole: `unsafe` is not in `unsafe_code`.
pub(super) fn lines_with(bare: &str, word: &str) -> Vec<usize> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    bare.lines()
        .enumerate()
        .filter(|(_, line)| {
            line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + word.len()..].chars().next();
                let (first, last) = (word.chars().next(), word.chars().next_back());
                !(is_word(first) && is_word(before) || is_word(last) && is_word(after))
            })
        })
        .map(|(index, _)| index + 1)
        .collect()
}

/// From where on a file is tests only: the line of its first `#[cfg(test)]`.
pub(super) fn tests_begin(bare: &str) -> Option<usize> {
    bare.lines().position(|line| line.trim_start().starts_with("#[cfg(test)]")).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let text =
            "a /* unsafe /* x */ y */ b // unsafe\n\"unsafe \\\" unsafe\" r#\"unsafe\"# '\"' '\\'' unsafe {}";
        let code = bare(text);
        assert_eq!(lines_with(&code, "unsafe"), [2]);
        assert_eq!(code.matches("unsafe").count(), 1);
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_and_identifiers_are_no_strings() {
        let code = bare("fn f<'a>(x: &'a str, r#type: u8, bar: \"s\") { unsafe }");
        assert_eq!(lines_with(&code, "unsafe"), [1]);
        assert!(lines_with("forbid(unsafe_code)", "unsafe").is_empty());
    }
}
