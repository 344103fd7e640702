//! The key that tokens are checked with.

use std::fmt;
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::config::{Auth, MIN_SECRET_BYTES, Mode};

/// Signs the tokens of development nodes. It is public, so it protects nothing; a production node refuses it.
/// A constant rather than a random key for each run: join links outlive a restart, and `kaname token` needs no running node.
pub const DEVELOPMENT_SECRET: &str = "kaname-development-key-never-use-this-in-production";

/// Keys are some hundred bytes; more is a wrong path.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Why there is no usable key; the fault is the operator's.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Production without a key.
    #[error(
        "a production node needs a token key of its own: put one in a file (`openssl rand -base64 48 > token.key; chmod 600 token.key`) and set auth.secret_file"
    )]
    None,
    /// Production with the development key.
    #[error(
        "the token key is the development key, which everyone knows; a production node refuses it. Make one: `openssl rand -base64 48 > token.key; \
         chmod 600 token.key`, and set auth.secret_file"
    )]
    Development,
    /// A file cannot be read.
    #[error("{name}: cannot read {path}: {reason}; check the path and that the node's user may read it")]
    Unreadable {
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Too short to be safe.
    #[error(
        "{0}: the key is shorter than {MIN_SECRET_BYTES} bytes and could be guessed; `openssl rand -base64 48` makes a good one"
    )]
    Short(&'static str),
    /// Not a public key we know.
    #[error("auth.public_key_file: {0} holds no P-256 or Ed25519 public key in PEM (`BEGIN PUBLIC KEY`)")]
    NotPublicKey(PathBuf),
}

/// One key for one algorithm.
#[derive(Clone)]
pub struct TokenKey {
    algorithm: Algorithm,
    decoding: DecodingKey,
    encoding: Option<EncodingKey>,
    development: bool,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({:?}, key not shown)", self.algorithm)
    }
}

impl TokenKey {
    /// The key the settings ask for.
    pub fn from_settings(mode: Mode, auth: &Auth) -> Result<TokenKey, KeyError> {
        if let Some(path) = &auth.public_key_file {
            return TokenKey::public(path);
        }
        let (name, secret) = match (&auth.secret, &auth.secret_file) {
            (Some(secret), _) => ("auth.secret", Zeroizing::new(secret.expose().to_owned())),
            (None, Some(path)) => {
                let text = read("auth.secret_file", path)?;
                ("auth.secret_file", Zeroizing::new(text.trim_end().to_owned()))
            }
            (None, None) if mode == Mode::Production => return Err(KeyError::None),
            (None, None) => ("auth.secret", Zeroizing::new(DEVELOPMENT_SECRET.to_owned())),
        };
        let development = secret.as_str() == DEVELOPMENT_SECRET;
        if development && mode == Mode::Production {
            return Err(KeyError::Development);
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::Short(name));
        }
        Ok(TokenKey { development, ..TokenKey::secret(secret.as_bytes()) })
    }

    /// An HS256 key.
    pub fn secret(bytes: &[u8]) -> TokenKey {
        TokenKey {
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(bytes),
            encoding: Some(EncodingKey::from_secret(bytes)),
            development: false,
        }
    }

    /// The development key.
    pub fn development() -> TokenKey {
        TokenKey { development: true, ..TokenKey::secret(DEVELOPMENT_SECRET.as_bytes()) }
    }

    fn public(path: &Path) -> Result<TokenKey, KeyError> {
        let text = read("auth.public_key_file", path)?;
        let pem = text.as_bytes();
        let (algorithm, decoding) = if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            (Algorithm::ES256, key)
        } else if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            (Algorithm::EdDSA, key)
        } else {
            return Err(KeyError::NotPublicKey(path.to_owned()));
        };
        Ok(TokenKey { algorithm, decoding, encoding: None, development: false })
    }

    /// The algorithm's name, for messages.
    pub fn algorithm_name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            _ => "HS256",
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    pub(super) fn encoding(&self) -> Option<&EncodingKey> {
        self.encoding.as_ref()
    }

    pub(super) fn is_development(&self) -> bool {
        self.development
    }
}

fn read(name: &'static str, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let unreadable = |reason: String| KeyError::Unreadable { name, path: path.to_owned(), reason };
    let meta = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !meta.is_file() || meta.len() > MAX_KEY_FILE_BYTES {
        return Err(unreadable(format!("it is not a regular file of at most {MAX_KEY_FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| unreadable(error.to_string()))
}
