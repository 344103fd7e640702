//! The command line: `kaname serve`, `demo`, `doctor`, `token`, `config`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the part that talks to a terminal")]

mod arguments;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;

use crate::config::{self, KEYS, Loaded};

pub use arguments::command;

/// The command line itself, or the settings, are wrong (as clap has it).
const EXIT_USAGE: u8 = 2;

/// Runs the command line and gives the process's exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // A closed pipe (`kaname --help | head`) is no failure.
            let _printed = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE));
        }
    };
    let outcome = match matches.subcommand() {
        Some(("token", matches)) => token::run(matches),
        Some(("doctor", matches)) => Ok(crate::doctor::run(&settings(matches), matches.get_flag("json"))),
        Some(("config", _)) => {
            print!("{}", config::reference());
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "demo")]
        Some(("demo", matches)) => crate::demo::run(matches),
        Some((_, matches)) => serve(matches),
        None => serve(&matches),
    };
    outcome.unwrap_or_else(|message| {
        for line in message.lines() {
            eprintln!("error: {line}");
        }
        ExitCode::from(EXIT_USAGE)
    })
}

fn serve(matches: &ArgMatches) -> Result<ExitCode, String> {
    let options = crate::serve::Options {
        json: matches.get_flag("json"),
        until_stdin_closes: matches.get_flag("until-stdin-closes"),
    };
    crate::serve::run(loaded(matches)?, options)
}

/// The settings as this command line, the environment and the file give them.
fn settings(matches: &ArgMatches) -> Result<Loaded, config::ConfigError> {
    let file: Option<&PathBuf> = matches.get_one("config");
    // Names and values that are not Unicode cannot be ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let flags = KEYS
        .iter()
        .filter_map(|key| matches.get_one::<String>(key.name).map(|text| (key.name, text.clone())));
    config::load(file.map(PathBuf::as_path), environment, flags)
}

/// The same, with the warnings said and the problems as text.
fn loaded(matches: &ArgMatches) -> Result<Loaded, String> {
    let loaded = settings(matches).map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded)
}
