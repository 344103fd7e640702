//! What a shard counts. Every packet that does not go on has a reason here.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a packet, or one copy of it, went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[DropReason] = &[$(DropReason::$variant),+];

            /// Its name in metrics: lower case with underscores.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DropReason::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// classify: more datagrams in one call than a batch holds.
    BatchOverflow = "batch_overflow",
    /// classify: empty, or the first byte belongs to no protocol of ours.
    UnknownProtocol = "unknown_protocol",
    /// classify: shorter than the smallest message of its protocol.
    TooShort = "too_short",
    /// classify: longer than its kind may be.
    TooLong = "too_long",
    /// stun: not a well-formed connectivity check.
    StunMalformed = "stun_malformed",
    /// stun: an indication or a response, which need no answer.
    StunNotRequest = "stun_not_request",
    /// stun: the user name is no leg's.
    StunUnknownUser = "stun_unknown_user",
    /// stun: the integrity is wrong; answered with silence.
    StunBadIntegrity = "stun_bad_integrity",
    /// stun: too many checks.
    StunRate = "stun_rate",
    /// stun: the path belongs to another live leg.
    StunPathTaken = "stun_path_taken",
    /// stun: the answer would have been longer than the check.
    StunAmplifies = "stun_amplifies",
    /// dtls: not from a validated path.
    DtlsUnknownPath = "dtls_unknown_path",
    /// dtls: too many records.
    DtlsRate = "dtls_rate",
    /// lookup: media from an address that no leg validated.
    UnknownPath = "unknown_path",
    /// lookup, rtcp, dtls: to a leg's own port, from where its peer is not.
    ForeignSource = "foreign_source",
    /// lookup: to a leg's own port in the clear, from one that may be its peer and has not sent enough.
    SourceNotLearned = "source_not_learned",
    /// lookup: media at a leg's port for RTCP.
    WrongPort = "wrong_port",
    /// lookup: media ahead of the keys.
    NoKeys = "no_keys",
    /// lookup: the RTP header is malformed.
    RtpMalformed = "rtp_malformed",
    /// lookup: no stream of the leg claims the SSRC.
    UnclaimedSsrc = "unclaimed_ssrc",
    /// admit: more authenticated media than a leg may send.
    MediaRate = "media_rate",
    /// admit, unprotect: the index was seen before.
    Replayed = "replayed",
    /// admit: the index is older than the replay window.
    TooOld = "too_old",
    /// admit, unprotect: not SRTP of this session.
    SrtpMalformed = "srtp_malformed",
    /// unprotect: the tag is wrong.
    BadTag = "bad_tag",
    /// unprotect: the arena is full.
    ArenaFull = "arena_full",
    /// inspect: a repair that is too short, or of an unknown payload type.
    RepairMalformed = "repair_malformed",
    /// inspect: a repair without content (padding for bandwidth probes).
    Probe = "probe",
    /// inspect: the packet was there before.
    Duplicate = "duplicate",
    /// route: the stream is muted.
    Muted = "muted",
    /// route: nobody wants the stream.
    NoRoute = "no_route",
    /// route: too many packets wait for their fan-out.
    ForwardOverflow = "forward_overflow",
    /// rewrite: the route has no number for this payload type.
    PayloadTypeUnmapped = "payload_type_unmapped",
    /// rewrite: the sender waits for a key frame.
    AwaitingKeyFrame = "awaiting_key_frame",
    /// rewrite: from before the sender's switch to this stream.
    BeforeSwitch = "before_switch",
    /// rewrite: the subscriber has no keys or no consent.
    LegNotReady = "leg_not_ready",
    /// protect: the packet does not fit a slot once protected, or its header is too long.
    DoesNotFit = "does_not_fit",
    /// protect: the send index was used before.
    IndexTaken = "index_taken",
    /// protect: the key reached its limit.
    KeyExhausted = "key_exhausted",
    /// rtcp: not well-formed.
    RtcpMalformed = "rtcp_malformed",
    /// rtcp: too many packets.
    RtcpRate = "rtcp_rate",
    /// rtcp: the tag is wrong.
    RtcpBadTag = "rtcp_bad_tag",
    /// rtcp: the index was seen before.
    RtcpReplayed = "rtcp_replayed",
    /// rtcp: feedback about an SSRC that is not the leg's.
    RtcpForeignSsrc = "rtcp_foreign_ssrc",
    /// repair: the packet is no longer in the cache, or never was.
    RepairUnknown = "repair_unknown",
    /// repair: asked for again within a round trip.
    RepairTooSoon = "repair_too_soon",
    /// repair: more than the share of the rate that repairs may use.
    RepairBudget = "repair_budget",
    /// repair: too many wait.
    RepairOverflow = "repair_overflow",
    /// cross: the other shard is behind.
    CrossingFull = "crossing_full",
    /// cross: from another shard, for a stream that is gone here.
    UnknownLink = "unknown_link",
    /// outbox: too many bytes wait.
    OutboxFull = "outbox_full",
    /// The leg or sender went while the packet waited.
    Removed = "removed",
}

/// Running totals of one shard.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Datagrams handed in.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Datagrams written to slots.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Authenticated media packets, repairs included.
    pub media_in: u64,
    /// Media packets sent, one for each subscriber, without repairs.
    pub forwarded: u64,
    /// Packets sent again as RTX.
    pub repaired: u64,
    /// Packets recovered from publishers by RTX.
    pub recovered: u64,
    /// Missing packets asked for, repeats included.
    pub nacks_sent: u64,
    /// Key frame requests sent to publishers.
    pub key_frame_requests: u64,
    /// Media packets handed to other shards, one for each shard.
    pub crossed_out: u64,
    /// Media packets taken from other shards.
    pub crossed_in: u64,
    /// Datagrams of other shards' legs that were handed over to their shard.
    pub handed_over: u64,
    /// Connectivity checks answered with success.
    pub checks_answered: u64,
    /// Slots of the arena that are in use now.
    pub arena_used: u64,
    /// Legs now.
    pub legs: u64,
    drops: Drops,
}

#[derive(Clone, Debug)]
struct Drops([u64; DropReason::ALL.len()]);

impl Default for Drops {
    fn default() -> Self {
        Drops([0; DropReason::ALL.len()])
    }
}

impl Counters {
    /// How many went no further for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.0[reason as usize]
    }

    /// All reasons with their counts.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason, self.dropped(reason)))
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.drops.0[reason as usize] += 1;
    }

    pub(crate) fn drop_many(&mut self, reason: DropReason, count: u64) {
        self.drops.0[reason as usize] += count;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_number_and_name() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        let mut counters = Counters::default();
        for (number, &reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, number);
            counters.drop_many(reason, number as u64);
            assert_eq!(counters.dropped(reason), number as u64);
        }
    }
}
