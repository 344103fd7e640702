//! What the demo says while it runs and when it is over.

use serde::Serialize;

/// Forwarding delay of RTP packets in microseconds: from the moment a publisher handed the datagram to the kernel to the
/// moment the kernel received the forwarded one, on the same host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DelayUs {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
}

/// A look at a running demo.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is being done now, in a few words.
    pub phase: &'static str,
    /// Seconds of media sent so far, and to be sent.
    pub seconds: (f32, u32),
    /// Clients connected, and to be connected.
    pub connected: (u32, u32),
    /// RTP packets that publishers sent, over all publishers.
    pub sent: u64,
    /// RTP packets that subscribers received, over all subscribers.
    pub received: u64,
    /// Packets due so far that have not come (may still be on their way).
    pub missing: u64,
    /// Pictures decoded, over all subscribers.
    pub decoded_frames: u64,
    /// Delay so far.
    pub delay_us: DelayUs,
}

/// The verdict of a demo.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DemoReport {
    /// Peers that took part.
    pub peers: u32,
    /// RTP packets due: each packet a publisher sent counts once for each subscriber.
    pub sent: u64,
    /// RTP packets that came, each once.
    pub received: u64,
    /// Packets due that never came, after repair.
    pub lost: u64,
    /// Pictures decoded that carried the frame number sent, over all subscribers.
    pub decoded_frames: u64,
    /// The fewest such pictures that any subscriber decoded of any publisher.
    pub decoded_frames_min: u64,
    /// Pictures that decoded to something else than was sent, or not at all.
    pub wrong_frames: u64,
    /// The fewest stretches of 20 ms of sound with the sent tone that any subscriber decoded of any publisher.
    pub decoded_sound_min: u64,
    /// Forwarding delay.
    pub forward_delay_us: DelayUs,
    /// CPU time of the node a forwarded packet, user and system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us_per_packet: Option<f64>,
    /// The node's SRTP backend.
    pub srtp_backend: String,
    /// The node's io backend.
    pub io_backend: String,
}

impl DemoReport {
    /// Whether everything that was sent came and could be decoded.
    pub fn ok(&self) -> bool {
        self.sent > 0
            && self.lost == 0
            && self.wrong_frames == 0
            && self.decoded_frames_min > 0
            && self.decoded_sound_min > 0
    }

    /// The report as the one line a person reads.
    pub fn line(&self) -> String {
        let cpu = self.cpu_us_per_packet.map_or_else(|| "-".to_owned(), |us| format!("{us:.2}"));
        format!(
            "{}: {} peers, {} of {} packets, {} lost, {} pictures decoded (at least {} each), \
             delay p50/p99/p99.9 {}/{}/{} us, node CPU {cpu} us a packet, srtp {}, io {}",
            if self.ok() { "ok" } else { "FAILED" },
            self.peers,
            self.received,
            self.sent,
            self.lost,
            self.decoded_frames,
            self.decoded_frames_min,
            self.forward_delay_us.p50,
            self.forward_delay_us.p99,
            self.forward_delay_us.p999,
            self.srtp_backend,
            self.io_backend,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> DemoReport {
        DemoReport {
            peers: 3,
            sent: 10,
            received: 10,
            decoded_frames: 4,
            decoded_frames_min: 2,
            decoded_sound_min: 2,
            ..DemoReport::default()
        }
    }

    #[test]
    fn only_a_whole_call_is_ok() {
        assert!(good().ok());
        assert!(!DemoReport { lost: 1, ..good() }.ok());
        assert!(!DemoReport { decoded_frames_min: 0, ..good() }.ok());
        assert!(!DemoReport { decoded_sound_min: 0, ..good() }.ok());
        assert!(!DemoReport { wrong_frames: 1, ..good() }.ok());
        assert!(!DemoReport { sent: 0, received: 0, ..good() }.ok());
    }

    #[test]
    fn json_has_the_published_names() {
        let json = serde_json::to_value(good()).unwrap();
        for name in ["peers", "sent", "received", "lost", "decoded_frames", "srtp_backend", "io_backend"] {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert!(json["forward_delay_us"]["p999"].is_u64());
    }
}
