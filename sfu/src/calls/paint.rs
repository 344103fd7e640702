//! From a call to the picture of what the engine is to do.

use kaname_engine::core::command::{Codec, IceCredentials, Learn, MediaKind, PayloadMap, Remote};

use super::model::{Agreed, Call, Media, Party};
use super::plan::{Hearing, Manner, Picture, Side, SideKey};

/// Every side that is agreed, with what it hears.
pub(super) fn paint(call: &Call) -> Picture {
    let mut picture = Picture::new();
    // A room has no leg.
    for (index, party) in call.live().filter(|(index, _)| !call.is_room(*index)) {
        for (media, line) in party.medias.iter().enumerate() {
            let key = SideKey { party: index, media };
            let (Some(agreed), Some(ports)) = (&line.agreed, line.ports) else { continue };
            let side = Side {
                kind: if agreed.video { MediaKind::Video } else { MediaKind::Audio },
                rtp: ports.rtp,
                rtcp: (!agreed.mux).then_some(ports.rtcp),
                ice: credentials(line, agreed),
                remote: remote(agreed, call.learn),
                security: agreed.security.clone(),
                sound: agreed.sound.clone(),
                cname: call.cname.clone(),
                hears: hearing(call, party, key, agreed),
                tapped: party.orders.tapped && !agreed.video,
            };
            picture.insert(key, side);
        }
    }
    picture
}

fn credentials(line: &Media, agreed: &Agreed) -> Option<IceCredentials> {
    let (ours, remote_ufrag) = (line.ice.as_ref()?, agreed.ice.clone()?);
    Some(IceCredentials { local_ufrag: ours.ufrag.clone(), local_pwd: ours.pwd.clone(), remote_ufrag })
}

fn remote(agreed: &Agreed, learn: Learn) -> Remote {
    if agreed.remote.held {
        // Nobody is to be sent to, and nobody learned.
        return Remote { rtp: None, rtcp: None, learn: Learn::Never };
    }
    Remote { rtp: agreed.remote.rtp, rtcp: agreed.remote.rtcp.filter(|_| !agreed.mux), learn }
}

/// Whom a side hears, and how.
fn hearing(call: &Call, party: &Party, key: SideKey, agreed: &Agreed) -> Option<Hearing> {
    let from = SideKey { party: party.peer?, media: key.media };
    // What a room sends, it routes by itself.
    if call.is_room(from.party) {
        return None;
    }
    let peer = call.parties.get(from.party).filter(|peer| !peer.gone)?;
    let source = peer.medias.get(from.media)?.agreed.as_ref()?;
    if call.dropped || !source.sends || !agreed.receives {
        return None;
    }
    let orders = peer.orders;
    let needs_worker = orders.silence_media || orders.worker;
    let manner = match (&agreed.flow, &agreed.worked) {
        (Manner::Pass(_), Some(worked)) if needs_worker => worked.clone(),
        (flow, _) => flow.clone(),
    };
    let manner = match manner {
        Manner::Pass(map) => Manner::Pass(allowed(map, source, orders.block_dtmf, orders.block_media)),
        Manner::Transcode { mut config, .. } => {
            if orders.block_dtmf {
                config.keys = kaname_engine::audio::SendKeys::Never;
                config.detect_tones = false;
            }
            Manner::Transcode { config, silent: orders.silence_media || orders.block_media }
        }
    };
    match &manner {
        Manner::Pass(map) if map.is_empty() => None,
        _ => Some(Hearing { from, manner }),
    }
}

/// What may pass: keys may be blocked, and all but keys.
fn allowed(map: Vec<PayloadMap>, source: &Agreed, no_keys: bool, only_keys: bool) -> Vec<PayloadMap> {
    let is_key = |number: u8| {
        source
            .sound
            .formats
            .iter()
            .any(|format| format.number == number && format.codec == Codec::TelephoneEvent)
    };
    map.into_iter().filter(|each| if is_key(each.from) { !no_keys } else { !only_keys }).collect()
}
