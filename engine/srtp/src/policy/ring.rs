//! The keys of one policy: a slot for each master key, shared by all streams under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Policy;
use crate::backend::Backend;
use crate::derive::{Master, Material, Use};
use crate::error::SrtpError;
use crate::kernel::KeySet;
use crate::keys::SessionKeys;
use crate::limits::{KEY_WARNING, MAX_RTCP_PACKETS, MAX_RTP_PACKETS};

/// Session keys, with those for header extensions where they are encrypted.
pub(crate) struct Keys {
    pub(crate) session: SessionKeys,
    pub(crate) headers: Option<KeySet>,
}

/// One master key at work.
struct Slot {
    /// The session keys with `r = 0`: all there are without a derivation rate.
    keys: Arc<Keys>,
    rtp_used: AtomicU64,
    rtcp_used: AtomicU64,
}

/// What using a key once more means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Normal,
    /// The key will have to be replaced soon.
    NearlyExhausted,
}

/// A policy with its keys laid out.
pub(crate) struct Ring {
    pub(crate) policy: Policy,
    backend: Backend,
    slots: Vec<Slot>,
    /// Whether the kernels for many packets know all that a packet without MKI needs.
    plain: bool,
    /// Whether every index is in the lifetime of the first master key.
    first_serves_all: bool,
    /// Size of the replay window.
    window: usize,
}

impl Ring {
    pub(crate) fn new(backend: Backend, policy: Policy) -> Result<Ring, SrtpError> {
        policy.check()?;
        let plain = policy.is_plain();
        let first_serves_all = policy.masters[0].from == 0 && policy.masters[0].to >= MAX_RTP_PACKETS - 1;
        let window = policy.window_size();
        let mut ring = Ring { policy, backend, slots: Vec::new(), plain, first_serves_all, window };
        for slot in 0..ring.policy.masters.len() {
            let keys = Arc::new(ring.derive(slot, 0));
            ring.slots.push(Slot { keys, rtp_used: AtomicU64::new(0), rtcp_used: AtomicU64::new(0) });
        }
        Ok(ring)
    }

    fn derive(&self, slot: usize, r: u64) -> Keys {
        let Policy { rtp, rtcp, masters, encrypted_extensions, .. } = &self.policy;
        let master = Master { key: &masters[slot].key, salt: &masters[slot].salt };
        let headers = (!encrypted_extensions.is_empty()).then(|| {
            let cipher = rtp.cipher.of_headers();
            // RFC 6904 section 3: the same master key, salt, index and rate as for the payload, and keys and salts of the same sizes.
            KeySet::new(self.backend, cipher, &Material::derive(master, cipher, Use::Headers, r))
        });
        Keys { session: SessionKeys::derive(self.backend, *rtp, *rtcp, master, r), headers }
    }

    /// The keys of the first slot: every slot has the same sizes.
    pub(crate) fn sizes(&self) -> &SessionKeys {
        &self.slots[0].keys.session
    }

    /// Whether the kernels for many packets know all that a packet without MKI needs.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The size the replay window of a stream gets.
    #[inline]
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// The keys of a slot for the packet `index`, if they are the slot's own: without a derivation rate they always are.
    #[inline]
    pub(crate) fn own_keys(&self, slot: usize, index: u64) -> Option<&SessionKeys> {
        let slot = self.slots.get(slot)?;
        (self.r(index) == 0).then_some(&slot.keys.session)
    }

    /// The same, if the kernels for many packets know all that a packet without MKI needs.
    #[inline]
    pub(crate) fn plain_keys(&self, slot: usize, index: u64) -> Option<&SessionKeys> {
        if self.plain { self.own_keys(slot, index) } else { None }
    }

    /// RFC 3711 section 4.3.1: r is the index DIV the rate, and 0 where the rate is 0.
    #[inline]
    fn r(&self, index: u64) -> u64 {
        index.checked_div(u64::from(self.policy.derivation_rate)).unwrap_or(0)
    }

    /// The keys of a slot for the packet `index`. With a derivation rate they are made anew unless `cached` has them.
    pub(crate) fn keys(&self, slot: usize, index: u64, cached: &Cached) -> (Arc<Keys>, u64) {
        let r = self.r(index);
        let keys = match &cached.0 {
            _ if r == 0 => self.slots[slot].keys.clone(),
            Some((place, keys)) if *place == (slot, r) => keys.clone(),
            _ => Arc::new(self.derive(slot, r)),
        };
        (keys, r)
    }

    /// The slot the caller names, or the first whose lifetime has `index`.
    #[inline]
    pub(crate) fn slot_for(&self, named: Option<usize>, index: u64) -> Result<usize, SrtpError> {
        if named.is_none() && self.first_serves_all { Ok(0) } else { self.slot_among(named, index) }
    }

