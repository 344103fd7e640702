//! Data channels, with sctp-proto as the client inside dimpl's records.

use std::net::SocketAddr;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Ppid, StreamEvent, Transmit, TransportConfig,
};

use super::peer::Version;
use super::*;
use crate::DataKind;
use crate::limits::{MAX_CHANNELS, MAX_MESSAGE, SCTP_SEND_BUFFER};
use crate::port::Message;

/// A client with its own SCTP association.
struct Client {
    peer: Peer,
    endpoint: Endpoint,
    handle: AssociationHandle,
    association: Association,
    received: Vec<(u16, Ppid, Vec<u8>)>,
    finished: Vec<u16>,
}

impl Client {
    /// Shakes hands and begins the association.
    fn connect(bench: &mut Bench, max_message_size: u32) -> Client {
        let mut peer = Peer::new(Version::V13, 1400, bench.now);
        bench.secure(KEY, DtlsParams { max_message_size, ..peer.params() });
        bench.converse(KEY, &mut peer, || false);
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::new()), None);
        let transport = TransportConfig::default()
            .with_max_send_message_size(4 * MAX_MESSAGE as u32)
            .with_max_receive_message_size(MAX_MESSAGE as u32);
        let mut config = ClientConfig::new();
        config.transport = Arc::new(transport);
        let remote: SocketAddr = ([127, 0, 0, 1], 5000).into();
        let (handle, association) = endpoint.connect(config, remote).expect("begins");
        let mut client =
            Client { peer, endpoint, handle, association, received: Vec::new(), finished: Vec::new() };
        client.exchange(bench);
        bench.events();
        client
    }

    /// Carries packets both ways until both are quiet.
    fn exchange(&mut self, bench: &mut Bench) {
        while self.once(bench) {}
    }

    fn once(&mut self, bench: &mut Bench) -> bool {
        let mut sent = false;
        while let Some(Transmit { payload: Payload::RawEncode(packets), .. }) =
            self.association.poll_transmit(bench.now)
        {
            sent = true;
            packets.iter().for_each(|packet| self.peer.send(packet));
        }
        bench.converse(KEY, &mut self.peer, || false);
        let plaintexts = std::mem::take(&mut self.peer.plaintext);
        for plaintext in &plaintexts {
            let inside = ([127, 0, 0, 1], 5000).into();
            let packet = Bytes::copy_from_slice(plaintext);
            if let Some((handle, DatagramEvent::AssociationEvent(event))) =
                self.endpoint.handle(bench.now, inside, None, None, packet)
            {
                assert_eq!(handle, self.handle);
                self.association.handle_event(event);
            }
        }
        self.read();
        sent || !plaintexts.is_empty()
    }

    fn read(&mut self) {
        while let Some(event) = self.association.poll() {
            match event {
                Event::Stream(StreamEvent::Readable { id }) => {
                    let mut stream = self.association.stream(id).expect("readable");
                    while let Ok(Some(chunks)) = stream.read_sctp() {
                        let mut data = vec![0; chunks.len()];
                        chunks.read(&mut data).expect("room");
                        self.received.push((id, chunks.ppi, data));
                    }
                }
                Event::Stream(StreamEvent::Finished { id }) => self.finished.push(id),
                _ => {}
            }
        }
    }

    fn write(&mut self, channel: u16, ppid: Ppid, data: &[u8]) {
        if self.association.stream(channel).is_err() {
            self.association.open_stream(channel, Ppid::Binary).expect("a free stream");
        }
        let mut stream = self.association.stream(channel).expect("open");
        stream.write_with_ppi(data, ppid).expect("writable");
    }

    /// Opens a channel as RFC 8832 says.
    fn open(&mut self, bench: &mut Bench, channel: u16, label: &str) {
        let mut open = vec![3, 0, 0, 0, 0, 0, 0, 0];
        open.extend((label.len() as u16).to_be_bytes());
        open.extend([0, 0]);
        open.extend(label.as_bytes());
        self.write(channel, Ppid::Dcep, &open);
        self.exchange(bench);
    }
}

fn send(bench: &mut Bench, channel: u16, kind: DataKind, data: &[u8]) {
    let message = Message { key: KEY, channel, kind, data: data.to_vec() };
    bench.port().message(message).expect("room");
    bench.run();
}

