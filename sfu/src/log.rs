//! Logging: to standard error, as text for people or JSON for machines.
//!
//! What strangers send reaches the log only escaped: the JSON format escapes by itself, and the text format's writer turns every control
//! character inside a line into its escape, whichever call site let it through. Tokens and keys are never given to a log call.

use std::io::{self, Write};

use tracing_subscriber::filter::LevelFilter;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(settings: &Log) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(level > LevelFilter::INFO);
    // An error means that logging already runs, which is what we want.
    let _already_running = match settings.format {
        LogFormat::Text => builder.with_ansi(false).with_writer(|| EscapingWriter(io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_writer(io::stderr).try_init(),
    };
}

/// Escapes control characters, so that one event stays one line and no terminal obeys it. The formatter writes one event a call.
struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        if line.chars().any(is_unsafe) {
            let escaped: String = line.chars().flat_map(escape).collect();
            self.0.write_all(escaped.as_bytes())?;
            self.0.write_all(end.as_bytes())?;
        } else {
            self.0.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, and those that turn the reading direction or divide lines in Unicode.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(character: char) -> Vec<char> {
    if is_unsafe(character) { character.escape_default().collect() } else { vec![character] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_one_line() {
        let mut out = Vec::new();
        EscapingWriter(&mut out)
            .write_all("INFO joined name=\"a\nERROR forged\r\x1b[31m\u{202e}é\"\n".as_bytes())
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "INFO joined name=\"a\\nERROR forged\\r\\u{1b}[31m\\u{202e}é\"\n");
    }
}
