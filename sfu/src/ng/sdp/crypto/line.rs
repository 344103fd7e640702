//! One `a=crypto` line.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kaname_engine::srtp::Keying;
use zeroize::Zeroizing;

use super::Suite;
use crate::ng::sdp::limits::CRYPTO_KEYS;

/// RFC 4568 section 6.1 leaves open whether `=` is written: both are read.
const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PADDED: GeneralPurpose = GeneralPurpose::new(&ALPHABET, BASE64);
const BARE: GeneralPurpose = GeneralPurpose::new(&ALPHABET, BASE64.with_encode_padding(false));

/// RFC 4568 section 9.1: a tag has at most nine digits.
const TAG_DIGITS: usize = 9;

/// `<tag> <suite> inline:<key>… [<session parameters>]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoLine {
    /// The number by which an answer says which line it takes.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// The suite has the other spelling ([`Suite::alias`]); answers repeat it.
    pub alias: bool,
    /// At least one.
    pub keys: Vec<InlineKey>,
    /// Session parameters.
    pub parameters: Parameters,
}

/// `inline:<key and salt>|<lifetime>|<MKI>:<length>`. Zeroized on drop, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineKey {
    /// Master key and master salt.
    pub(super) secret: Zeroizing<Vec<u8>>,
    /// How many packets it is for, as written (`2^31` or a number).
    pub lifetime: Option<String>,
    /// Master key identifier.
    pub mki: Option<Mki>,
}

/// A master key identifier and how many bytes it takes in each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mki {
    /// The identifier.
    pub value: u64,
    /// Bytes.
    pub len: u8,
}

/// Session parameters (RFC 4568 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `UNENCRYPTED_SRTP`
    pub unencrypted_srtp: bool,
    /// `UNENCRYPTED_SRTCP`
    pub unencrypted_srtcp: bool,
    /// `UNAUTHENTICATED_SRTP`
    pub unauthenticated_srtp: bool,
    /// `KDR=n`: keys are derived anew every 2^n packets; 0: never.
    pub kdr: u8,
    /// `WSH=n`: replay window; a hint.
    pub wsh: Option<u32>,
}

impl Parameters {
    /// Nothing that weakens or complicates the suite.
    pub fn are_plain(&self) -> bool {
        !(self.unencrypted_srtp || self.unencrypted_srtcp || self.unauthenticated_srtp || self.kdr > 0)
    }
}

/// Why a line is not taken. RFC 4568 has such lines ignored; the description stands without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoRefused {
    /// Not `<tag> <suite> inline:…`.
    #[error("a crypto line reads `<tag> <suite> inline:<key>`")]
    Shape,
    /// A suite that nobody here knows.
    #[error("the crypto suite is unknown")]
    Suite,
    /// Not base64, or not as long as the suite's key and salt.
    #[error("the key is not the base64 of as many bytes as the suite has")]
    Key,
    /// A lifetime or master key identifier that makes no sense.
    #[error("the lifetime or master key identifier cannot be read")]
    KeyInfo,
    /// More keys than are read, or several without identifiers (RFC 4568 section 6.1).
    #[error("several keys need master key identifiers")]
    Keys,
    /// A session parameter that must be understood and is not (RFC 4568 section 6.3.7).
    #[error("a session parameter is unknown")]
    Parameter,
}

impl InlineKey {
    /// A key and salt of a suite, without lifetime and identifier.
    ///
    /// `None` if the length is not the suite's.
    pub fn new(suite: Suite, secret: &[u8]) -> Option<InlineKey> {
        let secret = Zeroizing::new(secret.to_vec());
        (secret.len() == suite.key_len()).then_some(InlineKey { secret, lifetime: None, mki: None })
    }

    fn parse(suite: Suite, text: &str) -> Result<InlineKey, CryptoRefused> {
        let rest = text.strip_prefix("inline:").ok_or(CryptoRefused::Shape)?;
        let mut parts = rest.split('|');
        let secret = PADDED.decode(parts.next().unwrap_or_default()).map_err(|_| CryptoRefused::Key)?;
        let mut key = InlineKey::new(suite, &Zeroizing::new(secret)).ok_or(CryptoRefused::Key)?;
        for part in parts {
            match part.split_once(':') {
                Some(_) if key.mki.is_some() => return Err(CryptoRefused::KeyInfo),
                Some(pair) => key.mki = Some(Mki::parse(pair).ok_or(CryptoRefused::KeyInfo)?),
                None if key.lifetime.is_none() && key.mki.is_none() && is_lifetime(part) => {
                    key.lifetime = Some(part.to_owned());
                }
                None => return Err(CryptoRefused::KeyInfo),
            }
        }
        Ok(key)
    }

    fn keying(&self, suite: Suite) -> Option<Keying> {
        let profile = suite.profile()?;
        let (key, salt) = self.secret.split_at_checked(profile.key_len())?;
        Keying::new(profile, key, salt)
    }

    fn print(&self, pad: bool, out: &mut Zeroizing<String>) {
        out.push_str("inline:");
        let engine = if pad { PADDED } else { BARE };
        engine.encode_string(&*self.secret, out);
        if let Some(lifetime) = &self.lifetime {
            out.push('|');
            out.push_str(lifetime);
        }
        if let Some(Mki { value, len }) = self.mki {
            out.push_str(&format!("|{value}:{len}"));
        }
    }
}

impl fmt::Debug for InlineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InlineKey { lifetime, mki, .. } = self;
        f.debug_struct("InlineKey").field("lifetime", lifetime).field("mki", mki).finish_non_exhaustive()
    }
}

