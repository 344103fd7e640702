//! `o=` and `s=` over the life of a dialogue: what a peer sees of them stays the same where flags ask for it, and the
//! version counts changes (RFC 3264 section 8).

use std::ops::Range;

use zeroize::Zeroizing;

/// What flags ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginRules {
    /// `replace=username`: the first user name stays.
    pub username: bool,
    /// `replace=session-name`: the first `s=` stays.
    pub session_name: bool,
    /// `replace=SDP-version`: identifier and version are ours; the version grows when the text changes.
    pub version: bool,
    /// `replace=force-increment-sdp-ver`: it grows with every text.
    pub force: bool,
}

/// What one peer has been sent so far. Keep one for each participant.
#[derive(Clone, Default)]
pub struct OriginKeeper {
    username: Option<String>,
    session_name: Option<String>,
    session_id: Option<String>,
    version: u64,
    /// The last text without its `o=`. It may hold keys.
    last: Zeroizing<String>,
}

impl std::fmt::Debug for OriginKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OriginKeeper").field("version", &self.version).finish_non_exhaustive()
    }
}

impl OriginKeeper {
    /// Brings a rewritten text into line with those that the peer had before, as the last step before it is sent.
    pub fn apply(&mut self, text: String, rules: OriginRules) -> String {
        let Some(origin) = line(&text, 'o') else { return text };
        let words: Vec<&str> = text[origin.clone()].split_ascii_whitespace().collect();
        let [username, session_id, version, host @ ..] = words.as_slice() else { return text };
        let username = match rules.username {
            true => self.username.get_or_insert_with(|| (*username).to_owned()).clone(),
            false => (*username).to_owned(),
        };
        let (session_id, version) = if rules.version || rules.force {
            let id = self.session_id.get_or_insert_with(|| (*session_id).to_owned()).clone();
            (id, self.count(&text, &origin, version, rules.force).to_string())
        } else {
            ((*session_id).to_owned(), (*version).to_owned())
        };
        let new_origin = format!("{username} {session_id} {version} {}", host.join(" "));
        let name = line(&text, 's').filter(|_| rules.session_name);
        let mut out = String::with_capacity(text.len() + 64);
        match name {
            // RFC 8866 section 5: `s=` follows `o=`; where it does not, it stays.
            Some(name) if name.start > origin.end => {
                let kept = self.session_name.get_or_insert_with(|| text[name.clone()].to_owned());
                out.push_str(&text[..origin.start]);
                out.push_str(&new_origin);
                out.push_str(&text[origin.end..name.start]);
                out.push_str(kept);
                out.push_str(&text[name.end..]);
            }
            _ => {
                out.push_str(&text[..origin.start]);
                out.push_str(&new_origin);
                out.push_str(&text[origin.end..]);
            }
        }
        let _spent = Zeroizing::new(text);
        out
    }

    /// The version of this text: one more than the last if anything but `o=` differs.
    fn count(&mut self, text: &str, origin: &Range<usize>, came: &str, force: bool) -> u64 {
        let rest = Zeroizing::new([&text[..origin.start], &text[origin.end..]].concat());
        if self.last.is_empty() {
            // A version beyond 64 bits is replaced by a small one: nobody has seen an earlier one of ours.
            self.version = came.parse().unwrap_or(1);
        } else if force || *self.last != *rest {
            self.version = self.version.wrapping_add(1);
        }
        self.last = rest;
        self.version
    }
}

/// Where the value of the first line of this letter stands.
fn line(text: &str, letter: char) -> Option<Range<usize>> {
    let mut at = 0;
    for full in text.split_inclusive('\n') {
        if full.starts_with([letter]) && full[1..].starts_with('=') {
            let value = full[2..].trim_end_matches(['\r', '\n']);
            return Some(at + 2..at + 2 + value.len());
        }
        at += full.len();
    }
    None
}

#[cfg(test)]
mod tests;
