//! One side: its leg, its stream and its sender.

use kaname_engine::core::Command;
use kaname_engine::core::command::{
    ExtensionIds, LegConfig, LegId, MediaKind, Ports, SenderConfig, SenderId, StreamConfig, StreamId,
    Transport,
};
use kaname_engine::srtp::Keying;
use kaname_engine::{Certificates, DtlsParams, DtlsPeer, DtlsRole};

use super::hearing::{Export, Heard, Tap};
use super::{Security, Side, Step};
use crate::calls::ids::Numbers;

/// What the engine was told of a side.
#[derive(Debug)]
pub(in crate::calls) struct Applied {
    pub(in crate::calls) leg: LegId,
    pub(in crate::calls) stream: StreamId,
    pub(in crate::calls) sender: SenderId,
    pub(super) export: Option<Export>,
    pub(super) hears: Option<Heard>,
    pub(super) tap: Option<Tap>,
    side: Side,
}

impl Applied {
    /// A new leg with all that runs on it.
    pub(super) fn begin(side: &Side, ids: &mut Numbers, steps: &mut Vec<Step>) -> Applied {
        let (leg, stream, sender) = (ids.leg(), ids.stream(), ids.sender());
        // A name of its own: under the keys of an earlier leg the same one must not begin anew (RFC 3711 section 9.1).
        let ssrc = ids.ssrc();
        let ports = Ports { rtp: side.rtp, rtcp: side.rtcp, ice: side.ice.clone(), remote: side.remote };
        let transport = Transport::Ports(ports);
        let config = LegConfig { leg, transport, extensions: ExtensionIds::default() };
        steps.push(Step::Core(Command::AddLeg(Box::new(config))));
        steps.push(secure(leg, side));
        if side.is_fax {
            steps.push(Step::Core(Command::Bridge { leg, to: None }));
        } else {
            steps.push(listen(leg, stream, side));
            let config =
                SenderConfig { kind: side.kind, ssrc, rtx_ssrc: None, cname: side.cname.clone(), mid: None };
            steps.push(Step::Core(Command::AddSender { leg, sender, config: Box::new(config) }));
        }
        Applied { leg, stream, sender, export: None, hears: None, tap: None, side: side.clone() }
    }

    /// Whether the leg can stay as it is: ports, ICE or none, and whether it carries RTP belong to a leg for good.
    pub(super) fn is_on_ports_of(&self, side: &Side) -> bool {
        let ours = &self.side;
        (ours.rtp, ours.rtcp, ours.ice.is_some(), ours.kind, ours.is_fax)
            == (side.rtp, side.rtcp, side.ice.is_some(), side.kind, side.is_fax)
    }

    /// Goes on as wanted.
    pub(super) fn change(&mut self, side: &Side, fresh: bool, ids: &mut Numbers, steps: &mut Vec<Step>) {
        let (leg, before) = (self.leg, &self.side);
        if let (Some(ice), true) = (&side.ice, side.ice != before.ice) {
            steps.push(Step::Core(Command::RestartIce { leg, ice: ice.clone() }));
        }
        // A handshake has proved where its peer is; only another description moves it.
        let is_proved = matches!(side.security, Security::Dtls { .. });
        let has_moved = side.remote != before.remote;
        if has_moved || (fresh && !is_proved) {
            steps.push(Step::Core(Command::SetRemote { leg, remote: side.remote }));
        }
        if !is_same_security(&side.security, &before.security) || (is_proved && has_moved) {
            steps.push(secure(leg, side));
        }
        if side.sound != before.sound {
            // Its listeners are routed anew: their streams have another name.
            ids.free(self.stream.0);
            steps.push(Step::Core(Command::RemoveStream { stream: self.stream }));
            self.stream = ids.stream();
            self.export = None;
            steps.push(listen(leg, self.stream, side));
        }
        self.side = side.clone();
    }

    pub(super) fn end(mut self, ids: &mut Numbers, steps: &mut Vec<Step>) {
        self.end_tap(ids, steps);
        steps.push(Step::Core(Command::RemoveLeg { leg: self.leg }));
        for number in [self.leg.0, self.stream.0, self.sender.0] {
            ids.free(number);
        }
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.side.kind
    }
}

fn listen(leg: LegId, stream: StreamId, side: &Side) -> Step {
    let is_video = side.kind == MediaKind::Video;
    let feedback = side.sound.feedback && is_video;
    let config = StreamConfig {
        kind: side.kind,
        mid: None,
        rid: None,
        ssrc: None,
        rtx_ssrc: None,
        payload_types: side.sound.formats.clone(),
        nack: feedback,
        pli: feedback,
        fir: feedback,
        transport_cc: false,
    };
    Step::Core(Command::AddStream { leg, stream, config: Box::new(config) })
}

fn secure(leg: LegId, side: &Side) -> Step {
    match &side.security {
        Security::Plain => Step::Core(Command::SetPlain { leg }),
        Security::Sdes { theirs, ours } => {
            Step::Core(Command::SetKeys { leg, inbound: theirs.clone(), outbound: ours.clone() })
        }
        Security::Dtls { fingerprint, active } => {
            let params = DtlsParams {
                role: if *active { DtlsRole::Active } else { DtlsRole::Passive },
                peer: match side.ice {
                    Some(_) => DtlsPeer::Validated,
                    None => DtlsPeer::Signalled { local: side.rtp, rtcp: side.rtcp, remote: side.remote },
                },
                // Telephones have RSA as well.
                certificates: Certificates::Any,
                data_channels: false,
                ..DtlsParams::new(fingerprint.clone())
            };
            Step::Secure(leg, params)
        }
    }
}

fn is_same_security(one: &Security, other: &Security) -> bool {
    match (one, other) {
        (Security::Plain, Security::Plain) => true,
        (Security::Sdes { theirs, ours }, Security::Sdes { theirs: their_others, ours: our_others }) => {
            is_same_keying(theirs, their_others) && is_same_keying(ours, our_others)
        }
        (
            Security::Dtls { fingerprint, active },
            Security::Dtls { fingerprint: other_fingerprint, active: other_active },
        ) => fingerprint == other_fingerprint && active == other_active,
        _ => false,
    }
}

fn is_same_keying(one: &Keying, other: &Keying) -> bool {
    (one.profile(), one.key(), one.salt()) == (other.profile(), other.key(), other.salt())
}
