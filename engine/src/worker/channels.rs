//! Data channels of one leg (RFC 8831): SCTP over its DTLS association. The peer begins the association and opens
//! the channels.

use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Ppid, ReliabilityType, ServerConfig, StreamEvent, Transmit, TransportConfig,
};

use super::dcep::{self, Dcep, Open, Reliability};
use crate::counters::{WorkerCounters, count};
use crate::limits::{MAX_CHANNELS, MAX_MESSAGE, MAX_STREAMS, SCTP_RECEIVE_BUFFER, SCTP_SEND_BUFFER};
use crate::{DataKind, DtlsParams};

/// The association runs inside DTLS and knows no address; the library wants one.
const INSIDE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// SCTP's timers in ms, as RFC 9260 section 16 has them but for a shorter first one: the handshake has just shown
/// that the round trip is shorter.
const RTO_INITIAL_MS: u64 = 1000;
const RTO_MAX_MS: u64 = 10_000;

/// What happened on the channels.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChannelNews {
    Opened { channel: u16, label: String, protocol: String },
    Message { channel: u16, kind: DataKind, data: Vec<u8> },
    Closed { channel: u16 },
}

pub(super) struct Channels {
    port: u16,
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    open: BTreeSet<u16>,
    max_send: usize,
    transmits: VecDeque<Bytes>,
    news: Vec<ChannelNews>,
}

