//! DTLS roles in session descriptions (RFC 4145, RFC 5763 section 5, RFC 8842).

/// `a=setup`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// `actpass`: either; the only one that an offer should say.
    ActPass,
    /// `active`: the sayer sends the ClientHello.
    Active,
    /// `passive`: the sayer waits for it.
    Passive,
    /// `holdconn`: not now.
    HoldConn,
}

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We send the ClientHello.
    Active,
    /// The peer does.
    Passive,
}

impl Setup {
    /// Reads it.
    pub fn parse(text: &str) -> Option<Setup> {
        [Setup::ActPass, Setup::Active, Setup::Passive, Setup::HoldConn]
            .into_iter()
            .find(|setup| setup.name().eq_ignore_ascii_case(text.trim()))
    }

    /// As in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::HoldConn => "holdconn",
        }
    }
}

impl DtlsRole {
    /// What an answer says for it.
    pub fn setup(self) -> Setup {
        match self {
            DtlsRole::Active => Setup::Active,
            DtlsRole::Passive => Setup::Passive,
        }
    }
}

/// Our role when the peer offers, and what the answer says. Without `a=setup` an offerer is active (RFC 4145 section 4).
/// `None`: no association now (`holdconn`).
pub fn answer_role(offered: Option<Setup>, prefer: DtlsRole) -> Option<DtlsRole> {
    match offered {
        Some(Setup::ActPass) => Some(prefer),
        Some(Setup::Active) | None => Some(DtlsRole::Passive),
        Some(Setup::Passive) => Some(DtlsRole::Active),
        Some(Setup::HoldConn) => None,
    }
}

/// Our role when we offered `ours` and the peer answered. Without `a=setup` an answerer is passive only if the offerer
/// was active by default; RFC 5763 section 5 wants `active` or `passive`, and what phones leave out they mean as active.
/// `None`: the answer contradicts the offer, or says `holdconn`.
pub fn offer_role(ours: Setup, answered: Option<Setup>) -> Option<DtlsRole> {
    match (ours, answered) {
        (Setup::ActPass | Setup::Passive, Some(Setup::Active) | None) => Some(DtlsRole::Passive),
        (Setup::ActPass | Setup::Active, Some(Setup::Passive)) => Some(DtlsRole::Active),
        (Setup::Active, None) => Some(DtlsRole::Active),
        // Seen: an answer that repeats the offer. The answerer is active by RFC 5763's recommendation.
        (Setup::ActPass, Some(Setup::ActPass)) => Some(DtlsRole::Passive),
        _ => None,
    }
}
