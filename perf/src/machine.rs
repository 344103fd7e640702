//! What the figures were measured on.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use serde_json::{Value, json};

/// Processor, compiler and libraries of a record.
#[derive(Clone, Debug)]
pub struct Machine {
    /// As the processor names itself, with family and model (hypervisors hide names).
    pub cpu: String,
    /// `rustc --version`
    pub rustc: String,
    /// `uname -r`
    pub kernel: String,
}

impl Machine {
    /// Asks the machine.
    pub fn here() -> Machine {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|l| l.split(':').next().is_some_and(|k| k.trim() == name));
            line.and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
        };
        let cpu =
            format!("{} (family {} model {})", field("model name"), field("cpu family"), field("model"));
        Machine { cpu, rustc: output("rustc", "--version"), kernel: output("uname", "-r") }
    }

    /// Keeps lines in `record/<cpu>/<date>-<table>.jsonl`, behind one that names the machine and what `more` holds.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn record(
        &self,
        table: &str,
        more: Value,
        lines: impl IntoIterator<Item = Value>,
    ) -> std::io::Result<()> {
        let folder = format!("{}/record/{}", env!("CARGO_MANIFEST_DIR"), self.slug());
        fs::create_dir_all(&folder)?;
        let day = output("date", "+%F");
        let mut head = json!({ "cpu": self.cpu, "rustc": self.rustc, "kernel": self.kernel, "date": day });
        if let (Some(head), Value::Object(more)) = (head.as_object_mut(), more) {
            head.extend(more);
        }
        let mut file = fs::File::create(format!("{folder}/{day}-{table}.jsonl"))?;
        std::iter::once(head).chain(lines).try_for_each(|line| writeln!(file, "{line}"))
    }

    /// The name of the record's folder: lower case, no spaces.
    pub fn slug(&self) -> String {
        let mapped: String = self
            .cpu
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        mapped.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }
}

fn output(program: &str, argument: &str) -> String {
    let run = Command::new(program).arg(argument).output();
    run.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
