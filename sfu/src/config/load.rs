//! Brings the layers together.

use std::collections::BTreeMap;
use std::path::Path;

use super::Config;
use super::check::check;
use super::error::{ConfigError, Origin, Problem};
use super::file::{self, Placed};
use super::table::{KEYS, Key};
use super::value::Value;

/// Variables with our prefix that are no settings: the engine's, the command line's and the tests'.
const OTHER_VARIABLES: &[&str] = &["KANAME_CONFIG", "KANAME_CPU_DISABLE", "KANAME_FULL"];

/// Settings, and where each came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each setting that is not at its default came from, by name.
    pub origins: BTreeMap<&'static str, Origin>,
    /// What looks wrong but does not stop the node.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Where the value of `name` came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.origins.get(name).cloned().unwrap_or(Origin::Default)
    }
}

/// Reads all layers and checks what they make together.
///
/// `environment` is every variable of the process; those that do not begin with `KANAME_` are passed over. `flags` are pairs of a
/// setting's name and its text.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let mut loaded = Loaded { config: Config::default(), origins: BTreeMap::new(), warnings: Vec::new() };
    if let Some(path) = file {
        for placed in file::read(path, &mut problems) {
            apply(&mut loaded, placed, &mut problems);
        }
    }
    for (name, text) in environment {
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            note_unknown_variable(&name, &mut loaded.warnings);
            continue;
        };
        apply_text(&mut loaded, key, &text, Origin::Environment(name), &mut problems);
    }
    for (name, text) in flags {
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            apply_text(&mut loaded, key, &text, Origin::Flag(format!("--{}", key.flag())), &mut problems);
        }
    }
    if problems.is_empty() {
        check(&loaded, &mut problems);
    }
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigError { problems }) }
}

/// Only a warning: service managers put variables of their own making into the environment.
fn note_unknown_variable(name: &str, warnings: &mut Vec<Problem>) {
    if name.starts_with("KANAME_") && !OTHER_VARIABLES.contains(&name) {
        let message = file::unknown(name, "environment variable", KEYS.iter().map(Key::variable));
        warnings.push(Problem { origin: Origin::Default, message });
    }
}

fn apply_text(
    loaded: &mut Loaded,
    key: &'static Key,
    text: &str,
    origin: Origin,
    problems: &mut Vec<Problem>,
) {
    match key.kind.parse_text(text) {
        Ok(value) => apply(loaded, Placed { key, value, origin }, problems),
        Err(message) => problems.push(Problem { origin, message: format!("{}: {message}", key.name) }),
    }
}

