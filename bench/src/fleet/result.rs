//! From what was counted to an [`Outcome`].

use std::collections::HashMap;

use kaname_srtp::Profile;

use super::FleetError;
use super::conductor::Conductor;
use super::limits::{LATE_US, SATURATED};
use super::outcome::{Harness, Outcome, Packets};
use super::process::Look;
use super::scenario::Suite;
use super::target::Target;

impl Conductor {
    /// Counts of the light clients.
    pub(super) fn packets(&self) -> Packets {
        let mut packets = Packets::default();
        let streams = &self.wheel.streams;
        for number in &self.subscribers {
            for receive in &self.wheel.clients[*number as usize].receives {
                if let Some(stream) = receive.stream.and_then(|s| streams.get(s as usize)) {
                    packets.add(&receive.tally.counts(&stream.span, stream.sent));
                }
            }
        }
        packets.sent = streams.iter().map(|s| s.span.bounds(s.sent)).map(|(from, to)| to - from).sum();
        packets.foreign = self.wheel.figures.foreign;
        packets.duplicates += self.wheel.figures.replayed;
        packets
    }

    fn foreign_packets(&self) -> Packets {
        let sent: HashMap<u32, u64> = (0u32..).zip(self.wheel.streams.iter().map(|s| s.sent)).collect();
        self.shared.as_ref().map_or_else(Packets::default, |shared| {
            let packets = shared.packets(|stream| sent.get(&stream).copied().unwrap_or(0));
            // Which ones were repairs, that stack keeps to itself.
            Packets { repaired: 0, ..packets }
        })
    }

    /// Whether the handshakes agreed on what the scenario asks for.
    pub(super) fn check_suite(&self) -> Result<(), FleetError> {
        let got = self.wheel.figures.profile;
        let wanted = self.scenario.suite.map(|suite| match suite {
            Suite::Gcm128 => Profile::AeadAes128Gcm,
            Suite::Gcm256 => Profile::AeadAes256Gcm,
            Suite::Cm => Profile::Aes128CmSha1_80,
        });
        match (wanted, got) {
            (Some(wanted), Some(got)) if wanted != got => Err(FleetError::Target(format!(
                "{} is asked for, but the handshakes end in {}: light clients offer all profiles and leave the choice to the node",
                name(wanted),
                name(got)
            ))),
            _ => Ok(()),
        }
    }

    /// `before` and `after` are looks at the node and at this process, around the time that was counted.
    pub(super) fn outcome(
        mut self,
        before: (Option<Look>, Option<Look>),
        after: (Option<Look>, Option<Look>),
    ) -> Outcome {
        let (packets, foreign) = (self.packets(), self.foreign_packets());
        let mut delay_us = self.wheel.figures.delays();
        let tallies = || self.subscribers.iter().flat_map(|n| &self.wheel.clients[*n as usize].receives);
        let heard = tallies().filter(|r| r.tally.has_begun()).count().max(1);
        delay_us.jitter = (tallies().map(|r| r.tally.jitter_ns()).sum::<f64>() / heard as f64 / 1e3) as u64;
        let own = after
            .1
            .as_ref()
            .zip(before.1.as_ref())
            .map(|(after, before)| after.since(before))
            .unwrap_or_default();
        let all = packets.received + foreign.received;
        if let Some((after, before)) = after.0.as_ref().zip(before.0.as_ref()) {
            let node = after.since(before);
            let a_second = |count: u64| (count as f64 / node.seconds) as u64;
            self.node.cpu_us_per_packet = (all > 0).then(|| node.cpu_ns as f64 / 1e3 / all as f64);
            self.node.cpu_cores = Some(node.cores());
            self.node.busiest_thread = Some(node.busiest);
            self.node.context_switches = Some((a_second(node.switches.0), a_second(node.switches.1)));
            self.node.socket_drops = Some(node.drops);
        }
        let harness = self.health(own.busiest, own.cores());
        let payload: u64 = self.wheel.streams.iter().map(|s| s.octets).sum();
        let sent: u64 = self.wheel.streams.iter().map(|s| s.sent).sum();
        let system = match &self.target {
            Target::Node(node) => node.system.clone(),
            Target::Legs(legs) => legs.system.clone(),
        };
        let failures = self.failures.clone();
        Outcome {
            scenario: self.scenario.name.clone(),
            system,
            suite: self.wheel.figures.profile.map_or("none", name).to_owned(),
            seconds: own.seconds,
            publishers: self.connected(&self.publishers) as u32,
            subscribers: self.connected(&self.subscribers) as u32 + self.foreign_clients,
            payload: payload.checked_div(sent).unwrap_or(0) as u32,
            packets_per_second: all as f64 / own.seconds.max(1e-9),
            packets,
            foreign_clients: self.foreign_clients,
            foreign,
            delay_us,
            joins: self.joins,
            node: self.node,
            harness,
            samples: self.samples,
            failures,
        }
    }

    pub(super) fn health(&self, busiest: f64, cores: f64) -> Harness {
        let figures = &self.wheel.figures;
        let late_us = figures.lateness();
        let mut short_of = Vec::new();
        if busiest > SATURATED {
            short_of.push(format!(
                "CPU: a thread of the harness used {:.0} % of its core; give it a faster core, or less to do",
                busiest * 100.0
            ));
        }
        if figures.socket_drops > 0 {
            short_of.push(format!(
                "socket memory: the kernel dropped {} packets at the harness's own socket; raise net.core.rmem_max, or run as root",
                figures.socket_drops
            ));
        }
        if late_us.0 > LATE_US {
            short_of.push(format!(
                "time: sources were {} us late (99th percentile), so the load was not the one asked for",
                late_us.0
            ));
        }
        if figures.unsent > 0 {
            short_of
                .push(format!("send buffer: the kernel refused {} packets of the sources", figures.unsent));
        }
        if let Some(shared) = &self.shared {
            short_of
                .extend(shared.failures().into_iter().take(1).map(|why| format!("a foreign client: {why}")));
        }
        Harness {
            busiest_thread: busiest,
            cpu_cores: cores,
            socket_drops: figures.socket_drops,
            late_us,
            unsent: figures.unsent,
            short_of,
        }
    }
}

/// As IANA lists it.
fn name(profile: Profile) -> &'static str {
    match profile {
        Profile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        Profile::AeadAes256Gcm => "AEAD_AES_256_GCM",
        Profile::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        Profile::Aes128CmSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        _ => "other",
    }
}
