//! Faxes by T.38: UDPTL goes through ports of ours as it is. What is negotiated about it is between the two machines.

use super::actor::Now;
use super::answer::{Settled, signalled};
use super::error::CallError;
use super::model::{Agreed, Call, Media, Wishes, address_of};
use super::plan::{Manner, Security};
use super::ports::OwnPorts;
use super::tools::Tools;
use crate::ng::flags::Flags;
use crate::ng::sdp::{MediaRewrite, MediaView};

/// The m-line as the other side sees it: where we are, and else as it came.
pub(super) fn rewritten(flags: &Flags, view: &MediaView, ports: OwnPorts) -> MediaRewrite {
    let keeps_zero = view.is_zero() && !flags.replace.zero_address;
    MediaRewrite {
        address: (!keeps_zero).then_some(ports.address),
        port: Some(ports.port),
        ..MediaRewrite::default()
    }
}

/// Both machines take it.
pub(super) fn settle(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    (from, to): (usize, usize),
    offered: &MediaView,
    wishes: &Wishes,
    (flags, view): (&Flags, &MediaView),
) -> Result<(Settled, MediaRewrite), CallError> {
    let (home, tos) = (call.told.home(), call.tos);
    let offerer = &mut call.parties[from];
    while offerer.medias.len() <= view.index {
        offerer.medias.push(Media::default());
    }
    let v4 = offered.connection.as_ref().and_then(|host| host.ip()).map(|ip| ip.is_ipv4());
    let ports = tools.some_ports_of(now, home, tos, offerer, view.index, v4)?;
    for party in [from, to] {
        call.parties[party].medias[view.index].kind.clone_from(&view.kind);
    }
    let settled = Settled {
        offerer: agreed(offered, wishes.address),
        answerer: agreed(view, address_of(flags)),
        offerer_view: offered.clone(),
        offerer_keys: None,
        answerer_keys: None,
    };
    Ok((settled, rewritten(flags, view, ports)))
}

fn agreed(view: &MediaView, address: Option<std::net::IpAddr>) -> Agreed {
    let direction = view.meant_direction();
    Agreed {
        security: Security::Plain,
        // UDPTL has one port.
        mux: true,
        ice: None,
        remote: signalled(view, address),
        sound: Default::default(),
        formats: Vec::new(),
        flow: Manner::Relay,
        worked: None,
        solo: None,
        tap: None,
        sends: direction.sends(),
        receives: direction.receives(),
        video: false,
        protocol: view.protocol.name().to_owned(),
    }
}
