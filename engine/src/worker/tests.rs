//! A worker without its thread, against dimpl and sctp-proto as clients; time is an argument.

mod active;
mod any;
mod channels;
mod contest;
mod handshake;
mod memory;
mod peer;
mod rtcp;

use crossbeam_queue::ArrayQueue;
use kaname_core::command::LegId;
use kaname_io::{FIRST_PORT, KernelUdp, PacketIo, UdpConfig};
use kaname_wire::path::Path;

use super::*;
use crate::DtlsParams;
use peer::Peer;

const KEY: LegKey = LegKey { shard: ShardId(0), leg: LegId(7) };

/// A path of the leg, from the peer or from some stranger.
fn path(host: u8) -> Path {
    Path::udp(FIRST_PORT, ([127, 0, 0, host], 5004).into())
}

/// A worker, its shard's queues, and what it reported.
struct Bench {
    worker: Worker,
    events: Arc<ArrayQueue<EngineEvent>>,
    now: Instant,
    /// Owns the waker's other end.
    _io: KernelUdp,
}

impl Bench {
    fn new() -> Bench {
        Bench::with_sink(|_| {})
    }

    /// `extra` sees each event before it is kept.
    fn with_sink(extra: impl Fn(&EngineEvent) + Send + Sync + 'static) -> Bench {
        let bind = vec![std::net::Ipv4Addr::LOCALHOST.into()];
        let io =
            KernelUdp::new(&UdpConfig { bind, tcp: false, receive_buffer: 1 << 16, ..UdpConfig::default() });
        let io = io.expect("loopback");
        let events = Arc::new(ArrayQueue::new(4096));
        let kept = events.clone();
        let around = Surroundings {
            index: 0,
            workers: [WorkerPort::new()].into(),
            shards: [Arc::new(ShardPort::new(io.waker()))].into(),
            sink: Arc::new(move |_, event| {
                extra(&event);
                kept.push(event).expect("few events");
            }),
            stop: Arc::new(AtomicBool::new(false)),
            identity: Arc::new(Identity::generate().expect("a certificate")),
        };
        Bench { worker: Worker::new(around), events, now: Instant::now(), _io: io }
    }

    fn port(&self) -> &WorkerPort {
        self.worker.port()
    }

    fn shard(&self) -> &ShardPort {
        &self.worker.around.shards[0]
    }

    fn secure(&mut self, key: LegKey, params: DtlsParams) {
        self.port().order(Order::Secure(key, Box::new(params))).expect("room");
        self.run();
    }

    /// Works until nothing waits.
    fn run(&mut self) {
        while self.worker.round(self.now) {}
    }

    fn deliver(&mut self, key: LegKey, datagram: &[u8]) {
        self.deliver_from(key, path(1), datagram);
    }

    fn deliver_from(&mut self, key: LegKey, path: Path, datagram: &[u8]) {
        self.port().datagram(key, path, datagram.into(), &self.worker.around.shards[0].workers);
        self.run();
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.run();
    }

    /// What went to the shard since the last call.
    fn commands(&self) -> Vec<Command> {
        std::iter::from_fn(|| self.shard().keys.pop().or_else(|| self.shard().lane.pop())).collect()
    }

    /// What was reported since the last call.
    fn events(&self) -> Vec<EngineEvent> {
        std::iter::from_fn(|| self.events.pop()).collect()
    }

    fn counter(&self, name: &str) -> u64 {
        self.shard().published.snapshot(&self.shard().workers).get(name)
    }

    /// Carries datagrams both ways until both are quiet; `lose` says which are lost. Returns the commands that
    /// are no datagrams.
    fn converse(&mut self, key: LegKey, peer: &mut Peer, lose: impl FnMut() -> bool) -> Vec<Command> {
        self.converse_from(key, path(1), peer, lose)
    }

    /// The same with a peer elsewhere; what is sent to another path is among what is returned.
    fn converse_from(
        &mut self,
        key: LegKey,
        from: Path,
        peer: &mut Peer,
        mut lose: impl FnMut() -> bool,
    ) -> Vec<Command> {
        let mut others = Vec::new();
        loop {
            let mut quiet = true;
            for datagram in peer.transmits(self.now) {
                quiet = false;
                if !lose() {
                    self.deliver_from(key, from, &datagram);
                }
            }
            for command in self.commands() {
                match command {
                    Command::SendDatagram { leg, path, data } if path.is_none_or(|to| to == from) => {
                        assert_eq!(leg, key.leg);
                        quiet = false;
                        if !lose() {
                            peer.datagram(&data, self.now);
                        }
                    }
                    other => others.push(other),
                }
            }
            if quiet {
                return others;
            }
        }
    }
}
