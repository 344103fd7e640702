//! Who refused a run, so that runs are not tried in vain; for a bounded time, since routes and devices change.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::limits::{DEVICE_REFUSALS, MAX_LOCALS, REFUSAL_TIME, REFUSALS};

const _: () = assert!(REFUSALS.is_power_of_two());

#[derive(Clone, Copy)]
struct Refusal {
    local: u32,
    remote: SocketAddr,
    until: Instant,
}

/// Refusals of one socket within [`REFUSAL_TIME`].
#[derive(Clone, Copy, Default)]
struct Device {
    since: Option<Instant>,
    refusals: usize,
    /// All of its destinations are held to refuse.
    until: Option<Instant>,
}

/// Destinations, by hash: one that takes another's place costs that one another refusal, no more.
pub(crate) struct Refusals {
    places: Box<[Option<Refusal>]>,
    devices: [Device; MAX_LOCALS],
    /// When the last of them ends.
    latest: Option<Instant>,
}

impl Refusals {
    pub(crate) fn new() -> Refusals {
        Refusals {
            places: vec![None; REFUSALS].into_boxed_slice(),
            devices: [Device::default(); MAX_LOCALS],
            latest: None,
        }
    }

    /// Nothing is remembered: the usual case, which needs no look at the clock.
    pub(crate) fn is_empty(&self) -> bool {
        self.latest.is_none()
    }

    /// Forgets everything once the last refusal is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.latest.is_some_and(|latest| latest <= now) {
            self.places.fill(None);
            self.devices = [Device::default(); MAX_LOCALS];
            self.latest = None;
        }
    }

    /// The destination took its packets one by one, and no run.
    pub(crate) fn note(&mut self, local: u32, remote: SocketAddr, now: Instant) {
        let until = now + REFUSAL_TIME;
        self.latest = Some(until);
        self.places[place(remote)] = Some(Refusal { local, remote, until });
        let Some(device) = self.devices.get_mut(local as usize) else { return };
        if device.since.is_none_or(|since| since + REFUSAL_TIME <= now) {
            *device = Device { since: Some(now), refusals: 0, until: device.until };
        }
        device.refusals += 1;
        if device.refusals >= DEVICE_REFUSALS {
            device.until = Some(until);
        }
    }

    /// Whether a run for this destination would be refused, as far as is known.
    pub(crate) fn holds(&self, local: u32, remote: SocketAddr, now: Instant) -> bool {
        let device = self.devices.get(local as usize).and_then(|device| device.until);
        let same = |it: &Refusal| it.local == local && it.remote == remote;
        let own = self.places[place(remote)].filter(same).map(|it| it.until);
        device.max(own).is_some_and(|until| now < until)
    }
}

fn place(remote: SocketAddr) -> usize {
    let ip = match remote.ip() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64 ^ v6.to_bits() as u64,
    };
    // Fibonacci hashing: the upper bits depend on all of the input.
    let mixed = (ip ^ u64::from(remote.port()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - REFUSALS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(i: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::from(i.to_be_bytes()), 9)
    }

    #[test]
    fn a_refusal_is_remembered_for_its_time_and_no_longer() {
        let mut refusals = Refusals::new();
        let now = Instant::now();
        assert!(refusals.is_empty() && !refusals.holds(0, remote(1), now));
        refusals.note(0, remote(1), now);
        assert!(!refusals.is_empty());
        assert!(refusals.holds(0, remote(1), now) && refusals.holds(0, remote(1), now + REFUSAL_TIME / 2));
        assert!(!refusals.holds(1, remote(1), now), "another socket");
        assert!(!refusals.holds(0, remote(2), now), "another destination");
        assert!(!refusals.holds(0, remote(1), now + REFUSAL_TIME));
        refusals.expire(now + REFUSAL_TIME / 2);
        assert!(!refusals.is_empty());
        refusals.expire(now + REFUSAL_TIME);
        assert!(refusals.is_empty());
    }

    #[test]
    fn many_destinations_mean_the_device_for_the_same_time() {
        let mut refusals = Refusals::new();
        let now = Instant::now();
        for i in 0..DEVICE_REFUSALS as u32 {
            assert!(!refusals.holds(3, remote(1000), now), "after {i}");
            refusals.note(3, remote(i), now);
        }
        assert!(refusals.holds(3, remote(1000), now));
        assert!(!refusals.holds(2, remote(1000), now));
        assert!(!refusals.holds(3, remote(1000), now + REFUSAL_TIME));
    }

    #[test]
    fn refusals_far_apart_do_not_mean_the_device() {
        let mut refusals = Refusals::new();
        let now = Instant::now();
        for i in 0..2 * DEVICE_REFUSALS as u32 {
            let at = now + REFUSAL_TIME / (DEVICE_REFUSALS as u32 / 2) * i;
            refusals.note(3, remote(i), at);
            assert!(!refusals.holds(3, remote(100_000), at), "after {i}");
        }
    }
}
