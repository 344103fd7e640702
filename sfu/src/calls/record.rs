//! What is kept of a call that ended: a line of JSON.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use serde::Serialize;

use super::quality::Quality;

/// Lines that wait for the disk: a few seconds of what a busy node ends.
const LINES: usize = 8_192;

/// One call.
#[derive(Debug, Serialize)]
pub(super) struct CallRecord<'a> {
    pub(super) call_id: &'a str,
    /// Seconds since 1970.
    pub(super) began: u64,
    pub(super) answered: Option<u64>,
    pub(super) ended: u64,
    /// From the answer on.
    pub(super) seconds: u64,
    pub(super) reason: &'a str,
    /// The room that is one end of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<&'a str>,
    /// How often another PIN than the room's was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wrong_pins: Option<u32>,
    pub(super) parties: Vec<PartyRecord<'a>>,
}

/// One side of it.
#[derive(Debug, Serialize)]
pub(super) struct PartyRecord<'a> {
    pub(super) tag: &'a str,
    pub(super) label: Option<&'a str>,
    /// Keys that a worker heard it press: how many, never which.
    pub(super) keys: u64,
    /// What it said went to the receiver of sound, all of it or a part.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) forwarded: bool,
    pub(super) medias: Vec<MediaRecord<'a>>,
}

/// One m-line of it.
#[derive(Debug, Serialize)]
pub(super) struct MediaRecord<'a> {
    pub(super) kind: &'a str,
    pub(super) protocol: &'a str,
    pub(super) codec: &'a str,
    /// Where it was.
    pub(super) address: Option<String>,
    pub(super) packets_received: u64,
    pub(super) bytes_received: u64,
    pub(super) packets_sent: u64,
    pub(super) bytes_sent: u64,
    #[serde(flatten)]
    pub(super) quality: Quality,
}

/// Writes lines to a file, on a thread of its own: a slow disk never holds up a call.
#[derive(Debug)]
pub(super) struct Records {
    lines: Option<SyncSender<String>>,
    /// Lines that could not be kept.
    pub(super) lost: u64,
}

impl Records {
    /// To this file, or to the log alone.
    pub(super) fn open(path: Option<&Path>) -> Records {
        let lines = path.and_then(|path| match writer(path) {
            Ok(lines) => Some(lines),
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "call records cannot be written; mend calls.records_file");
                None
            }
        });
        Records { lines, lost: 0 }
    }

    /// Keeps a record.
    pub(super) fn keep(&mut self, record: &CallRecord<'_>) {
        // Plain fields of our own: this cannot fail.
        let Ok(line) = serde_json::to_string(record) else { return };
        tracing::info!(target: "kaname::calls", record = %line, "call ended");
        if let Some(lines) = &self.lines {
            match lines.try_send(line) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lost += 1,
            }
        }
    }
}

fn writer(path: &Path) -> std::io::Result<SyncSender<String>> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let (lines, waiting) = sync_channel::<String>(LINES);
    std::thread::Builder::new().name("kaname-records".into()).spawn(move || {
        for line in waiting {
            if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
                tracing::warn!(%error, "a call record could not be written");
            }
        }
    })?;
    Ok(lines)
}
