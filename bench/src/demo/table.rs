//! The live table on a terminal, or plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use super::Progress;

/// Rows the table takes on a terminal, so that it can be drawn over.
const ROWS: usize = 5;
/// Without a terminal only every n-th look is written: a log wants about one line a second.
const PLAIN_EVERY: u32 = 4;

/// Draws [`Progress`] on a writer.
pub struct Table<W> {
    out: W,
    redraw: bool,
    looks: u32,
}

impl Table<io::Stderr> {
    /// A table on stderr: drawn over itself when that is a terminal, one line a second otherwise.
    pub fn stderr() -> Self {
        let out = io::stderr();
        let redraw = out.is_terminal();
        Table { out, redraw, looks: 0 }
    }
}

impl<W: Write> Table<W> {
    /// A table on any writer; `redraw` moves the cursor up before each look but the first.
    pub fn new(out: W, redraw: bool) -> Self {
        Table { out, redraw, looks: 0 }
    }

    /// Shows one look. A writer that fails is ignored: the verdict does not depend on the table.
    pub fn show(&mut self, p: &Progress) {
        let text = if self.redraw {
            self.drawn(p)
        } else if self.looks.is_multiple_of(PLAIN_EVERY) {
            plain(p)
        } else {
            String::new()
        };
        self.looks += 1;
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn drawn(&self, p: &Progress) -> String {
        let up = if self.looks == 0 { String::new() } else { format!("\x1b[{ROWS}A") };
        let rows: [String; ROWS] = [
            format!("{:<12} {:>5.1} / {} s", p.phase, p.seconds.0, p.seconds.1),
            format!("{:<12} {:>9} of {}", "connected", p.connected.0, p.connected.1),
            format!("{:<12} {:>9} sent {:>9} received {:>7} due", "packets", p.sent, p.received, p.missing),
            format!("{:<12} {:>9} decoded", "pictures", p.decoded_frames),
            format!(
                "{:<12} {:>9} p50 {:>9} p99 {:>9} p99.9 us",
                "delay", p.delay_us.p50, p.delay_us.p99, p.delay_us.p999
            ),
        ];
        let mut text = up;
        for row in rows {
            text.push_str("\x1b[2K");
            text.push_str(&row);
            text.push('\n');
        }
        text
    }
}

fn plain(p: &Progress) -> String {
    format!(
        "{} {:.1}/{} s, {}/{} connected, {} sent, {} received, {} due, {} pictures, p50 {} p99 {} us\n",
        p.phase,
        p.seconds.0,
        p.seconds.1,
        p.connected.0,
        p.connected.1,
        p.sent,
        p.received,
        p.missing,
        p.decoded_frames,
        p.delay_us.p50,
        p.delay_us.p99
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_drawn_over_and_a_log_gets_lines() {
        let mut terminal = Table::new(Vec::new(), true);
        terminal.show(&Progress { phase: "sending", ..Progress::default() });
        assert!(!String::from_utf8_lossy(&terminal.out).contains("\x1b[5A"));
        terminal.show(&Progress { phase: "sending", ..Progress::default() });
        let drawn = String::from_utf8_lossy(&terminal.out).into_owned();
        assert!(drawn.contains("\x1b[5A"));
        assert_eq!(drawn.matches('\n').count(), 2 * ROWS);

        let mut log = Table::new(Vec::new(), false);
        for _ in 0..5 {
            log.show(&Progress { phase: "sending", ..Progress::default() });
        }
        let lines = String::from_utf8_lossy(&log.out).into_owned();
        assert_eq!(lines.lines().count(), 2);
        assert!(!lines.contains('\x1b'));
    }
}
