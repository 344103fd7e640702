//! Who may do what: tokens (JWT, RFC 7519) scoped to a room and to what their bearer may do in it.
//!
//! One node accepts one algorithm with one key, fixed when it starts; what a token says of its own algorithm chooses nothing
//! (RFC 8725 section 3.1).

mod key;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

pub use key::{DEVELOPMENT_SECRET, KeyError, TokenKey};

/// A token with a long name and a long identity stays far under this; more is an attack on the parser.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// Longest life `kaname token` and `/dev/token` give.
pub const MAX_TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// What the bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantClaims {
    /// Come into the room. True unless the token says otherwise.
    #[serde(default = "yes")]
    pub join: bool,
    /// Send media.
    #[serde(default)]
    pub publish: bool,
    /// Receive media.
    #[serde(default)]
    pub subscribe: bool,
    /// Send data messages (chat).
    #[serde(default)]
    pub data: bool,
    /// Create and delete rooms, mute and remove others, read statistics.
    #[serde(default)]
    pub admin: bool,
}

fn yes() -> bool {
    true
}

impl GrantClaims {
    /// Everything a participant needs, nothing an administrator needs.
    pub const PARTICIPANT: GrantClaims =
        GrantClaims { join: true, publish: true, subscribe: true, data: true, admin: false };
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Until when it is good, in seconds since 1970.
    pub exp: u64,
    /// From when on it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The bearer's identity, stable over joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The name others see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The room it is for; `*`: any.
    pub room: String,
    /// What the bearer may do there.
    pub grants: GrantClaims,
}

impl Claims {
    /// A token for `room` that lives for `ttl` from now on.
    pub fn new(room: impl Into<String>, grants: GrantClaims, ttl: Duration) -> Claims {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Claims {
            exp: now.saturating_add(ttl.as_secs()),
            nbf: None,
            sub: None,
            name: None,
            room: room.into(),
            grants,
        }
    }

    /// Whether it is for `room`; otherwise an error that says so.
    pub fn for_room(&self, room: &str) -> Result<(), TokenError> {
        if self.room == "*" || self.room == room { Ok(()) } else { Err(TokenError::Room) }
    }

    /// Whether it carries the administrator's grant.
    pub fn admin(&self) -> Result<(), TokenError> {
        if self.grants.admin { Ok(()) } else { Err(TokenError::Grant("admin")) }
    }
}

/// Why a token does not open the door; the fault is the bearer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// None was sent.
    #[error("no token was sent; send one as `Authorization: Bearer TOKEN`")]
    Missing,
    /// Not a JWT at all.
    #[error("the token is not a JWT (three base64url parts divided by dots)")]
    Malformed,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// Its header names another algorithm than the node's key is for, or a critical extension.
    #[error("the token is signed with an algorithm this node does not accept; sign with {0}")]
    Algorithm(&'static str),
    /// Signed with another key, or changed after it was signed.
    #[error("the token's signature does not fit this node's key; it was signed with another key, or changed")]
    Signature,
    /// Its time is over.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet; check the clocks of this node and of who signed it")]
    NotYetValid,
    /// A claim is missing or of the wrong kind.
    #[error("the token's claims are not understood: {0}")]
    Claims(String),
    /// For another room.
    #[error("the token is for another room")]
    Room,
    /// The grant that is needed is missing.
    #[error("the token does not grant `{0}`")]
    Grant(&'static str),
}

impl TokenError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            TokenError::Missing => "token_missing",
            TokenError::Malformed | TokenError::TooLong => "token_malformed",
            TokenError::Algorithm(_) => "token_algorithm",
            TokenError::Signature => "token_signature",
            TokenError::Expired => "token_expired",
            TokenError::NotYetValid => "token_not_yet_valid",
            TokenError::Claims(_) => "token_claims",
            TokenError::Room => "wrong_room",
            TokenError::Grant(_) => "grant_missing",
        }
    }

    /// Whether the bearer is known and only lacks the right (HTTP 403 rather than 401).
    pub fn forbids(&self) -> bool {
        matches!(self, TokenError::Room | TokenError::Grant(_))
    }
}

/// Checks tokens, and signs them where the key can.
#[derive(Debug, Clone)]
pub struct Tokens {
    key: TokenKey,
    leeway_seconds: u64,
}

impl Tokens {
    /// Accepts tokens made with `key`; clocks may differ by `leeway_seconds`.
    pub fn new(key: TokenKey, leeway_seconds: u64) -> Tokens {
        Tokens { key, leeway_seconds }
    }

    /// Checks signature and times, and gives what the token says. Room and grants are the caller's to check.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let algorithm = TokenError::Algorithm(self.key.algorithm_name());
        // RFC 7515 section 4.1.11: a critical extension that is not understood makes the token invalid. We understand none.
        match decode_header(token) {
            Ok(header) if header.crit.is_some() => return Err(algorithm),
            Ok(_) => {}
            // "none" and misspelt algorithms do not get as far as a header.
            Err(error) if matches!(error.kind(), ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName) => {
                return Err(algorithm);
            }
            Err(_) => return Err(TokenError::Malformed),
        }
        let mut validation = Validation::new(self.key.algorithm());
        validation.leeway = self.leeway_seconds;
        validation.validate_nbf = true;
        decode::<Claims>(token, self.key.decoding(), &validation).map(|data| data.claims).map_err(|error| {
            match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                ErrorKind::ImmatureSignature => TokenError::NotYetValid,
                ErrorKind::InvalidSignature => TokenError::Signature,
                ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => algorithm,
                ErrorKind::MissingRequiredClaim(name) => TokenError::Claims(format!("`{name}` is missing")),
                ErrorKind::InvalidClaimFormat(name) => {
                    TokenError::Claims(format!("`{name}` is of the wrong kind"))
                }
                ErrorKind::InvalidAudience => {
                    TokenError::Claims("`aud` names another audience; leave it away".into())
                }
                ErrorKind::Json(error) => TokenError::Claims(error.to_string()),
                _ => TokenError::Malformed,
            }
        })
    }

    /// Signs `claims`; `None`: the node has a public key alone, and cannot.
    pub fn sign(&self, claims: &Claims) -> Option<String> {
        let key = self.key.encoding()?;
        encode(&Header::new(self.key.algorithm()), claims, key).ok()
    }

    /// Whether this is the development key.
    pub fn is_development(&self) -> bool {
        self.key.is_development()
    }
}

#[cfg(test)]
mod tests;
