//! The rules, each with the tree that shows that it can fail.

use super::Tree;
use super::code::{bare, lines_with, tests_begin};

/// A rule of the house.
pub struct Rule {
    /// What it asks for.
    pub name: &'static str,
    /// What breaks it, one line a breach.
    pub check: fn(&Tree) -> Vec<String>,
}

/// All of them.
pub const RULES: [Rule; 11] = [
    Rule { name: "crates depend downwards only", check: layering },
    Rule { name: "unsafe stands only where the design says", check: unsafe_places },
    Rule { name: "no file grows beyond 800 lines", check: file_size },
    Rule { name: "every file is text", check: only_text },
    Rule { name: "the core has no clock, socket, thread or lock", check: pure_core },
    Rule { name: "tests do not sleep", check: no_sleeping_tests },
    Rule { name: "no registry hosts and no machine paths", check: no_foreign_names },
    Rule { name: "every crate inherits the workspace's lints", check: inherited_lints },
    Rule { name: "every crate says what it is", check: crate_docs },
    Rule { name: "every exception from a lint has a reason", check: reasoned_exceptions },
    Rule { name: "every ban of clippy.toml has a reason", check: reasoned_bans },
];

/// Hard limit of a file; 600 are wanted.
const FILE_LINES_MAX: usize = 800;
/// Which of our crates a crate may use. A crate that is not here may use none: a new room needs a new line.
const ARROWS: [(&str, &[&str]); 14] = [
    ("kaname-wire", &[]),
    ("kaname-srtp", &["kaname-wire"]),
    ("kaname-srtp-capi", &["kaname-srtp"]),
    ("kaname-fuzz", &["kaname-srtp", "kaname-srtp-capi"]),
    ("kaname-fuzz-ng", &["kaname-sfu"]),
    ("kaname-io", &["kaname-wire"]),
    ("kaname-media", &["kaname-wire"]),
    ("kaname-core", &["kaname-wire", "kaname-srtp"]),
    ("kaname-engine", &["kaname-wire", "kaname-srtp", "kaname-core", "kaname-io", "kaname-media"]),
    ("kaname-sfu", &["kaname-engine", "kaname-bench"]),
    (
        "kaname-bench",
        &["kaname-wire", "kaname-srtp", "kaname-media", "kaname-io", "kaname-engine", "kaname-machine"],
    ),
    ("kaname-machine", &[]),
    (
        "kaname-perf",
        &[
            "kaname-wire",
            "kaname-srtp",
            "kaname-media",
            "kaname-io",
            "kaname-core",
            "kaname-engine",
            "kaname-machine",
        ],
    ),
    (
        "kaname-tests",
        &[
            "kaname-wire",
            "kaname-srtp",
            "kaname-core",
            "kaname-io",
            "kaname-engine",
            "kaname-bench",
            "kaname-sfu",
        ],
    ),
];
/// Where `unsafe` may stand: kernels and CPU detection, the C interface, packet io, what measures against C, the
/// tests of the kernels (guard pages, a C library as the oracle, fuzzing the C interface), and the one allocator that counts,
/// which is unsafe by its trait and exists in tests only.
const UNSAFE_PLACES: [&str; 12] = [
    "engine/srtp/src/kernel/",
    "engine/srtp/src/cpu/",
    "engine/srtp/src/cpu.rs",
    "engine/srtp/capi/",
    "engine/srtp/src/tests/",
    "engine/srtp/tests/",
    "engine/media/src/kernel.rs",
    "engine/media/src/kernel/",
    "engine/io/",
    "engine/tests/allocator/",
    "fuzz/",
    "perf/",
];

fn layering(tree: &Tree) -> Vec<String> {
    let mut breaches = Vec::new();
    for (folder, manifest) in tree.crates() {
        let name = manifest["package"].get("name").and_then(|n| n.as_str()).unwrap_or_default();
        let allowed = ARROWS.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, a)| a);
        for used in own_dependencies(&manifest) {
            if !allowed.contains(&used.as_str()) && used != name {
                breaches.push(format!("{folder}Cargo.toml: {name} must not use {used}"));
            }
        }
    }
    breaches
}

