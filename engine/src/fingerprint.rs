//! Certificate fingerprints as session descriptions carry them (RFC 8122 section 5).

use std::fmt;
use std::str::FromStr;

/// A hash function for certificates. Weaker ones of RFC 8122 (MD5, SHA-1) are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashAlgorithm {
    /// Bytes of a hash.
    pub const fn hash_len(self) -> usize {
        match self {
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }

    /// As in a session description.
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha-256",
            HashAlgorithm::Sha384 => "sha-384",
            HashAlgorithm::Sha512 => "sha-512",
        }
    }

    fn digest(self) -> &'static aws_lc_rs::digest::Algorithm {
        match self {
            HashAlgorithm::Sha256 => &aws_lc_rs::digest::SHA256,
            HashAlgorithm::Sha384 => &aws_lc_rs::digest::SHA384,
            HashAlgorithm::Sha512 => &aws_lc_rs::digest::SHA512,
        }
    }
}

/// The hash of a certificate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

impl Fingerprint {
    /// `None` if the length is not the algorithm's.
    pub fn new(algorithm: HashAlgorithm, bytes: &[u8]) -> Option<Fingerprint> {
        (bytes.len() == algorithm.hash_len()).then(|| Fingerprint { algorithm, bytes: bytes.to_vec() })
    }

    /// Of a certificate in DER.
    pub fn of(algorithm: HashAlgorithm, der: &[u8]) -> Fingerprint {
        let hash = aws_lc_rs::digest::digest(algorithm.digest(), der);
        Fingerprint { algorithm, bytes: hash.as_ref().to_vec() }
    }

    /// The hash function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether this is the fingerprint of the certificate. Both are public, so the comparison need not be of
    /// constant time; it is nonetheless.
    pub fn matches(&self, der: &[u8]) -> bool {
        let hash = aws_lc_rs::digest::digest(self.algorithm.digest(), der);
        aws_lc_rs::constant_time::verify_slices_are_equal(hash.as_ref(), &self.bytes).is_ok()
    }
}

/// `sha-256 AB:CD:..`, as after `a=fingerprint:`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.algorithm.name())?;
        for (i, byte) in self.bytes.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is wrong with a fingerprint's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintParseError {
    /// Not `algorithm hash`.
    #[error("a fingerprint reads `sha-256 AB:CD:..`")]
    Shape,
    /// MD5, SHA-1 or unheard of.
    #[error("the hash must be sha-256, sha-384 or sha-512")]
    Algorithm,
    /// Not pairs of hexadecimal digits with colons between, or not as many as the algorithm has.
    #[error("the hash is not the algorithm's number of hexadecimal pairs with colons between")]
    Hash,
}

impl FromStr for Fingerprint {
    type Err = FingerprintParseError;

    /// Reads `sha-256 AB:CD:..`; case does not matter (RFC 8122 section 5, RFC 4572).
    fn from_str(text: &str) -> Result<Fingerprint, FingerprintParseError> {
        let (name, hex) = text.trim().split_once(' ').ok_or(FingerprintParseError::Shape)?;
        let algorithm = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
            .ok_or(FingerprintParseError::Algorithm)?;
        let mut bytes = Vec::with_capacity(algorithm.hash_len());
        for pair in hex.trim().split(':') {
            let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            if !digits || bytes.len() == algorithm.hash_len() {
                return Err(FingerprintParseError::Hash);
            }
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| FingerprintParseError::Hash)?);
        }
        Fingerprint::new(algorithm, &bytes).ok_or(FingerprintParseError::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let print = Fingerprint::of(algorithm, b"certificate");
            assert_eq!(print.to_string().parse(), Ok(print.clone()));
            assert_eq!(print.to_string().to_lowercase().parse(), Ok(print.clone()));
            assert!(print.matches(b"certificate"));
            assert!(!print.matches(b"Certificate"));
        }
    }

    #[test]
    fn bad_texts_are_refused() {
        let good = Fingerprint::of(HashAlgorithm::Sha256, b"x").to_string();
        let parse = |text: &str| text.parse::<Fingerprint>();
        assert_eq!(parse(""), Err(FingerprintParseError::Shape));
        assert_eq!(parse("sha-256"), Err(FingerprintParseError::Shape));
        assert_eq!(parse("sha-1 AB:CD"), Err(FingerprintParseError::Algorithm));
        assert_eq!(parse("sha-256 AB:CD"), Err(FingerprintParseError::Hash));
        assert_eq!(parse(&format!("{good}:00")), Err(FingerprintParseError::Hash));
        assert_eq!(parse(&good.replace(':', "")), Err(FingerprintParseError::Hash));
        assert_eq!(parse(&good.replacen(' ', " +", 1)), Err(FingerprintParseError::Hash));
    }
}
