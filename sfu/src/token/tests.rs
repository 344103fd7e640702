//! Attacks on tokens: each is refused with its own error.

use super::*;
use crate::config::{Auth, Config, Mode, Secret};
use jsonwebtoken::{Algorithm, EncodingKey};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn tokens() -> Tokens {
    Tokens::new(TokenKey::secret(SECRET), 0)
}

fn claims() -> Claims {
    Claims {
        sub: Some("ada".into()),
        ..Claims::new("lobby", GrantClaims::PARTICIPANT, Duration::from_secs(60))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signed(header: &Header, claims: &impl Serialize, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// Unpadded base64url (RFC 4648 section 5), for tokens that no library would make.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(LETTERS[(word >> (18 - 6 * index)) as usize & 63]));
        }
    }
    out
}

#[test]
fn what_is_signed_is_verified() {
    let tokens = tokens();
    let token = tokens.sign(&claims()).unwrap();
    assert_eq!(tokens.verify(&token), Ok(claims()));
}

#[test]
fn expired_and_early_tokens_are_refused_and_leeway_forgives() {
    let expired = Claims { exp: now() - 3, ..claims() };
    let early = Claims { nbf: Some(now() + 30), ..claims() };
    let strict = tokens();
    assert_eq!(strict.verify(&strict.sign(&expired).unwrap()), Err(TokenError::Expired));
    assert_eq!(strict.verify(&strict.sign(&early).unwrap()), Err(TokenError::NotYetValid));
    let forgiving = Tokens::new(TokenKey::secret(SECRET), 60);
    assert!(forgiving.verify(&strict.sign(&expired).unwrap()).is_ok());
    assert!(forgiving.verify(&strict.sign(&early).unwrap()).is_ok());
}

#[test]
fn foreign_keys_and_changed_tokens_are_refused() {
    let foreign = signed(&Header::default(), &claims(), b"another-key-another-key-another-key");
    assert_eq!(tokens().verify(&foreign), Err(TokenError::Signature));
    let mine = tokens().sign(&claims()).unwrap();
    let admin = Claims { grants: GrantClaims { admin: true, ..GrantClaims::PARTICIPANT }, ..claims() };
    let payload = base64url(&serde_json::to_vec(&admin).unwrap());
    let parts: Vec<&str> = mine.split('.').collect();
    let swapped = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(tokens().verify(&swapped), Err(TokenError::Signature));
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    let payload = base64url(&serde_json::to_vec(&claims()).unwrap());
    for algorithm in ["none", "None", "NONE", "nOnE", "HS1"] {
        let header = base64url(format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}").as_bytes());
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(tokens().verify(&token), Err(TokenError::Algorithm("HS256")), "{algorithm}");
        }
    }
    // The right key with a sister algorithm is still another algorithm.
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = signed(&Header::new(algorithm), &claims(), SECRET);
        assert_eq!(tokens().verify(&token), Err(TokenError::Algorithm("HS256")));
    }
    let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
    assert_eq!(tokens().verify(&signed(&critical, &claims(), SECRET)), Err(TokenError::Algorithm("HS256")));
}

/// The classic confusion: the public key of ES256 used as an HS256 secret.
#[test]
fn a_public_key_is_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("public.pem");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(&path, pair.public_key_pem()).unwrap();
    let auth = Auth { public_key_file: Some(path), ..Config::default().auth };
    let tokens = Tokens::new(TokenKey::from_settings(Mode::Production, &auth).unwrap(), 0);
    assert_eq!(tokens.sign(&claims()), None);
    let forged = signed(&Header::default(), &claims(), pair.public_key_pem().as_bytes());
    assert_eq!(tokens.verify(&forged), Err(TokenError::Algorithm("ES256")));
    let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
    let honest = encode(&Header::new(Algorithm::ES256), &claims(), &key).unwrap();
    assert_eq!(tokens.verify(&honest), Ok(claims()));
}