/// Our crates that a manifest names in any of its dependency tables.
fn own_dependencies(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        let Some(value) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            names.extend(value.iter().filter_map(|(name, detail)| {
                let package = detail.get("package").and_then(|p| p.as_str()).unwrap_or(name);
                package.starts_with("kaname-").then(|| package.to_owned())
            }));
        } else if key == "target" || key.starts_with("cfg(") {
            names.extend(own_dependencies(value));
        }
    }
    names
}

fn unsafe_places(tree: &Tree) -> Vec<String> {
    let is_place = |path: &str| UNSAFE_PLACES.iter().any(|place| path.starts_with(place));
    tree.rust()
        .filter(|(path, _)| !is_place(path))
        .flat_map(|(path, text)| places(path, text, "unsafe"))
        .collect()
}

fn file_size(tree: &Tree) -> Vec<String> {
    let written =
        |path: &str| [".rs", ".js", ".css", ".html", ".md", ".sh", ".toml"].iter().any(|e| path.ends_with(e));
    tree.iter()
        .filter(|(path, text)| written(path) && text.lines().count() > FILE_LINES_MAX)
        .map(|(path, text)| format!("{path}: {} lines", text.lines().count()))
        .collect()
}

/// What is fetched or built stays out of the repository, however it got into the folder.
fn only_text(tree: &Tree) -> Vec<String> {
    tree.others.iter().map(|path| format!("{path}: not text")).collect()
}

fn pure_core(tree: &Tree) -> Vec<String> {
    const BANNED: [&str; 14] = [
        "Instant",
        "SystemTime",
        "UdpSocket",
        "TcpStream",
        "TcpListener",
        "std::thread",
        "std::fs",
        "Mutex",
        "RwLock",
        "Condvar",
        "mpsc",
        "tokio",
        "println",
        "getrandom",
    ];
    tree.rust()
        .filter(|(path, _)| path.starts_with("engine/core/src/"))
        .flat_map(|(path, text)| BANNED.iter().flat_map(move |word| places(path, text, word)))
        .collect()
}

fn no_sleeping_tests(tree: &Tree) -> Vec<String> {
    tree.rust()
        .flat_map(|(path, text)| {
            let whole = path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
            let code = bare(text);
            let begin = if whole { Some(0) } else { tests_begin(&code) };
            lines_with(&code, "sleep")
                .into_iter()
                .filter(|line| begin.is_some_and(|begin| *line >= begin) && !on_paused_clock(&code, *line))
                .collect::<Vec<_>>()
                .into_iter()
                .map(move |line| format!("{path}:{line}: sleep"))
        })
        .collect()
}

/// Whether the test around a line runs on a clock that stands still and jumps: its sleeps cost no time and wait for
/// nothing by luck.
fn on_paused_clock(code: &str, line: usize) -> bool {
    let above: Vec<&str> = code.lines().take(line).collect();
    let attribute = above.iter().rev().find(|l| l.trim_start().starts_with("#[") && l.contains("test"));
    attribute.is_some_and(|l| l.contains("start_paused = true"))
}

fn no_foreign_names(tree: &Tree) -> Vec<String> {
    // Put together from pieces, or this file would be the first to break the rule.
    let names: Vec<String> = [
        ("crates", ".io"),
        ("pypi", ".org"),
        ("npmjs", ".com"),
        ("registry", ".npmjs"),
        ("files.python", "hosted"),
        ("proxy.go", "lang"),
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
    ]
    .iter()
    .map(|(a, b)| format!("{a}{b}"))
    .collect();
    tree.iter()
        .filter(|(path, _)| !path.ends_with("Cargo.lock"))
        .flat_map(|(path, text)| {
            let names = &names;
            text.lines().enumerate().flat_map(move |(index, line)| {
                names
                    .iter()
                    .filter(move |n| line.contains(n.as_str()))
                    .map(move |n| format!("{path}:{}: {n}", index + 1))
            })
        })
        .collect()
}

