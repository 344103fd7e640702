//! Plain, SDES or DTLS: what is offered and what is taken (RFC 4568, RFC 5763, RFC 8643).

use super::crypto::CryptoRules;
use super::protocol::Protocol;
use super::view::MediaView;

/// How the media of one side is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// Keys in `a=crypto`.
    Sdes,
    /// Keys by DTLS.
    Dtls,
}

/// What flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityRules {
    /// `SDES=off`
    pub no_sdes: bool,
    /// `DTLS=off`
    pub no_dtls: bool,
    /// Suites and parameters.
    pub crypto: CryptoRules,
    /// `OSRTP=offer`: a plain offer goes on with keys (RFC 8643).
    pub osrtp_offer: bool,
    /// `OSRTP=accept`: an offer with keys under a plain protocol is taken even if the other side refuses them.
    pub osrtp_accept: bool,
}

/// What a side is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityOffer {
    /// With `a=crypto` lines.
    pub sdes: bool,
    /// With `a=fingerprint` and `a=setup`.
    pub dtls: bool,
    /// Plain is fine too (RFC 8643).
    pub optional: bool,
}

/// Why a side's keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecurityRefused {
    /// A protocol that asks for encryption, without any keys.
    #[error("the m-line asks for SRTP but has neither a=crypto nor a=fingerprint; offer keys, or RTP/AVP")]
    NoKeys,
    /// Only crypto lines that cannot be used.
    #[error(
        "no a=crypto line has a suite that is allowed here; offer AES_CM_128_HMAC_SHA1_80 or AEAD_AES_256_GCM"
    )]
    NoSuite,
    /// Only fingerprints of weak hash functions.
    #[error("the certificate's fingerprint is MD5 or SHA-1; offer sha-256")]
    WeakFingerprint,
    /// The flags switch off what there is.
    #[error("the keys that are offered are switched off by flags; remove DTLS=off or SDES=off")]
    SwitchedOff,
}

/// What to offer to a side under a protocol. `came` is what the offerer offered under a plain protocol (OSRTP), which is
/// passed on in kind.
pub fn offered_security(
    protocol: &Protocol,
    came: Option<&MediaView>,
    rules: &SecurityRules,
) -> SecurityOffer {
    let (sdes, dtls) = (!rules.no_sdes, !rules.no_dtls);
    if !protocol.is_rtp() {
        return SecurityOffer::default();
    }
    if protocol.is_tls() {
        return SecurityOffer { sdes: false, dtls: true, optional: false };
    }
    if protocol.is_secure() {
        // With both switched off there would be nothing to encrypt with: SDES is what the profile is for.
        return SecurityOffer { sdes: sdes || !dtls, dtls, optional: false };
    }
    if rules.osrtp_offer || came.is_some_and(MediaView::is_osrtp) {
        return SecurityOffer { sdes, dtls, optional: true };
    }
    SecurityOffer::default()
}

/// How an offer of a peer is taken on its own side: DTLS before SDES, unless switched off.
pub fn taken_security(view: &MediaView, rules: &SecurityRules) -> Result<Security, SecurityRefused> {
    let dtls = view.dtls.as_ref().filter(|dtls| !dtls.fingerprints.is_empty());
    if dtls.is_some() && !rules.no_dtls {
        return Ok(Security::Dtls);
    }
    let sdes = view.crypto.iter().any(|line| rules.crypto.takes(line));
    if sdes && !rules.no_sdes {
        return Ok(Security::Sdes);
    }
    if !view.protocol.is_secure() {
        return Ok(Security::Plain);
    }
    Err(if dtls.is_some() || sdes {
        SecurityRefused::SwitchedOff
    } else if !(view.crypto.is_empty() && view.crypto_refused.is_empty()) {
        SecurityRefused::NoSuite
    } else if view.dtls.as_ref().is_some_and(|dtls| dtls.only_weak) {
        SecurityRefused::WeakFingerprint
    } else {
        SecurityRefused::NoKeys
    })
}

/// What a peer's answer to our offer settles.
pub fn agreed_security(offer: SecurityOffer, answer: &MediaView) -> Result<Security, SecurityRefused> {
    let dtls = answer.dtls.as_ref();
    if offer.dtls && dtls.is_some_and(|dtls| !dtls.fingerprints.is_empty()) {
        return Ok(Security::Dtls);
    }
    if offer.sdes && answer.crypto.iter().any(|line| line.keying().is_some()) {
        return Ok(Security::Sdes);
    }
    if offer.optional || !(offer.sdes || offer.dtls) {
        return Ok(Security::Plain);
    }
    Err(if !(answer.crypto.is_empty() && answer.crypto_refused.is_empty()) {
        SecurityRefused::NoSuite
    } else if dtls.is_some_and(|dtls| dtls.only_weak) {
        SecurityRefused::WeakFingerprint
    } else {
        SecurityRefused::NoKeys
    })
}
