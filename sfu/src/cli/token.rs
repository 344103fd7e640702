//! `kaname token`.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use crate::token::{Claims, GrantClaims, TokenKey, Tokens};

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, String> {
    let config = super::loaded(matches)?.config;
    let key = TokenKey::from_settings(config.mode, &config.auth).map_err(|error| error.to_string())?;
    let tokens = Tokens::new(key, config.auth.leeway_seconds);
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let grants = GrantClaims {
        join: true,
        publish: matches.get_flag("publish"),
        subscribe: matches.get_flag("subscribe"),
        data: matches.get_flag("data"),
        admin: matches.get_flag("admin"),
    };
    let ttl = matches.get_one::<Duration>("ttl").copied().unwrap_or(Duration::from_secs(3600));
    let claims = Claims {
        sub: text("identity"),
        name: text("name"),
        ..Claims::new(text("room").unwrap_or_default(), grants, ttl)
    };
    let token = tokens
        .sign(&claims)
        .ok_or("auth.public_key_file is a public key, which cannot sign; sign with the private key in your own service, or use auth.secret_file")?;
    if tokens.is_development() {
        eprintln!(
            "note: signed with the development key, which production nodes refuse; give --auth-secret-file for a key of your own"
        );
    }
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}
