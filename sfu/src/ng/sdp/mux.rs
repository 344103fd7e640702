//! RTP and RTCP on one port (RFC 5761).

/// The `rtcp-mux` list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MuxRules {
    /// Offered on, whether it came or not.
    pub offer: bool,
    /// Offered on without another port for RTCP, as browsers want it.
    pub require: bool,
    /// Not offered on, but accepted from the offerer.
    pub demux: bool,
    /// Accepted from the offerer and offered on, if it came.
    pub accept: bool,
    /// Not accepted from the offerer.
    pub reject: bool,
}

/// What the other side is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MuxOffer {
    /// `a=rtcp-mux`
    pub offered: bool,
    /// No other port is named for RTCP.
    pub required: bool,
}

/// What to offer on, given whether it came, and whether without another port (`a=rtcp-mux-only`).
pub fn offered_mux(received: bool, only: bool, rules: &MuxRules) -> MuxOffer {
    let passed = received && !rules.demux && !rules.reject;
    let offered = rules.offer || rules.require || passed;
    MuxOffer { offered, required: rules.require || passed && only }
}

/// Whether the offerer is answered with mux.
pub fn answered_mux(received: bool, rules: &MuxRules) -> bool {
    received && !rules.reject
}

/// Whether the answerer's side has one port for both, given what it was offered and what it answered.
pub fn agreed_mux(offer: MuxOffer, answered: bool) -> bool {
    offer.required || offer.offered && answered
}
