//! From a call to the picture of what the engine is to do.

use kaname_engine::audio::{SendKeys, TapConfig};
use kaname_engine::core::command::{Codec, IceCredentials, Learn, MediaKind, PayloadMap, Remote};

use super::model::{Agreed, Call, KeyBlock, Media, Orders, Party};
use super::plan::{Effects, Hearing, Manner, Picture, Side, SideKey};

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
                is_fax: matches!(agreed.flow, Manner::Relay),
                rtp: ports.rtp,
                rtcp: (!agreed.mux).then_some(ports.rtcp),
                ice: credentials(line, agreed),
                remote: remote(agreed, call.learn),
                security: agreed.security.clone(),
                sound: agreed.sound.clone(),
                cname: call.cname.clone(),
                hears: hearing(call, party, key, agreed),
                tap: tap(call, index, agreed),
                mask: party.orders.and(call.orders).keys.and_then(KeyBlock::mask),
            };
            picture.insert(key, side);
        }
    }
    picture
}

/// How a worker listens to a side besides those who hear it: to record or forward it, or for its keys.
fn tap(call: &Call, party: usize, agreed: &Agreed) -> Option<TapConfig> {
    let tap = agreed.tap.clone().filter(|_| !agreed.video)?;
    let detect_tones = match call.at_door() {
        // Whoever agreed on events may send tones all the same: the worker counts each key once.
        Some(listens) => listens.then_some(true),
        // What comes from a telephone in a room goes to a worker for the room, and to each worker once.
        None if call.seat.is_some() => None,
        None => {
            let is_heard = call.recording.is_some() || call.detect_keys || call.forwards(party);
            is_heard.then_some(call.detect_keys)
        }
    };
    detect_tones.map(|detect_tones| TapConfig { detect_tones, ..tap })
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
    // Without SSRCs nobody is known again: later moves of a fax are not followed.
    let learn = match (&agreed.flow, learn) {
        (Manner::Relay, Learn::Handover) => Learn::Window,
        _ => learn,
    };
    Remote { rtp: agreed.remote.rtp, rtcp: agreed.remote.rtcp.filter(|_| !agreed.mux), learn }
}

/// Whom a side hears, and how.
fn hearing(call: &Call, party: &Party, key: SideKey, agreed: &Agreed) -> Option<Hearing> {
    if !agreed.receives {
        return None;
    }
    let solo = || {
        let manner = agreed.solo.clone().filter(|_| party.worked || call.at_door().is_some())?;
        Some(Hearing { from: key, manner })
    };
    let from = party.source(key.media);
    // What a room sends, it routes by itself.
    if from.is_some_and(|from| call.is_room(from.party)) {
        return call.at_door().and_then(|_| solo());
    }
    let Some((from, peer)) = from.and_then(|from| Some((from, call.parties.get(from.party)?))) else {
        return solo();
    };
    let source = peer.medias.get(from.media).and_then(|line| line.agreed.as_ref());
    let Some(source) = source.filter(|source| source.sends && !peer.gone && !call.dropped) else {
        return solo();
    };
    let orders = peer.orders.and(call.orders);
    match manner(agreed, source, orders, party.worked) {
        Manner::Pass(map) if map.is_empty() => solo(),
        manner => Some(Hearing { from, manner }),
    }
}

fn manner(agreed: &Agreed, source: &Agreed, orders: Orders, worked: bool) -> Manner {
    let is_silent = orders.silence_media || orders.block_media;
    let mask = orders.keys.and_then(KeyBlock::mask);
    let is_work = worked || orders.silence_media || mask.is_some();
    let manner = match (&agreed.flow, &agreed.worked) {
        (Manner::Pass(_), Some(by_worker)) if is_work => by_worker.clone(),
        (flow, _) => flow.clone(),
    };
    match manner {
        // What no worker can make silent, or mask, does not pass.
        Manner::Pass(map) => Manner::Pass(allowed(map, source, orders.keys.is_some(), is_silent)),
        Manner::Transcode { mut config, .. } => {
            if orders.keys == Some(KeyBlock::Drop) {
                config.keys = SendKeys::Never;
                config.detect_tones = false;
            } else if (worked || mask.is_some()) && config.keys == SendKeys::Never {
                config.keys = SendKeys::Tones;
            }
            Manner::Transcode { config, effects: Effects { silent: is_silent, mask } }
        }
        other @ (Manner::Solo(_) | Manner::Relay) => other,
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