#[test]
fn ed25519_tokens_are_verified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("public.pem");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    std::fs::write(&path, pair.public_key_pem()).unwrap();
    let auth = Auth { public_key_file: Some(path), ..Config::default().auth };
    let tokens = Tokens::new(TokenKey::from_settings(Mode::Production, &auth).unwrap(), 0);
    let key = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
    let honest = encode(&Header::new(Algorithm::EdDSA), &claims(), &key).unwrap();
    assert_eq!(tokens.verify(&honest), Ok(claims()));
    assert_eq!(
        tokens.verify(&signed(&Header::default(), &claims(), SECRET)),
        Err(TokenError::Algorithm("EdDSA"))
    );
}

#[test]
fn claims_must_be_there_and_of_the_right_kind() {
    let check =
        |json: serde_json::Value| tokens().verify(&signed(&Header::default(), &json, SECRET)).unwrap_err();
    let exp = now() + 60;
    let grants = serde_json::json!({ "publish": true });
    assert!(
        matches!(check(serde_json::json!({ "room": "a", "grants": grants })), TokenError::Claims(m) if m.contains("exp"))
    );
    assert!(
        matches!(check(serde_json::json!({ "exp": exp, "grants": grants })), TokenError::Claims(m) if m.contains("room"))
    );
    let typo = serde_json::json!({ "exp": exp, "room": "a", "grants": { "publsh": true } });
    assert!(matches!(check(typo), TokenError::Claims(m) if m.contains("publsh")));
    let kind = serde_json::json!({ "exp": "soon", "room": "a", "grants": grants });
    assert!(matches!(check(kind), TokenError::Claims(_)));
    let audience = serde_json::json!({ "exp": exp, "room": "a", "grants": grants, "aud": "someone else" });
    assert!(matches!(check(audience), TokenError::Claims(m) if m.contains("aud")));
}

#[test]
fn what_is_no_token_is_refused() {
    assert_eq!(tokens().verify(""), Err(TokenError::Missing));
    for text in ["x", "..", "a.b", "a.b.c.d", "\u{0}\u{0}", "é.é.é", "eyJhbGciOiJIUzI1NiJ9"] {
        assert!(
            matches!(
                tokens().verify(text),
                Err(TokenError::Malformed | TokenError::Algorithm(_) | TokenError::Signature)
            ),
            "{text:?}: {:?}",
            tokens().verify(text)
        );
    }
    assert_eq!(tokens().verify(&"a".repeat(MAX_TOKEN_BYTES + 1)), Err(TokenError::TooLong));
}

#[test]
fn a_token_opens_its_room_and_no_other() {
    assert_eq!(claims().for_room("lobby"), Ok(()));
    for other in ["Lobby", "lobby2", "lobb", "", "*"] {
        assert_eq!(claims().for_room(other), Err(TokenError::Room), "{other}");
    }
    assert_eq!(Claims { room: "*".into(), ..claims() }.for_room("anything"), Ok(()));
    assert_eq!(claims().admin(), Err(TokenError::Grant("admin")));
}

#[test]
fn the_development_key_is_for_development() {
    let auth = Config::default().auth;
    assert!(Tokens::new(TokenKey::from_settings(Mode::Development, &auth).unwrap(), 0).is_development());
    assert!(matches!(TokenKey::from_settings(Mode::Production, &auth), Err(KeyError::None)));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.key");
    std::fs::write(&path, format!("{DEVELOPMENT_SECRET}\n")).unwrap();
    for auth in [
        Auth { secret: Some(Secret::new(DEVELOPMENT_SECRET)), ..Config::default().auth },
        Auth { secret_file: Some(path.clone()), ..Config::default().auth },
    ] {
        assert!(matches!(TokenKey::from_settings(Mode::Production, &auth), Err(KeyError::Development)));
    }
    std::fs::write(&path, "short\n").unwrap();
    let auth = Auth { secret_file: Some(path), ..auth };
    assert!(matches!(
        TokenKey::from_settings(Mode::Production, &auth),
        Err(KeyError::Short("auth.secret_file"))
    ));
    let auth = Auth { secret_file: Some("/nonexistent/key".into()), ..auth };
    let error = TokenKey::from_settings(Mode::Production, &auth).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/key") && error.contains("auth.secret_file"), "{error}");
}
