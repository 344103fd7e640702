//! A call day from a file: who came when, into which room, and who left.

use std::collections::HashMap;

use serde::Deserialize;

use super::conductor::{Conductor, Joiner};
use super::limits::{MAX_CLIENTS, MAX_SECONDS, MAX_TRACE_BYTES};
use super::{FleetError, Observer};
use crate::stamp::clock_ns;

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Seconds since the beginning.
    at: f64,
    event: Event,
    /// Any name; a room is what has the same.
    room: String,
    /// Any name, unique among those present.
    peer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    /// Comes and sends.
    Publish,
    /// Comes and receives who sends in the room then.
    Subscribe,
    /// Goes.
    Leave,
}

/// Reads a trace: JSON lines if the first line is an object, else CSV with a header.
fn parse(text: &str) -> Result<Vec<Line>, FleetError> {
    let bad =
        |line: usize, why: String| FleetError::Scenario(format!("line {} of the trace: {why}", line + 1));
    let json = text.trim_start().starts_with('{');
    let mut lines = Vec::new();
    let mut columns: Vec<&str> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if json {
            lines.push(serde_json::from_str(line).map_err(|e| bad(number, e.to_string()))?);
        } else if columns.is_empty() {
            columns = line.split(',').map(str::trim).collect();
        } else {
            lines.push(csv(&columns, line).map_err(|why| bad(number, why))?);
        }
    }
    let ordered = lines.is_sorted_by(|a: &Line, b| a.at <= b.at);
    let sane = lines.iter().all(|l| (0.0..=f64::from(MAX_SECONDS)).contains(&l.at));
    match (lines.len(), ordered && sane) {
        (0, _) => Err(FleetError::Scenario("the trace has no line".into())),
        (_, false) => {
            Err(FleetError::Scenario(format!("times must rise from 0 to at most {MAX_SECONDS} seconds")))
        }
        (many, _) if many > 10 * MAX_CLIENTS as usize => {
            Err(FleetError::Scenario(format!("{many} lines are more than the {} allowed", 10 * MAX_CLIENTS)))
        }
        _ => Ok(lines),
    }
}

fn csv(columns: &[&str], line: &str) -> Result<Line, String> {
    let values: HashMap<&str, &str> = columns.iter().copied().zip(line.split(',').map(str::trim)).collect();
    let value = |name: &str| values.get(name).copied().ok_or(format!("the column `{name}` is missing"));
    let event = match value("event")? {
        "publish" => Event::Publish,
        "subscribe" => Event::Subscribe,
        "leave" => Event::Leave,
        other => return Err(format!("`{other}` is none of publish, subscribe and leave")),
    };
    let at = value("at")?.parse().map_err(|_| format!("`{}` is no number of seconds", values["at"]))?;
    Ok(Line { at, event, room: value("room")?.to_owned(), peer: value("peer")?.to_owned() })
}

/// Who is there.
#[derive(Default)]
struct Present {
    rooms: HashMap<String, u32>,
    /// Publishers a room.
    publishers: HashMap<u32, u32>,
    /// Client, room, and whether it publishes.
    peers: HashMap<String, (u32, u32, bool)>,
}

/// Lets clients come and go as the file says, `speed` times as fast.
pub(super) fn play(
    conductor: &mut Conductor,
    path: &str,
    speed: u32,
    observer: &mut dyn Observer,
) -> Result<(), FleetError> {
    let lines = read(path)?;
    let begin_ns = clock_ns();
    let mut present = Present::default();
    for line in &lines {
        let at_ns = begin_ns + (line.at / f64::from(speed.max(1)) * 1e9) as u64;
        let now_ns = clock_ns();
        if at_ns > now_ns {
            conductor.pump(observer, at_ns - now_ns, |_| false)?;
        }
        if observer.stop() {
            return Ok(());
        }
        present.act(conductor, line)?;
    }
    Ok(())
}

pub(super) fn check(path: &str) -> Result<(), FleetError> {
    read(path).map(drop)
}

fn read(path: &str) -> Result<Vec<Line>, FleetError> {
    let size = std::fs::metadata(path).map_err(|e| FleetError::Scenario(format!("{path}: {e}")))?.len();
    if size > MAX_TRACE_BYTES {
        return Err(FleetError::Scenario(format!("{path} has more than {MAX_TRACE_BYTES} bytes")));
    }
    parse(&std::fs::read_to_string(path)?)
}

impl Present {
    fn act(&mut self, conductor: &mut Conductor, line: &Line) -> Result<(), FleetError> {
        let next = self.rooms.len() as u32;
        let room = *self.rooms.entry(line.room.clone()).or_insert(next);
        match line.event {
            Event::Leave => {
                if let Some((number, room, publishes)) = self.peers.remove(&line.peer) {
                    if publishes {
                        *self.publishers.entry(room).or_insert(1) -= 1;
                    }
                    conductor.leave_soon(number);
                }
            }
            Event::Publish => {
                let number = conductor.add_publisher(room)?;
                *self.publishers.entry(room).or_default() += 1;
                self.peers.insert(line.peer.clone(), (number, room, true));
                conductor.wait_to_join(Joiner::Publisher(number));
            }
            Event::Subscribe => {
                let heard = self.publishers.get(&room).copied().unwrap_or(0).clamp(1, 50);
                let number = conductor.add_subscriber(room, Some(heard))?;
                self.peers.insert(line.peer.clone(), (number, room, false));
                conductor.wait_to_join(Joiner::Subscriber(number));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let csv = "at,event,room,peer\n# morning\n0,publish,a,p1\n0.5,subscribe,a,s1\n\n9,leave,a,s1\n";
        let json = "{\"at\":0,\"event\":\"publish\",\"room\":\"a\",\"peer\":\"p1\"}\n\
                    {\"at\":0.5,\"event\":\"subscribe\",\"room\":\"a\",\"peer\":\"s1\"}\n\
                    {\"at\":9,\"event\":\"leave\",\"room\":\"a\",\"peer\":\"s1\"}\n";
        assert_eq!(parse(csv).unwrap(), parse(json).unwrap());
        assert_eq!(parse(csv).unwrap().len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |text: &str| parse(text).unwrap_err().to_string();
        assert!(why("").contains("no line"));
        assert!(why("at,event,room,peer\n1,dance,a,b\n").contains("line 2 of the trace: `dance`"));
        assert!(why("at,event,room\n1,leave,a\n").contains("`peer`"));
        assert!(why("at,event,room,peer\nx,leave,a,b\n").contains("`x` is no number"));
        assert!(why("at,event,room,peer\n2,leave,a,b\n1,leave,a,b\n").contains("times must rise"));
        assert!(why("{\"at\":1}\n").contains("line 1"));
    }
}
