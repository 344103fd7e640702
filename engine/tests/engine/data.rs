//! Data channels with a foreign client.

use crate::client::Wire;
use crate::world::{SHARD, World};
use kaname_engine::{DataKind, EngineEvent};
use str0m::config::DtlsVersion;

/// The messages the engine has reported.
fn reported(world: &World) -> Vec<(u16, DataKind, Vec<u8>)> {
    let of = |event: &EngineEvent| match event {
        EngineEvent::ChannelMessage { channel, kind, data, .. } => Some((*channel, *kind, data.clone())),
        _ => None,
    };
    world.seen.iter().filter_map(|(_, event)| of(event)).collect()
}

#[test]
fn messages_are_echoed() {
    for dtls in [DtlsVersion::Dtls12, DtlsVersion::Dtls13] {
        let mut world = World::on("127.0.0.1");
        let leg = world.join(SHARD, Wire { dtls, ..Wire::PLAIN });
        world.until_secured(1);
        world.clients[0].open_channel("chat");
        world.until("the channel", |world| world.clients[0].opened);
        let is_chat = |event: &EngineEvent| matches!(event, EngineEvent::ChannelOpened { label, protocol, .. } if label == "chat" && protocol.is_empty());
        assert_eq!(world.count(is_chat), 1);

        let large: Vec<u8> = (0..60_000_u32).map(|i| i as u8).collect();
        let sent = [(false, "grüß".as_bytes()), (true, &[0, 255]), (true, &large)];
        for (binary, data) in sent {
            world.clients[0].send_message(binary, data);
        }
        world.until("messages", |world| reported(world).len() == sent.len());
        for ((channel, kind, data), (binary, original)) in reported(&world).into_iter().zip(sent) {
            assert_eq!((kind == DataKind::Binary, data.as_slice()), (binary, original));
            world.engine.send_data(SHARD, leg, channel, kind, data).expect("room");
        }
        world.until("echoes", |world| world.clients[0].messages.len() == sent.len());
        for ((binary, data), (was_binary, original)) in world.clients[0].messages.iter().zip(sent) {
            assert_eq!((*binary, data.as_slice()), (was_binary, original));
        }

        let id = world.clients[0].channel.expect("opened");
        world.clients[0].rtc.direct_api().close_data_channel(id);
        world.until("the end", |world| {
            world.count(|event| matches!(event, EngineEvent::ChannelClosed { .. })) == 1
        });
    }
}