    fn slot_among(&self, named: Option<usize>, index: u64) -> Result<usize, SrtpError> {
        match named {
            Some(slot) if slot < self.slots.len() => Ok(slot),
            Some(_) => Err(SrtpError::Mki),
            // RFC 3711 section 8.1.1: a packet whose index is in nobody's lifetime has no key.
            None => self
                .policy
                .masters
                .iter()
                .position(|master| (master.from..=master.to).contains(&index))
                .ok_or(SrtpError::KeyExhausted),
        }
    }

    /// The slot whose MKI stands in `packet` ahead of its last `behind` bytes, and the bytes of that MKI. RFC 3711 section 3.2.1 has MKIs
    /// of one length; that we take others is an exception (`lib.rs`).
    pub(crate) fn slot_of_mki(&self, packet: &[u8], behind: usize) -> Result<(usize, usize), SrtpError> {
        let place = packet.len().checked_sub(behind).ok_or(SrtpError::Length)?;
        // RFC 3711 section 3.3 step 1: the MKI names the master key; a packet with an unknown one is discarded.
        self.policy
            .masters
            .iter()
            .position(|master| !master.mki.is_empty() && packet[..place].ends_with(&master.mki))
            .map(|slot| (slot, self.policy.masters[slot].mki.len()))
            .ok_or(SrtpError::Mki)
    }

    /// A packet without the MKI that it ends with, and the slot that this names. `None` if it has none we know, or the tag
    /// stands behind the MKI: RFC 3711 section 3.1 has it so, and the kernels want it behind the text. RFC 7714 section 8.2 has
    /// them the other way around.
    pub(crate) fn without_mki<'a>(&self, packet: &'a [u8]) -> Option<(Option<usize>, &'a [u8])> {
        if !self.policy.rtp.cipher.is_gcm() {
            return None;
        }
        let (slot, len) = self.slot_of_mki(packet, 0).ok()?;
        Some((Some(slot), &packet[..packet.len() - len]))
    }

    /// Whether nothing stands behind the MKI that a slot puts on the wire.
    #[inline]
    pub(crate) fn mki_is_last(&self, named: Option<usize>) -> bool {
        self.policy.rtp.cipher.is_gcm() || self.mki(named).is_empty()
    }

    /// The MKI a slot puts on the wire: none unless it was named.
    #[inline]
    pub(crate) fn mki(&self, named: Option<usize>) -> &[u8] {
        named.and_then(|slot| self.policy.masters.get(slot)).map_or(&[], |master| &master.mki)
    }

    /// Counts an SRTP packet under a slot: RFC 3711 section 8.1, the sender SHALL count. Section 9.2, RFC 7714 section 10: at most 2^48
    /// under one master key.
    #[inline]
    pub(crate) fn count_rtp(&self, slot: usize) -> Result<Usage, SrtpError> {
        count(&self.slots[slot].rtp_used, MAX_RTP_PACKETS)
    }

    /// Counts an SRTCP packet under a slot. RFC 3711 section 9.2, RFC 7714 section 10: at most 2^31 under one master key.
    pub(crate) fn count_rtcp(&self, slot: usize) -> Result<Usage, SrtpError> {
        count(&self.slots[slot].rtcp_used, MAX_RTCP_PACKETS)
    }

    #[cfg(test)]
    pub(crate) fn age(&self, slot: usize, rtp: u64, rtcp: u64) {
        self.slots[slot].rtp_used.store(rtp, Ordering::Relaxed);
        self.slots[slot].rtcp_used.store(rtcp, Ordering::Relaxed);
    }

    /// Whether any master key of one is a master key of the other.
    pub(crate) fn shares_key(&self, other: &Ring) -> bool {
        let theirs = &other.policy.masters;
        self.policy.masters.iter().any(|ours| theirs.iter().any(|theirs| ours.is_same_key(theirs)))
    }
}

#[inline]
fn count(used: &AtomicU64, limit: u64) -> Result<Usage, SrtpError> {
    let before = used.load(Ordering::Relaxed);
    if before >= limit {
        return Err(SrtpError::KeyExhausted);
    }
    used.store(before + 1, Ordering::Relaxed);
    Ok(if limit - before == KEY_WARNING { Usage::NearlyExhausted } else { Usage::Normal })
}

/// The keys a stream derived last for one protocol, with their slot and `r`.
#[derive(Default)]
pub(crate) struct Cached(Option<((usize, u64), Arc<Keys>)>);

impl Cached {
    /// Keeps the keys that a good packet was protected with.
    pub(crate) fn keep(&mut self, slot: usize, r: u64, keys: &Arc<Keys>) {
        if r != 0 && self.0.as_ref().is_none_or(|(place, _)| *place != (slot, r)) {
            self.0 = Some(((slot, r), keys.clone()));
        }
    }
}
