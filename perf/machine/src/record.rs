//! Records: a folder a processor, a file a day and benchmark, one JSON object a line.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use crate::Machine;

/// Writes `<folder>/<processor>/<date>-<name>.jsonl`: first what was measured on and with (`head`), then the rows as
/// JSON. One file of that day and name takes the place of the last.
///
/// # Errors
/// When the file cannot be written.
pub fn record<Row: Display>(
    folder: &Path,
    machine: &Machine,
    name: &str,
    head: Map<String, Value>,
    rows: &[Row],
) -> io::Result<PathBuf> {
    let folder = folder.join(machine.slug());
    fs::create_dir_all(&folder)?;
    let day = today();
    let path = folder.join(format!("{day}-{name}.jsonl"));
    let mut file = fs::File::create(&path)?;
    let mut head = head;
    for (key, value) in
        [("cpu", &machine.cpu), ("rustc", &machine.rustc), ("kernel", &machine.kernel), ("date", &day)]
    {
        head.insert(key.into(), value.as_str().into());
    }
    writeln!(file, "{}", Value::Object(head))?;
    rows.iter().try_for_each(|row| writeln!(file, "{row}"))?;
    Ok(path)
}

/// The date as `2026-11-22`, by the machine's own clock and zone; empty if it does not say.
pub fn today() -> String {
    let day = Command::new("date").arg("+%F").output();
    day.map(|day| String::from_utf8_lossy(&day.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_what_it_was_measured_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let machine = Machine { cpu: "Fast CPU (family 1)".into(), rustc: "r".into(), kernel: "k".into() };
        let head = Map::from_iter([("backend".to_owned(), Value::from("x"))]);
        let path = record(folder.path(), &machine, "srtp", head, &["{\"a\":1}"]).expect("written");
        assert!(path.starts_with(folder.path().join("fast-cpu-family-1")));
        assert!(path.to_string_lossy().ends_with("-srtp.jsonl"));
        let text = fs::read_to_string(&path).expect("read");
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!((&lines[0]["cpu"], &lines[0]["backend"]), (&machine.cpu.into(), &"x".into()));
        assert_eq!(lines[1]["a"], 1);
    }
}