fn messages(events: &[EngineEvent]) -> Vec<(u16, DataKind, &[u8])> {
    let of = |event| match event {
        &EngineEvent::ChannelMessage { channel, kind, ref data, .. } => {
            Some((channel, kind, data.as_slice()))
        }
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn closed(events: &[EngineEvent]) -> Vec<u16> {
    let of = |event: &EngineEvent| match event {
        EngineEvent::ChannelClosed { channel, .. } => Some(*channel),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn a_channel_is_opened_acknowledged_and_carries_both_ways() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 4, "chat");
    let events = bench.events();
    let [EngineEvent::ChannelOpened { leg, channel: 4, label, protocol }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((*leg, label.as_str(), protocol.as_str()), (KEY.leg, "chat", ""));
    assert_eq!(client.received, [(4, Ppid::Dcep, vec![2])]);
    client.received.clear();

    let large = vec![9; MAX_MESSAGE];
    client.write(4, Ppid::String, "grüß".as_bytes());
    client.write(4, Ppid::StringEmpty, &[0]);
    client.write(4, Ppid::BinaryEmpty, &[0]);
    client.write(4, Ppid::Binary, &large);
    client.exchange(&mut bench);
    let want = [
        (4, DataKind::Text, "grüß".as_bytes()),
        (4, DataKind::Text, &[]),
        (4, DataKind::Binary, &[]),
        (4, DataKind::Binary, &large),
    ];
    assert_eq!(messages(&bench.events()), want);

    for (channel, kind, data) in want {
        send(&mut bench, channel, kind, data);
        client.exchange(&mut bench);
    }
    let ppids = [Ppid::String, Ppid::StringEmpty, Ppid::BinaryEmpty, Ppid::Binary];
    assert_eq!(client.received.iter().map(|(_, ppid, _)| *ppid).collect::<Vec<_>>(), ppids);
    assert_eq!(client.received[0].2, "grüß".as_bytes());
    assert_eq!(client.received[1].2, [0], "no message of SCTP is empty");
    assert_eq!(client.received[3].2, large);
    assert_eq!((bench.counter("data_messages_in"), bench.counter("data_messages_out")), (4, 4));
}

#[test]
fn what_the_peer_does_not_take_is_not_sent() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 1000);
    client.open(&mut bench, 0, "x");
    client.received.clear();
    send(&mut bench, 0, DataKind::Binary, &[1; 1001]);
    send(&mut bench, 2, DataKind::Binary, &[1; 10]);
    send(&mut bench, 0, DataKind::Binary, &[1; 1000]);
    client.exchange(&mut bench);
    assert_eq!(client.received.len(), 1);
    assert_eq!(bench.counter("data_dropped_too_long"), 1);
    assert_eq!(bench.counter("data_dropped_no_channel"), 1);
}

#[test]
fn a_reset_of_the_peer_closes_the_channel_and_it_can_be_opened_again() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 2, "first");
    client.open(&mut bench, 4, "other");
    bench.events();
    client.association.stream(2).expect("open").close().expect("established");
    client.exchange(&mut bench);
    assert_eq!(closed(&bench.events()), [2]);
    assert_eq!(client.finished, [2], "our direction is reset in answer");
    client.open(&mut bench, 2, "second");
    assert!(matches!(&bench.events()[..], [EngineEvent::ChannelOpened { label, .. }] if label == "second"));
}

#[test]
fn a_peer_that_does_not_read_loses_the_channel_and_memory_is_bounded() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 0, "slow");
    bench.events();
    // Nothing is carried to the client from here on.
    let chunk = vec![1; 64 * 1024];
    for _ in 0..SCTP_SEND_BUFFER / chunk.len() + 1 {
        send(&mut bench, 0, DataKind::Binary, &chunk);
        let _ = bench.commands();
    }
    assert_eq!(closed(&bench.events()), [0]);
    assert_eq!(bench.counter("data_closed_slow"), 1);
    let before = bench.counter("data_dropped_no_channel");
    send(&mut bench, 0, DataKind::Binary, &chunk);
    assert_eq!(bench.counter("data_dropped_no_channel"), before + 1);
}

#[test]
fn what_is_malformed_or_too_much_is_refused_and_harms_no_other_channel() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 0, "good");
    // A message ahead of its opening, text that is none, an unknown kind, a malformed opening.
    client.write(6, Ppid::Binary, b"early");
    client.write(0, Ppid::String, &[0xff]);
    client.write(0, Ppid::Unknown, b"?");
    client.write(8, Ppid::Dcep, &[3, 0, 0]);
    client.exchange(&mut bench);
    assert_eq!(bench.counter("data_refused"), 4);
    assert_eq!(client.finished, [8], "a malformed opening is answered by a reset");
    for channel in 0..MAX_CHANNELS as u16 + 2 {
        client.open(&mut bench, 100 + channel, "many");
    }
    assert_eq!(bench.counter("data_refused"), 7);
    bench.events();
    client.write(0, Ppid::Binary, b"still good");
    client.exchange(&mut bench);
    assert_eq!(messages(&bench.events()), [(0, DataKind::Binary, &b"still good"[..])]);
}

#[test]
fn a_message_beyond_the_limit_ends_the_association_and_nothing_else() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 0, "greedy");
    bench.events();
    client.write(0, Ppid::Binary, &vec![1; MAX_MESSAGE + 1]);
    client.exchange(&mut bench);
    let events = bench.events();
    assert!(messages(&events).is_empty());
    assert!(!events.iter().any(|e| matches!(e, EngineEvent::LegClosed { .. })), "media goes on");
}

#[test]
fn packets_that_are_no_sctp_or_of_other_ports_are_dropped() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 0, "good");
    bench.events();
    for len in 0..64 {
        client.peer.send(&vec![0x13; len]);
        let mut packet = vec![0x13; len];
        packet.splice(..len.min(4), [0x13, 0x88, 0x13, 0x88].into_iter().take(len.min(4)));
        client.peer.send(&packet);
    }
    client.write(0, Ppid::Binary, b"still good");
    client.exchange(&mut bench);
    assert_eq!(messages(&bench.events()).len(), 1);
}

#[test]
fn channels_end_with_the_dtls_association() {
    let mut bench = Bench::new();
    let mut client = Client::connect(&mut bench, 0);
    client.open(&mut bench, 0, "a");
    client.open(&mut bench, 2, "b");
    bench.events();
    client.peer.close();
    client.exchange(&mut bench);
    let events = bench.events();
    assert_eq!(closed(&events), [0, 2]);
    assert!(matches!(events.last(), Some(EngineEvent::LegClosed { .. })));
}

#[test]
fn without_data_channels_in_the_description_no_sctp_is_answered() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V12, 1400, bench.now);
    bench.secure(KEY, DtlsParams { data_channels: false, ..peer.params() });
    bench.converse(KEY, &mut peer, || false);
    peer.send(&[0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0]);
    bench.converse(KEY, &mut peer, || false);
    assert!(peer.plaintext.is_empty());
    // A renegotiation adds them.
    bench.secure(KEY, peer.params());
    assert!(bench.worker.sessions[&KEY].has_channels());
}
