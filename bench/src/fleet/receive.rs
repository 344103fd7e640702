//! One stream as a light client receives it: what came, what is to be asked for again, and what a report says of it.

use kaname_wire::rtcp::ReportBlock;
use kaname_wire::sequence::{SequenceUnwrapper, distance};

use super::limits::{MISSING, NACK_RETRY_NS, NACKS};
use super::sdp::Kind;
use super::tally::Tally;

/// One SSRC that a client receives, with its repairs.
pub(super) struct Receive {
    pub(super) kind: Kind,
    /// `None` until the first packet, where the caller was not told.
    pub(super) ssrc: Option<u32>,
    pub(super) rtx: Option<u32>,
    /// Stream of the run that comes here, once known.
    pub(super) stream: Option<u32>,
    pub(super) tally: Tally,
    sequence: SequenceUnwrapper,
    first: Option<u64>,
    /// Packets that came, copies included: what a report calls received.
    packets: u64,
    reported: (u64, u64),
    missing: Vec<Missing>,
    last_report: Option<(u32, u64)>,
    want_key_frame: bool,
}

struct Missing {
    sequence: u16,
    asked: u8,
    due_ns: u64,
}

impl Receive {
    pub(super) fn new(kind: Kind, ssrc: Option<u32>, rtx: Option<u32>) -> Receive {
        Receive {
            kind,
            ssrc,
            rtx,
            stream: None,
            tally: Tally::default(),
            sequence: SequenceUnwrapper::new(),
            first: None,
            packets: 0,
            reported: (0, 0),
            missing: Vec::new(),
            last_report: None,
            want_key_frame: kind == Kind::Video,
        }
    }

    /// Notes a sequence number; `repair` for the original one of a repair.
    pub(super) fn came(&mut self, sequence: u16, repair: bool, now_ns: u64) {
        if let Some(at) = self.missing.iter().position(|m| m.sequence == sequence) {
            self.missing.swap_remove(at);
        }
        if repair {
            return;
        }
        self.packets += 1;
        let before = self.sequence.highest();
        let extended = self.sequence.extend(sequence);
        self.first.get_or_insert(extended);
        let Some(before) = before.filter(|before| self.kind == Kind::Video && extended > before + 1) else {
            return;
        };
        if extended - before > MISSING as u64 {
            self.missing.clear();
            self.want_key_frame = true;
            return;
        }
        let new = (before + 1..extended).map(|s| Missing { sequence: s as u16, asked: 0, due_ns: now_ns });
        self.missing.extend(new);
        if self.missing.len() > MISSING {
            self.missing.clear();
            self.want_key_frame = true;
        }
    }

    /// When a request is due, if anything is missing.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let key_frame = self.want_key_frame.then_some(0);
        self.missing.iter().map(|m| m.due_ns).chain(key_frame).min()
    }

    /// What to ask for now, in sending order. A packet that was asked for in vain is given up, and a key frame wanted.
    pub(super) fn wanted(&mut self, now_ns: u64) -> Vec<u16> {
        let before = self.missing.len();
        self.missing.retain(|m| m.asked < NACKS || m.due_ns > now_ns);
        self.want_key_frame |= self.missing.len() < before;
        let mut wanted = Vec::new();
        for missing in self.missing.iter_mut().filter(|m| m.due_ns <= now_ns) {
            missing.asked += 1;
            missing.due_ns = now_ns + NACK_RETRY_NS;
            wanted.push(missing.sequence);
        }
        wanted.sort_by(|a, b| distance(*a, *b).cmp(&0));
        wanted
    }

    /// Whether a key frame is to be asked for; asked once.
    pub(super) fn take_key_frame_wish(&mut self) -> bool {
        std::mem::take(&mut self.want_key_frame)
    }

    /// A sender report came: middle of its NTP time.
    pub(super) fn sender_report(&mut self, middle: u32, now_ns: u64) {
        self.last_report = Some((middle, now_ns));
    }

    /// A report block (RFC 3550 section 6.4.1) since the previous one.
    pub(super) fn report(&mut self, now_ns: u64) -> Option<ReportBlock> {
        let (highest, first) = (self.sequence.highest()?, self.first?);
        let expected = highest + 1 - first.min(highest);
        let (expected_before, packets_before) = self.reported;
        self.reported = (expected, self.packets);
        let expected_now = expected - expected_before;
        let lost_now = expected_now.saturating_sub(self.packets - packets_before);
        let (last_sr, at_ns) = self.last_report.unwrap_or((0, now_ns));
        let clock = if self.kind == Kind::Audio { 48_000.0 } else { 90_000.0 };
        Some(ReportBlock {
            ssrc: self.ssrc?,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            cumulative_lost: (expected as i64 - self.packets as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            // The unwrapper begins in the second cycle.
            highest_sequence: (highest - 65_536) as u32,
            jitter: (self.tally.jitter_ns() * clock / 1e9) as u32,
            last_sr,
            delay_since_last_sr: if last_sr == 0 {
                0
            } else {
                ((now_ns - at_ns) * 65_536 / 1_000_000_000) as u32
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for_until_it_comes_or_is_given_up() {
        let mut receive = Receive::new(Kind::Video, Some(1), Some(2));
        assert!(receive.take_key_frame_wish() && !receive.take_key_frame_wish());
        receive.came(65_534, false, 0);
        receive.came(2, false, 10);
        assert_eq!(receive.wanted(10), [65_535, 0, 1]);
        assert!(receive.wanted(10).is_empty(), "not twice at once");
        receive.came(0, true, 20);
        assert_eq!(receive.wanted(10 + NACK_RETRY_NS), [65_535, 1]);
        for round in 2..=u64::from(NACKS) {
            receive.wanted(10 + round * NACK_RETRY_NS);
        }
        assert!(receive.due_ns() == Some(0) && receive.take_key_frame_wish());
        assert_eq!(receive.due_ns(), None);
        let report = receive.report(0).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (3, (3 * 256 / 5) as u8));
    }

    #[test]
    fn sound_is_never_asked_for_again() {
        let mut receive = Receive::new(Kind::Audio, Some(1), None);
        receive.came(1, false, 0);
        receive.came(9, false, 0);
        assert_eq!(receive.due_ns(), None);
    }
}