fn inherited_lints(tree: &Tree) -> Vec<String> {
    tree.crates()
        .filter(|(_, manifest)| {
            manifest.get("lints").and_then(|l| l.get("workspace")).and_then(|w| w.as_bool()) != Some(true)
        })
        .map(|(folder, _)| format!("{folder}Cargo.toml: no `[lints] workspace = true`"))
        .collect()
}

fn crate_docs(tree: &Tree) -> Vec<String> {
    let documented = |path: String| tree.get(&path).map(|text| text.starts_with("//!"));
    tree.crates()
        .filter_map(|(folder, manifest)| {
            let described = manifest["package"].get("description").is_some();
            let docs = documented(format!("{folder}src/lib.rs"))
                .or_else(|| documented(format!("{folder}src/main.rs")));
            match (described, docs) {
                (true, Some(true)) => None,
                (false, _) => Some(format!("{folder}Cargo.toml: no description")),
                (true, _) => Some(format!("{folder}src: its root file does not begin with `//!`")),
            }
        })
        .collect()
}

fn reasoned_exceptions(tree: &Tree) -> Vec<String> {
    tree.rust()
        .flat_map(|(path, text)| {
            let code = bare(text);
            let starts: Vec<usize> = ["[allow(", "[expect("]
                .iter()
                .flat_map(|open| {
                    code.match_indices(open).map(|(at, open)| at + open.len()).collect::<Vec<_>>()
                })
                .collect();
            starts
                .into_iter()
                .filter(|&at| !code[at..].split(']').next().is_some_and(|inside| inside.contains("reason")))
                .map(|at| format!("{path}:{}: an exception without a reason", code[..at].lines().count()))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn reasoned_bans(tree: &Tree) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with("clippy.toml")) {
        let Ok(table) = text.parse::<toml::Table>() else {
            breaches.push(format!("{path}: not TOML"));
            continue;
        };
        for (key, value) in table.iter().filter(|(key, _)| key.starts_with("disallowed-")) {
            let bans = value.as_array().map_or(&[][..], Vec::as_slice);
            for ban in bans.iter().filter(|ban| ban.get("reason").is_none()) {
                breaches.push(format!("{path}: {key}: {ban} has no reason"));
            }
        }
    }
    breaches
}

fn places(path: &str, text: &str, word: &str) -> Vec<String> {
    lines_with(&bare(text), word).into_iter().map(|line| format!("{path}:{line}: {word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"kaname-core\"\ndescription = \"x\"\n[lints]\nworkspace = true\n\
                            [dependencies]\nkaname-wire.workspace = true\n";

    /// A house of two files that keeps every rule.
    fn good() -> Tree {
        Tree::of(&[
            ("engine/core/Cargo.toml", MANIFEST),
            ("engine/core/src/lib.rs", "//! Docs with unsafe and Instant in them.\npub fn f() {}\n"),
            ("engine/io/src/lib.rs", "unsafe {}\n"),
            ("clippy.toml", "disallowed-methods = [{ path = \"a\", reason = \"b\" }]\n"),
        ])
    }

    /// Asserts that exactly this rule notices the tree.
    fn breaks(rule: &str, tree: &Tree) {
        for other in RULES {
            let breaches = (other.check)(tree);
            assert_eq!(!breaches.is_empty(), other.name == rule, "{}: {breaches:?}", other.name);
        }
    }

    #[test]
    fn a_good_house_keeps_every_rule() {
        for rule in RULES {
            assert_eq!((rule.check)(&good()), Vec::<String>::new(), "{}", rule.name);
        }
    }

    #[test]
    fn an_arrow_upwards_is_seen_in_every_table() {
        for table in
            ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"]
        {
            let manifest = format!("{MANIFEST}[{table}]\n")
                .replace("[dependencies]\nkaname-wire.workspace = true\n[dependencies]", "[dependencies]");
            let bad =
                good().with("engine/core/Cargo.toml", &format!("{manifest}kaname-io.workspace = true\n"));
            breaks("crates depend downwards only", &bad);
            let renamed = format!("{manifest}io = {{ package = \"kaname-io\", path = \"../io\" }}\n");
            breaks("crates depend downwards only", &good().with("engine/core/Cargo.toml", &renamed));
        }
    }

    #[test]
    fn unsafe_elsewhere_is_seen() {
        let rule = "unsafe stands only where the design says";
        breaks(rule, &good().with("sfu/src/x.rs", "fn f() { unsafe { g() } }\n"));
        breaks(rule, &good().with("engine/srtp/src/session.rs", "unsafe impl Send for X {}\n"));
    }

    #[test]
    fn a_long_file_is_seen() {
        breaks("no file grows beyond 800 lines", &good().with("sfu/src/x.rs", &"x\n".repeat(801)));
        assert!(file_size(&good().with("sfu/src/x.rs", &"x\n".repeat(800))).is_empty());
    }

    #[test]
    fn a_file_that_is_not_text_is_seen() {
        breaks("every file is text", &Tree { others: vec!["some.whl".into()], ..good() });
    }

    #[test]
    fn a_clock_in_the_core_is_seen() {
        let rule = "the core has no clock, socket, thread or lock";
        for code in ["std::time::Instant::now()", "let s: UdpSocket;", "std::thread::spawn(f)", "Mutex<u8>"] {
            breaks(rule, &good().with("engine/core/src/x.rs", code));
            assert!(pure_core(&good().with("engine/io/src/x.rs", code)).is_empty());
        }
    }

    #[test]
    fn a_sleeping_test_is_seen() {
        let rule = "tests do not sleep";
        let call = "std::thread::sleep(d);\n";
        breaks(rule, &good().with("tests/tests/x.rs", call));
        breaks(
            rule,
            &good().with("sfu/src/x.rs", &format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{ {call} }}\n")),
        );
        assert!(no_sleeping_tests(&good().with("sfu/src/x.rs", call)).is_empty());
        let paused = format!("#[tokio::test(start_paused = true)]\nasync fn a() {{ {call} }}\n");
        assert!(no_sleeping_tests(&good().with("tests/tests/x.rs", &paused)).is_empty());
        breaks(rule, &good().with("tests/tests/x.rs", &format!("{paused}#[test]\nfn b() {{ {call} }}\n")));
    }

    #[test]
    fn hosts_and_paths_are_seen() {
        let rule = "no registry hosts and no machine paths";
        let host = format!("see {}{}", "crates", ".io");
        breaks(rule, &good().with("README.md", &host));
        breaks(rule, &good().with("sfu/src/x.rs", &format!("// {}{}x\n", "/ro", "ot/")));
        assert!(no_foreign_names(&good().with("Cargo.lock", &host)).is_empty());
    }

    #[test]
    fn lints_docs_and_reasons_are_asked_for() {
        let bare_manifest = MANIFEST.replace("[lints]\nworkspace = true\n", "");
        breaks(
            "every crate inherits the workspace's lints",
            &good().with("engine/core/Cargo.toml", &bare_manifest),
        );
        breaks("every crate says what it is", &good().with("engine/core/src/lib.rs", "pub fn f() {}\n"));
        let undescribed = MANIFEST.replace("description = \"x\"\n", "");
        breaks("every crate says what it is", &good().with("engine/core/Cargo.toml", &undescribed));
        let rule = "every exception from a lint has a reason";
        breaks(rule, &good().with("sfu/src/x.rs", "#[allow(dead_code)]\nfn f() {}\n"));
        assert!(
            reasoned_exceptions(&good().with("sfu/src/x.rs", "#![allow(a, reason = \"b\")]\n")).is_empty()
        );
        let ban = "disallowed-types = [{ path = \"a\" }]\n";
        breaks("every ban of clippy.toml has a reason", &good().with("engine/clippy.toml", ban));
    }
}
