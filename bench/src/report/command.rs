//! `kaname-bench report`: pages from what runs and comparisons wrote.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kaname_machine::Machine;
use serde_json::Value;

use super::{Input, page};

/// Makes a page with plots from JSON that `run`, `compare` and `calls` wrote.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// JSON files: rows of a comparison or of calls (one object a line), outcomes of runs, long runs of calls, a capacity.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The page.
    #[arg(long, short, value_name = "FILE.html")]
    output: PathBuf,
    /// Its heading.
    #[arg(long, default_value = "Kaname, measured")]
    title: String,
}

/// Writes the page.
pub fn run(options: &Options) -> ExitCode {
    match write(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "kaname-bench report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(options: &Options) -> Result<(), String> {
    let mut input = Input { title: options.title.clone(), machine: Machine::here(), ..Input::default() };
    for file in &options.files {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        add(&mut input, &text).map_err(|why| format!("{}: {why}", file.display()))?;
    }
    if input.date.is_empty() {
        input.date = kaname_machine::today();
    }
    let output = &options.output;
    fs::write(output, page(&input)).map_err(|error| format!("{}: {error}", output.display()))
}

/// Takes each JSON value of a file for what its fields say it is.
pub(super) fn add(input: &mut Input, text: &str) -> Result<(), String> {
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| error.to_string())?;
        let has = |field: &str| value.get(field).is_some();
        let failed = |error: serde_json::Error| error.to_string();
        if has("case") && has("cpu_us_rounds") {
            input.calls.push(serde_json::from_value(value).map_err(failed)?);
        } else if has("minutes") {
            input.long_calls.push(serde_json::from_value(value).map_err(failed)?);
        } else if has("cpu_us_rounds") {
            input.rows.push(serde_json::from_value(value).map_err(failed)?);
        } else if has("steps") && !has("case") {
            input.capacity = Some(serde_json::from_value(value).map_err(failed)?);
        } else if has("samples") {
            input.runs.push(serde_json::from_value(value).map_err(failed)?);
        } else if has("kernel") {
            let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            input.machine = Machine { cpu: text("cpu"), rustc: text("rustc"), kernel: text("kernel") };
            input.date = text("date");
        } else {
            return Err("neither a row of a comparison or of calls nor the outcome of a run".into());
        }
    }
    Ok(())
}