impl Channels {
    pub(super) fn new(params: &DtlsParams) -> Channels {
        let max_send = match params.max_message_size as usize {
            0 => MAX_MESSAGE,
            size => size.min(MAX_MESSAGE),
        };
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(SCTP_RECEIVE_BUFFER)
            .with_max_send_message_size(max_send as u32)
            .with_max_receive_message_size(MAX_MESSAGE as u32)
            .with_max_num_inbound_streams(MAX_STREAMS)
            .with_max_num_outbound_streams(MAX_STREAMS)
            .with_rto_initial_ms(RTO_INITIAL_MS)
            .with_rto_max_ms(RTO_MAX_MS);
        let mut server = ServerConfig::new();
        server.transport = Arc::new(transport);
        Channels {
            port: params.sctp_port,
            endpoint: Endpoint::new(Arc::new(EndpointConfig::new()), Some(Arc::new(server))),
            association: None,
            open: BTreeSet::new(),
            max_send,
            transmits: VecDeque::new(),
            news: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.association.as_ref().and_then(|(_, association)| association.poll_timeout())
    }

    /// An SCTP packet of the peer.
    pub(super) fn packet(&mut self, packet: Vec<u8>, now: Instant, counters: &WorkerCounters) {
        // RFC 8841: both use the ports of the session description, which are the same.
        let port = self.port.to_be_bytes();
        if packet.get(..4) != Some(&[port[0], port[1], port[0], port[1]]) {
            return;
        }
        match self.endpoint.handle(now, INSIDE, None, None, Bytes::from(packet)) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                // One for the life of the DTLS association: a second would be a way to use memory up.
                self.endpoint.reject_new_associations();
                self.association = Some((handle, association));
            }
            Some((handle, DatagramEvent::AssociationEvent(event))) => {
                if let Some((_, association)) = self.association.as_mut().filter(|(h, _)| *h == handle) {
                    association.handle_event(event);
                }
            }
            None => {}
        }
        self.work(counters);
    }

    pub(super) fn timeout(&mut self, now: Instant, counters: &WorkerCounters) {
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(now);
        }
        self.work(counters);
    }

    /// The next SCTP packet for the peer.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Bytes> {
        while self.transmits.is_empty() {
            let of_endpoint = self.endpoint.poll_transmit();
            let of_association = || self.association.as_mut().and_then(|(_, a)| a.poll_transmit(now));
            let Transmit { payload, .. } = of_endpoint.or_else(of_association)?;
            if let Payload::RawEncode(packets) = payload {
                self.transmits.extend(packets);
            }
        }
        self.transmits.pop_front()
    }

    /// What happened since the last call.
    pub(super) fn news(&mut self) -> Vec<ChannelNews> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn send(&mut self, channel: u16, kind: DataKind, data: &[u8], counters: &WorkerCounters) {
        if !self.open.contains(&channel) {
            count(&counters.data_dropped_no_channel);
            return;
        }
        if data.len() > self.max_send {
            count(&counters.data_dropped_too_long);
            return;
        }
        if self.unsent() + data.len() > SCTP_SEND_BUFFER {
            count(&counters.data_closed_slow);
            self.close(channel);
            return;
        }
        // RFC 8831 section 6.6: SCTP has no empty messages; they are one byte of a kind of their own.
        let (ppid, data) = match (kind, data) {
            (DataKind::Text, []) => (Ppid::StringEmpty, &[0][..]),
            (DataKind::Binary, []) => (Ppid::BinaryEmpty, &[0][..]),
            (DataKind::Text, data) => (Ppid::String, data),
            (DataKind::Binary, data) => (Ppid::Binary, data),
        };
        let written = self.stream(channel, |stream| stream.write_with_ppi(data, ppid).is_ok());
        count(if written { &counters.data_messages_out } else { &counters.data_dropped_no_channel });
    }

    /// All channels end; nothing more is sent.
    pub(super) fn end(&mut self) {
        self.association = None;
        self.transmits.clear();
        self.close_all();
    }

    fn stream(&mut self, channel: u16, act: impl FnOnce(&mut sctp_proto::Stream<'_>) -> bool) -> bool {
        let Some((_, association)) = &mut self.association else { return false };
        association.stream(channel).is_ok_and(|mut stream| act(&mut stream))
    }

    fn unsent(&mut self) -> usize {
        let Some((_, association)) = &mut self.association else { return 0 };
        let of = |channel: &u16| association.stream(*channel).and_then(|s| s.buffered_amount()).unwrap_or(0);
        self.open.iter().map(of).sum()
    }

    /// Resets the stream (RFC 8831 section 6.7); the peer resets its direction in answer.
    fn close(&mut self, channel: u16) {
        self.stream(channel, |stream| stream.close().is_ok());
        self.closed(channel);
    }

    fn closed(&mut self, channel: u16) {
        if self.open.remove(&channel) {
            self.news.push(ChannelNews::Closed { channel });
        }
    }

    fn close_all(&mut self) {
        while let Some(channel) = self.open.pop_first() {
            self.news.push(ChannelNews::Closed { channel });
        }
    }

    /// Reads what the association has to say.
    fn work(&mut self, counters: &WorkerCounters) {
        loop {
            let Some((handle, association)) = &mut self.association else { return };
            while let Some(event) = association.poll_endpoint_event() {
                if let Some(answer) = self.endpoint.handle_event(*handle, event) {
                    association.handle_event(answer);
                }
            }
            // Streams are known by their events; the queue is not needed.
            while association.accept_stream().is_some() {}
            match association.poll() {
                Some(Event::Stream(StreamEvent::Readable { id })) => self.read(id, counters),
                Some(Event::Stream(StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. })) => {
                    self.closed(id);
                }
                Some(Event::AssociationLost { .. } | Event::HandshakeFailed { .. }) => {
                    self.close_all();
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn read(&mut self, channel: u16, counters: &WorkerCounters) {
        loop {
            let Some((_, association)) = &mut self.association else { return };
            let Ok(mut stream) = association.stream(channel) else { return };
            let Ok(Some(chunks)) = stream.read_sctp() else { return };
            let mut data = vec![0; chunks.len()];
            if chunks.read(&mut data).is_err() {
                return;
            }
            self.message(channel, chunks.ppi, data, counters);
        }
    }

    fn message(&mut self, channel: u16, ppid: Ppid, data: Vec<u8>, counters: &WorkerCounters) {
        let (kind, data) = match ppid {
            Ppid::Dcep => return self.dcep(channel, &data, counters),
            Ppid::String => (DataKind::Text, data),
            Ppid::StringEmpty => (DataKind::Text, Vec::new()),
            Ppid::Binary => (DataKind::Binary, data),
            Ppid::BinaryEmpty => (DataKind::Binary, Vec::new()),
            Ppid::Unknown => return count(&counters.data_refused),
        };
        let is_text = kind == DataKind::Binary || std::str::from_utf8(&data).is_ok();
        if self.open.contains(&channel) && is_text {
            self.news.push(ChannelNews::Message { channel, kind, data });
        } else {
            count(&counters.data_refused);
        }
    }

    fn dcep(&mut self, channel: u16, data: &[u8], counters: &WorkerCounters) {
        match dcep::parse(data) {
            Some(Dcep::Open(open)) if self.open.contains(&channel) || self.open.len() < MAX_CHANNELS => {
                self.opened(channel, open);
            }
            // We open none, so none is acknowledged.
            Some(Dcep::Ack) => {}
            _ => {
                count(&counters.data_refused);
                self.close(channel);
            }
        }
    }

    fn opened(&mut self, channel: u16, open: Open) {
        let (kind, value) = match open.reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::Retransmits(times) => (ReliabilityType::Rexmit, times),
            Reliability::LifetimeMs(ms) => (ReliabilityType::Timed, ms),
        };
        let acknowledged = self.stream(channel, |stream| {
            // The acknowledgement goes ordered, whatever the channel is (RFC 8832 section 6).
            stream.write_with_ppi(&dcep::ACK, Ppid::Dcep).is_ok()
                && stream.set_reliability_params(open.unordered, kind, value).is_ok()
        });
        if acknowledged && self.open.insert(channel) {
            let Open { label, protocol, .. } = open;
            self.news.push(ChannelNews::Opened { channel, label, protocol });
        }
    }
}
