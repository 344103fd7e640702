//! The reference page, made from the table.

use std::fmt::Write as _;

use super::Config;
use super::table::KEYS;

/// The whole text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut table = Some("");
    for key in KEYS {
        let of = key.name.split_once('.').map(|(table, _)| table);
        if of != table {
            table = of;
            let _ = writeln!(page, "\n## {}", table.unwrap_or("General"));
        }
        let default = key.shown(&Config::default());
        let _ = write!(page, "\n### `{}`\n{}\n\n", key.name, key.about);
        let _ = writeln!(page, "- accepts: {}", key.kind.expects());
        let _ = writeln!(
            page,
            "- default: {}",
            if default.is_empty() { "unset".into() } else { format!("`{default}`") }
        );
        let _ = writeln!(page, "- environment: `{}`; flag: `--{}`", key.variable(), key.flag());
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table in the code by `kaname config`. A test checks that this page is current. -->

Kaname runs without any configuration. What is set is taken from four places; the later one wins:

1. the defaults on this page,
2. a TOML file: `kaname --config kaname.toml`, or `KANAME_CONFIG=kaname.toml`,
3. the environment: `KANAME_MEDIA_PORT=9000`,
4. flags: `kaname --media-port 9000`.

In the environment and in flags a list is divided by commas. A name that does not exist is an error that names the file, the line and the nearest name that
does; a value out of range names the range. `kaname doctor --config kaname.toml` checks a file and the machine without starting a node.

A production node in one file:

```toml
mode = \"production\"

[https]
listen = [\"0.0.0.0:443\", \"[::]:443\"]
certificate_file = \"/etc/kaname/certificate.pem\"
key_file = \"/etc/kaname/key.pem\"

[auth]
secret_file = \"/etc/kaname/token.key\"

[media]
port = 7801
```

The page on telephony (docs/telephony.md) has one for a node behind a SIP proxy.
";