fn apply(loaded: &mut Loaded, placed: Placed, problems: &mut Vec<Problem>) {
    let Placed { key, mut value, origin } = placed;
    // One address needs no brackets.
    if let (true, Value::Text(text)) = (key.kind.is_list(), &value) {
        value = Value::List(vec![text.clone()]);
    }
    match key.kind.check(&value).and_then(|()| (key.set)(&mut loaded.config, &value)) {
        Ok(()) => {
            loaded.origins.insert(key.name, origin);
        }
        Err(message) => problems.push(Problem { origin, message: format!("{}: {message}", key.name) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LogLevel, Mode};

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kaname.toml");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn load_file(text: &str) -> Result<Loaded, String> {
        let (directory, path) = file(text);
        load(Some(&path), [], [])
            .map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))
    }

    fn variable(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn later_layers_win() {
        let (_directory, path) =
            file("[media]\nport = 1000\nshards = 3\nworkers = 2\n[log]\nlevel = \"warn\"\n");
        let environment = [
            variable("KANAME_MEDIA_PORT", "2000"),
            variable("KANAME_MEDIA_SHARDS", "4"),
            variable("HOME", "/x"),
        ];
        let loaded = load(Some(&path), environment, [("media.port", "3000".to_owned())]).unwrap();
        assert_eq!(loaded.config.media.port, 3000);
        assert_eq!(loaded.config.media.shards, 4);
        assert_eq!(loaded.config.media.workers, 2);
        assert_eq!(loaded.config.log.level, LogLevel::Warn);
        assert!(loaded.config.media.tcp, "an untouched setting keeps its default");
        assert_eq!(loaded.origin("media.port"), Origin::Flag("--media-port".into()));
        assert_eq!(loaded.origin("media.shards"), Origin::Environment("KANAME_MEDIA_SHARDS".into()));
        assert_eq!(loaded.origin("media.workers"), Origin::File { path, line: 4, column: 11 });
        assert!(loaded.warnings.is_empty());
    }

    #[test]
    fn a_typo_names_its_place_and_the_nearest_name() {
        let error = load_file("# first\n[media]\nprot = 9000\n").unwrap_err();
        assert_eq!(error, "kaname.toml:3:1: there is no setting `media.prot`; did you mean `media.port`?");
        let error = load_file("[htpp]\nlisten = []\n").unwrap_err();
        assert_eq!(error, "kaname.toml:1:2: there is no setting `htpp.listen`; did you mean `http.listen`?");
        let error = load_file("media.shrads = 1\n").unwrap_err();
        assert_eq!(
            error,
            "kaname.toml:1:7: there is no setting `media.shrads`; did you mean `media.shards`?"
        );
        let error = load_file("zzzzzzzzzzzzzzzzz = 1\n").unwrap_err();
        assert!(error.contains("docs/configuration.md") && !error.contains("did you mean"), "{error}");
    }

    #[test]
    fn a_bad_value_names_line_and_range() {
        let error = load_file("\n[media]\nport = 99999\n").unwrap_err();
        assert_eq!(
            error,
            "kaname.toml:3:8: media.port: 99999 is not allowed here; give a whole number from 0 to 65535"
        );
        let error = load_file("mode = \"prod\"\n").unwrap_err();
        assert_eq!(
            error,
            "kaname.toml:1:8: mode: \\\"prod\\\" is not allowed here; give \"development\" or \"production\""
        );
        let error = load_file("[media]\ntcp = \"yes\"\n").unwrap_err();
        assert!(
            error.starts_with("kaname.toml:2:7: media.tcp: ") && error.ends_with("give true or false"),
            "{error}"
        );
        let error = load_file("[http]\nlisten = [\"localhost\"]\n").unwrap_err();
        assert!(
            error.starts_with("kaname.toml:2:10: http.listen: \"localhost\" is not an address with port"),
            "{error}"
        );
        let error = load_file("[media]\nport = 1.5\n").unwrap_err();
        assert!(error.contains("media.port: found a fraction; give a whole number"), "{error}");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = load_file("moed = \"x\"\n[media]\nport = -1\nworkers = 0\n").unwrap_err();
        assert_eq!(error.lines().count(), 3, "{error}");
    }

    #[test]
    fn what_is_not_toml_names_its_place() {
        let error = load_file("[media]\nport = = 3\n").unwrap_err();
        assert!(error.starts_with("kaname.toml:2:"), "{error}");
        assert!(error.contains("not TOML") && error.lines().count() == 1, "{error}");
    }

    #[test]
    fn an_unreadable_file_says_what_to_do() {
        let error = load(Some(Path::new("/nonexistent/kaname.toml")), [], []).unwrap_err().to_string();
        assert!(
            error.starts_with("/nonexistent/kaname.toml: cannot read") && error.contains("--config"),
            "{error}"
        );
        let directory = tempfile::tempdir().unwrap();
        let error = load(Some(directory.path()), [], []).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }

    #[test]
    fn bad_environment_and_flags_name_themselves() {
        let error = load(None, [variable("KANAME_MEDIA_PORT", "many")], []).unwrap_err().to_string();
        assert_eq!(
            error,
            "KANAME_MEDIA_PORT: media.port: many is not allowed here; give a whole number from 0 to 65535"
        );
        let error = load(None, [], [("media.workers", "0".into())]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "--media-workers: media.workers: 0 is not allowed here; give a whole number from 1"
            ),
            "{error}"
        );
        let loaded = load(None, [variable("KANAME_MEDIA_PROT", "1")], []).unwrap();
        assert!(loaded.warnings[0].to_string().contains("did you mean `KANAME_MEDIA_PORT`?"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = "a-secret-that-must-not-be-seen-anywhere";
        let (_directory, path) = file(&format!("mode = \"development\"\n[auth]\nsecret = \"{secret}\"\n"));
        let loaded = load(Some(&path), [], []).unwrap();
        assert_eq!(loaded.config.mode, Mode::Development);
        assert!(!format!("{loaded:?}").contains(secret));
        assert!(KEYS.iter().all(|key| !key.shown(&loaded.config).contains(secret)));
        let error = load_file(&format!("[auth]\nsecret = [\"{secret}\"]\n")).unwrap_err();
        assert!(!error.contains(secret), "{error}");
    }

    /// Reads every key's own default back, so the table cannot name a kind that its field does not take.
    #[test]
    fn the_table_fits_its_fields() {
        for key in KEYS {
            let shown = key.shown(&Config::default());
            if shown.is_empty() {
                let mut config = Config::default();
                let text = if key.kind == crate::config::Kind::Receiver { "tcp://x:1" } else { "x" };
                (key.set)(&mut config, &Value::Text(text.into())).unwrap();
                continue;
            }
            let text = match key.name.rsplit_once('.') {
                Some((table, name)) => format!("[{table}]\n{name} = {shown}\n"),
                None => format!("{} = {shown}\n", key.name),
            };
            let loaded = load_file(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(key.shown(&loaded.config), shown);
        }
    }
}
