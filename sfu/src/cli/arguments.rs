//! What can be written on the command line. `--help` is where most people begin, so it teaches.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::config::{KEYS, Key, Kind};
use crate::token::MAX_TTL;

const ABOUT: &str = "Kaname, a real-time media node: one packet comes in, many go out.";

const EXAMPLES: &str = "\
Examples:
  kaname                                   a development node: open the join link it prints
  kaname --http-listen 127.0.0.1:9000      the same on another port
  kaname --config /etc/kaname/kaname.toml  a node with settings of its own
  kaname doctor --config kaname.toml       will it run here? Each line says what to do
  kaname demo --seconds 10                 a node, publishers and subscribers on this machine
  kaname token --room lobby --name Ada --publish --subscribe
                                           a token for someone

Settings come from defaults, then a TOML file, then the environment (KANAME_MEDIA_PORT=9000), then flags
(--media-port 9000); the later one wins. `kaname config` prints the reference of all settings
(docs/configuration.md); `kaname serve --help` lists their flags.";

const TOKEN_EXAMPLES: &str = "\
Examples:
  kaname token --room lobby --name Ada --publish --subscribe --data
  kaname token --room '*' --admin --ttl 15m          an administrator of all rooms, for a quarter of an hour
  kaname token --auth-secret-file token.key --mode production --room stage --name Camera --publish

The token goes into the page's link (http://HOST:PORT/#room=lobby&token=TOKEN), into `Authorization: Bearer TOKEN` of the
API and of WHIP and WHEP clients. Without a key it is signed with the development key, which production nodes refuse.";

/// The whole command line.
pub fn command() -> Command {
    let root = Command::new("kaname")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(true)
        .subcommand(serve_arguments(
            Command::new("serve").about("Run a node (what `kaname` alone does)"),
            |_| true,
        ))
        .subcommand(doctor())
        .subcommand(token())
        .subcommand(Command::new("config").about("Print the reference of all settings"));
    #[cfg(feature = "demo")]
    let root = root.subcommand(demo());
    // All flags work without `serve` too; listing them once is enough.
    serve_arguments(root, |_| false)
}

fn serve_arguments(command: Command, listed: fn(&Key) -> bool) -> Command {
    with_settings(command, listed)
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Say that the node is ready as one JSON object"),
        )
        .arg(
            Arg::new("until-stdin-closes")
                .long("until-stdin-closes")
                .action(ArgAction::SetTrue)
                .hide(true)
                .help("Stop when standard input ends"),
        )
}

/// `--config` and a flag for each setting. The long help lists those that are `listed`.
fn with_settings(command: Command, listed: fn(&Key) -> bool) -> Command {
    let config = Arg::new("config")
        .long("config")
        .short('c')
        .value_name("FILE")
        .env("KANAME_CONFIG")
        .hide_env_values(true)
        .value_parser(value_parser!(PathBuf))
        .help("A TOML file of settings");
    let flags = KEYS.iter().map(|key| {
        Arg::new(key.name)
            .long(key.flag())
            .value_name(value_name(key.kind))
            .help_heading("Settings")
            .hide_short_help(true)
            .hide(!listed(key))
            .allow_hyphen_values(true)
            .help(key.about.replace('`', ""))
    });
    command.arg(config).args(flags)
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "true|false",
        Kind::Integer { .. } => "NUMBER",
        Kind::Choice(_) => "WORD",
        Kind::Path => "PATH",
        Kind::Text | Kind::Secret => "TEXT",
        Kind::Receiver => "SCHEME://HOST:PORT",
        Kind::Sockets => "ADDRESS:PORT,…",
        Kind::Addresses => "ADDRESS,…",
        Kind::Texts => "TEXT,…",
        Kind::Networks => "NETWORK,…",
        Kind::Interfaces => "NAME/ADDRESS,…",
    }
}

fn doctor() -> Command {
    let about =
        "Check whether a node would run here, and say what to do where not; takes the settings of `serve`";
    with_settings(Command::new("doctor").about(about), |_| false)
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("The same as JSON"))
}

fn token() -> Command {
    let grant = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let token = Command::new("token").about("Sign a token (JWT) for someone").after_help(TOKEN_EXAMPLES);
    with_settings(token, |key| key.name == "mode" || key.name.starts_with("auth.secret"))
        .arg(Arg::new("room").long("room").required(true).help("The room; '*': any, for the API"))
        .arg(Arg::new("name").long("name").help("The name others see"))
        .arg(Arg::new("identity").long("identity").help("Who it is, for logs and the API (`sub`)"))
        .arg(grant("publish", "May send sound and pictures"))
        .arg(grant("subscribe", "May receive them"))
        .arg(grant("data", "May send messages"))
        .arg(grant("admin", "May create and delete rooms, mute and remove others, read statistics"))
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("TIME")
                .default_value("1h")
                .value_parser(duration)
                .help("How long it is good: 90s, 15m, 1h, 7d"),
        )
}

#[cfg(feature = "demo")]
fn demo() -> Command {
    let number = |name: &'static str, default: &'static str, max: i64, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            .default_value(default)
            .value_parser(value_parser!(u32).range(1..=max))
            .help(help)
    };
    Command::new("demo")
        .about("Start a node on free ports, send real sound and pictures through it, and say what arrived")
        .arg(number("seconds", "10", 3600, "How long"))
        .arg(number("publishers", "2", 100, "Peers that send"))
        .arg(number("subscribers", "4", 1000, "Peers that receive every publisher"))
        .arg(
            Arg::new("shards")
                .long("shards")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..=64))
                .help("Packet threads of the node; all cores unless told"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("The verdict as one JSON object, and no table"),
        )
}

/// `90s`, `15m`, `1h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time such as 90s, 15m, 1h or 7d".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let duration = Duration::from_secs(number.saturating_mul(factor));
    if duration.is_zero() || duration > MAX_TTL {
        return Err("give a time from 1s to 365d".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        for wrong in ["", "1", "h", "1w", "-1h", "0s", "366d", "99999999999999999999s", "1h1m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_subcommand_is_serve() {
        let alone = command().try_get_matches_from(["kaname", "--media-port", "0", "--json"]).unwrap();
        assert!(alone.subcommand().is_none() && alone.get_flag("json"));
        let named = command().try_get_matches_from(["kaname", "serve", "--media-port", "0"]).unwrap();
        assert_eq!(named.subcommand().unwrap().1.get_one::<String>("media.port").unwrap(), "0");
    }
}
