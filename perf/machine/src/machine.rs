//! What the figures were measured on.

use std::process::Command;

/// Processor, compiler and libraries of a record.
#[derive(Clone, Debug, Default)]
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