impl Mki {
    /// RFC 4568 section 6.1: a length of 1 to 128 bytes; identifiers beyond 64 bits nobody sends.
    fn parse((value, len): (&str, &str)) -> Option<Mki> {
        let mki = Mki { value: digits(value)?.parse().ok()?, len: digits(len)?.parse().ok()? };
        let fits = mki.len >= 8 || mki.value >> (8 * u32::from(mki.len)) == 0;
        ((1..=128).contains(&mki.len) && fits).then_some(mki)
    }
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

/// `2^31` or a number, not 0.
fn is_lifetime(text: &str) -> bool {
    match text.strip_prefix("2^") {
        Some(power) => digits(power).and_then(|p| p.parse::<u8>().ok()).is_some_and(|p| p <= 48),
        None => digits(text).and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n > 0 && n <= 1 << 48),
    }
}

impl CryptoLine {
    /// A line of ours.
    pub fn new(tag: u32, suite: Suite, key: InlineKey) -> CryptoLine {
        CryptoLine { tag, suite, alias: false, keys: vec![key], parameters: Parameters::default() }
    }

    /// Reads the value of `a=crypto`.
    pub fn parse(value: &str) -> Result<CryptoLine, CryptoRefused> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().and_then(digits).filter(|tag| tag.len() <= TAG_DIGITS);
        let tag = tag.and_then(|tag| tag.parse().ok()).ok_or(CryptoRefused::Shape)?;
        let name = words.next().ok_or(CryptoRefused::Shape)?;
        let suite = Suite::parse(name).ok_or(CryptoRefused::Suite)?;
        let alias = suite.alias().is_some_and(|alias| alias.eq_ignore_ascii_case(name));
        let mut keys = Vec::new();
        for text in words.next().ok_or(CryptoRefused::Shape)?.split(';') {
            keys.push(InlineKey::parse(suite, text)?);
            if keys.len() > CRYPTO_KEYS || keys.len() > 1 && keys.iter().any(|key| key.mki.is_none()) {
                return Err(CryptoRefused::Keys);
            }
        }
        let mut parameters = Parameters::default();
        words.try_for_each(|word| parameters.read(word))?;
        Ok(CryptoLine { tag, suite, alias, keys, parameters })
    }

    /// The key as the SRTP engine takes it. `None` for what it cannot do: F8, keys with identifiers, keys that are
    /// derived anew, and media that is half protected. AES-128 with neither SRTP nor SRTCP encrypted is the NULL suite.
    pub fn keying(&self) -> Option<Keying> {
        let Parameters { unencrypted_srtp, unencrypted_srtcp, unauthenticated_srtp, kdr, .. } =
            self.parameters;
        let [key] = self.keys.as_slice() else { return None };
        if key.mki.is_some() || unauthenticated_srtp || kdr > 0 {
            return None;
        }
        match (unencrypted_srtp, unencrypted_srtcp, self.suite) {
            (false, false, suite) => key.keying(suite),
            (true, true, Suite::Aes128CmSha1_80) => key.keying(Suite::NullSha1_80),
            (true, true, Suite::Aes128CmSha1_32) => key.keying(Suite::NullSha1_32),
            _ => None,
        }
    }

    /// The value of `a=crypto`; `pad`: with the `=` of base64.
    pub fn print(&self, pad: bool) -> Zeroizing<String> {
        let name = self.suite.alias().filter(|_| self.alias).unwrap_or(self.suite.name());
        let mut out = Zeroizing::new(String::with_capacity(128 + 128 * self.keys.len()));
        out.push_str(&format!("{} {name} ", self.tag));
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                out.push(';');
            }
            key.print(pad, &mut out);
        }
        self.parameters.print(&mut out);
        out
    }
}

impl Parameters {
    fn read(&mut self, word: &str) -> Result<(), CryptoRefused> {
        let upper = word.to_ascii_uppercase();
        match upper.split_once('=') {
            None if upper == "UNENCRYPTED_SRTP" => self.unencrypted_srtp = true,
            None if upper == "UNENCRYPTED_SRTCP" => self.unencrypted_srtcp = true,
            None if upper == "UNAUTHENTICATED_SRTP" => self.unauthenticated_srtp = true,
            Some(("KDR", n)) => {
                self.kdr = n.parse().ok().filter(|n| *n <= 24).ok_or(CryptoRefused::Parameter)?;
            }
            Some(("WSH", n)) => {
                self.wsh = Some(n.parse().ok().filter(|n| *n >= 64).ok_or(CryptoRefused::Parameter)?);
            }
            // RFC 4568 section 6.3.7: a leading `-` says that it may be ignored.
            _ if word.starts_with('-') => {}
            _ => return Err(CryptoRefused::Parameter),
        }
        Ok(())
    }

    fn print(&self, out: &mut String) {
        let words = [
            (self.unencrypted_srtp, "UNENCRYPTED_SRTP"),
            (self.unencrypted_srtcp, "UNENCRYPTED_SRTCP"),
            (self.unauthenticated_srtp, "UNAUTHENTICATED_SRTP"),
        ];
        if self.kdr > 0 {
            out.push_str(&format!(" KDR={}", self.kdr));
        }
        for (_, word) in words.into_iter().filter(|(on, _)| *on) {
            out.push(' ');
            out.push_str(word);
        }
        if let Some(wsh) = self.wsh {
            out.push_str(&format!(" WSH={wsh}"));
        }
    }
}
