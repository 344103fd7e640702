//! Transport protocols of m-lines, and which one stands for which on the other side (RFC 3551, 3711, 4585, 5124, 5764).

/// The third word of an m-line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `RTP/AVP`
    Avp,
    /// `RTP/AVPF`
    Avpf,
    /// `RTP/SAVP`
    Savp,
    /// `RTP/SAVPF`
    Savpf,
    /// `UDP/TLS/RTP/SAVP`
    TlsSavp,
    /// `UDP/TLS/RTP/SAVPF`
    TlsSavpf,
    /// `udptl`: T.38 (passed through).
    Udptl,
    /// Anything else; passed through.
    Other(String),
}

impl Protocol {
    /// The ones that carry RTP.
    pub const RTP: [Protocol; 6] = [
        Protocol::Avp,
        Protocol::Avpf,
        Protocol::Savp,
        Protocol::Savpf,
        Protocol::TlsSavp,
        Protocol::TlsSavpf,
    ];

    /// Reads it; case does not matter (some devices write `UDPTL`).
    pub fn parse(text: &str) -> Protocol {
        let known = Protocol::RTP.into_iter().chain([Protocol::Udptl]);
        known
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(text))
            .unwrap_or(Protocol::Other(text.into()))
    }

    /// As in SDP.
    pub fn name(&self) -> &str {
        match self {
            Protocol::Avp => "RTP/AVP",
            Protocol::Avpf => "RTP/AVPF",
            Protocol::Savp => "RTP/SAVP",
            Protocol::Savpf => "RTP/SAVPF",
            Protocol::TlsSavp => "UDP/TLS/RTP/SAVP",
            Protocol::TlsSavpf => "UDP/TLS/RTP/SAVPF",
            Protocol::Udptl => "udptl",
            Protocol::Other(name) => name,
        }
    }

    /// Carries RTP.
    pub fn is_rtp(&self) -> bool {
        !matches!(self, Protocol::Udptl | Protocol::Other(_))
    }

    /// Says that media is encrypted.
    pub fn is_secure(&self) -> bool {
        matches!(self, Protocol::Savp | Protocol::Savpf | Protocol::TlsSavp | Protocol::TlsSavpf)
    }

    /// Says that keys come by DTLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Protocol::TlsSavp | Protocol::TlsSavpf)
    }

    /// Has feedback (RFC 4585).
    pub fn has_feedback(&self) -> bool {
        matches!(self, Protocol::Avpf | Protocol::Savpf | Protocol::TlsSavpf)
    }

    /// The protocol of these properties; `tls` counts only with `secure`.
    pub fn of(secure: bool, tls: bool, feedback: bool) -> Protocol {
        match (secure, tls, feedback) {
            (false, _, false) => Protocol::Avp,
            (false, _, true) => Protocol::Avpf,
            (true, false, false) => Protocol::Savp,
            (true, false, true) => Protocol::Savpf,
            (true, true, false) => Protocol::TlsSavp,
            (true, true, true) => Protocol::TlsSavpf,
        }
    }
}

/// What the flags ask of the protocol towards the receiver of a description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProtocolWish {
    /// As it came.
    #[default]
    Keep,
    /// `transport-protocol=RTP/SAVPF` and so on: exactly this.
    Exactly(Protocol),
    /// `RTP`, `SRTP`, `DTLS`, `AVP`, `AVPF`: each said by itself.
    Parts {
        /// `SRTP` or `RTP`.
        secure: Option<bool>,
        /// `DTLS`
        tls: bool,
        /// `AVPF` or `AVP`.
        feedback: Option<bool>,
    },
    /// `transport-protocol=accept`, in answers: go along with what the answerer made of it.
    AcceptAnswer,
}

/// The protocol to offer to the other side.
pub fn offered_protocol(received: &Protocol, wish: &ProtocolWish) -> Protocol {
    if !received.is_rtp() {
        return received.clone();
    }
    match wish {
        ProtocolWish::Keep | ProtocolWish::AcceptAnswer => received.clone(),
        ProtocolWish::Exactly(protocol) => protocol.clone(),
        ProtocolWish::Parts { secure, tls, feedback } => {
            let secure = secure.unwrap_or(*tls || received.is_secure());
            let tls = *tls || received.is_tls();
            Protocol::of(secure, tls, feedback.unwrap_or(received.has_feedback()))
        }
    }
}

/// The protocol to answer the offerer with: RFC 3264 section 6 has it be the offered one, whatever the other side
/// made of its own; `AcceptAnswer` goes along with that one instead.
pub fn answered_protocol(offered: &Protocol, answered: &Protocol, wish: &ProtocolWish) -> Protocol {
    match wish {
        ProtocolWish::AcceptAnswer if offered.is_rtp() && answered.is_rtp() => answered.clone(),
        ProtocolWish::Exactly(protocol) if offered.is_rtp() => protocol.clone(),
        _ => offered.clone(),
    }
}
