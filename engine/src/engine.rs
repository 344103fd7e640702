//! The handle that embedders hold, and the start of all threads.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kaname_core::Command;
use kaname_core::command::{LegId, Transport};
use kaname_io::steer;

use crate::audio::{self, AudioBusy, AudioCommand, AudioPort, AudioRefused, Codecs, Desk};
use crate::backend::{self, Backend, Opened};
use crate::counters::CountersSnapshot;
use crate::limits::{COALESCE_MAX, MAX_AUDIO_WORKERS, MAX_MESSAGE, MAX_SHARDS, MAX_WORKERS};
use crate::mesh::Mesh;
use crate::port::{LegKey, Message, Order, ShardPort, Sink, WorkerPort, worker_of};
use crate::ports::{Opener, PortOrder};
use crate::shard::{self, Habits, Surroundings};
use crate::steering::{Kernel, SteeringMode};
use crate::worker::{self, Identity};
use crate::{DataKind, DtlsParams, EngineConfig, EngineEvent, PortError, ShardId, StartError};

/// A command or message was refused; it changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineBusy {
    /// The queue is full: try again shortly, or shed load.
    #[error("the queue is full")]
    Full,
    /// The shard's thread has ended.
    #[error("the shard is down")]
    Down,
    /// There is no such shard.
    #[error("there is no such shard")]
    UnknownShard,
    /// The user name fragment does not begin with the shard's letter, so the peer's checks would not find it.
    #[error(
        "the user name fragment does not name the shard: begin it with kaname_engine::io::steer::letter(shard)"
    )]
    ForeignFragment,
    /// The message is longer than any channel takes (256 KiB).
    #[error("the message is longer than 256 KiB")]
    TooLong,
}

/// A command was refused; it changed nothing, and here it is back.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// Why.
    pub why: EngineBusy,
    /// The command.
    pub command: Command,
}

struct ShardHandle {
    port: Arc<ShardPort>,
    opener: Opener,
    addresses: Vec<SocketAddr>,
    io_backend: &'static str,
}

/// A running packet engine. Dropping it stops it.
pub struct Engine {
    shards: Vec<ShardHandle>,
    workers: Arc<[WorkerPort]>,
    audio: Arc<[AudioPort]>,
    codecs: Codecs,
    mesh: Arc<Mesh>,
    /// Where what is recorded waits for the disk.
    desk: Arc<Desk>,
    stop: Arc<AtomicBool>,
    fingerprint: String,
    steering: SteeringMode,
    io_notice: Option<String>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Makes the sockets and the threads. The sink is called on the engine's threads with all news; it must not
    /// block.
    pub fn start(
        config: EngineConfig,
        sink: impl Fn(ShardId, EngineEvent) + Send + Sync + 'static,
    ) -> Result<Engine, StartError> {
        check(&config)?;
        getrandom::fill(&mut [0; 1]).map_err(|error| StartError::Random(error.to_string()))?;
        let identity = Arc::new(Identity::generate()?);
        let Opened { backends, kernel, steering, notice } = backend::open(&config)?;
        let mesh = Arc::new(Mesh::with_audio(backends.len(), config.audio_workers));
        let shards = backends
            .iter()
            .map(|io| {
                let port = Arc::new(ShardPort::new(io.waker()));
                let opener = Opener::new(io.door(), port.open_ports.clone());
                ShardHandle { port, opener, addresses: io.locals().to_vec(), io_backend: io.name() }
            })
            .collect();
        let mut engine = Engine {
            shards,
            workers: (0..config.workers).map(|_| WorkerPort::new()).collect(),
            audio: (0..config.audio_workers).map(|_| AudioPort::new()).collect(),
            codecs: audio::codecs(config.codecs),
            mesh: mesh.clone(),
            desk: Arc::new(Desk::new()),
            stop: Arc::new(AtomicBool::new(false)),
            fingerprint: identity.fingerprint().to_string(),
            steering,
            io_notice: notice,
            threads: Vec::new(),
        };
        // From here on dropping the engine ends what was started.
        let sink = Arc::new(sink) as Arc<Sink>;
        engine.start_workers(&identity, &sink)?;
        // One for all: packets that cross bring their time of arrival along.
        let epoch = Instant::now();
        engine.start_audio(&sink, epoch)?;
        let habits = Habits { pin: config.pin, coalesce: config.coalesce };
        engine.start_shards(&sink, backends, &mesh, kernel.as_ref(), epoch, habits)?;
        Ok(engine)
    }

    fn start_workers(&mut self, identity: &Arc<Identity>, sink: &Arc<Sink>) -> Result<(), StartError> {
        let ports: Arc<[Arc<ShardPort>]> = self.shards.iter().map(|shard| shard.port.clone()).collect();
        for index in 0..self.workers.len() {
            let around = worker::Surroundings {
                index,
                workers: self.workers.clone(),
                shards: ports.clone(),
                sink: sink.clone(),
                stop: self.stop.clone(),
                identity: identity.clone(),
            };
            self.spawn(format!("kaname-work-{index}"), move || worker::run(around))?;
        }
        Ok(())
    }

    fn start_audio(&mut self, sink: &Arc<Sink>, epoch: Instant) -> Result<(), StartError> {
        if self.audio.is_empty() {
            return Ok(());
        }
        let (desk, sink_of_writer, stop) = (self.desk.clone(), sink.clone(), self.stop.clone());
        let writer = audio::WriterSurroundings { desk, sink: sink_of_writer, stop };
        self.spawn("kaname-record".into(), move || audio::run_writer(writer))?;
        for worker in 0..self.audio.len() {
            let around = audio::Surroundings {
                worker,
                index: self.audio_index(worker),
                ports: self.audio.clone(),
                mesh: self.mesh.clone(),
                desk: self.desk.clone(),
                sink: sink.clone(),
                stop: self.stop.clone(),
                codecs: self.codecs.clone(),
                epoch,
            };
            self.spawn(format!("kaname-audio-{worker}"), move || audio::run(around))?;
        }
        Ok(())
    }

    fn start_shards(
        &mut self,
        sink: &Arc<Sink>,
        backends: Vec<Backend>,
        mesh: &Arc<Mesh>,
        kernel: Option<&Arc<Kernel>>,
        epoch: Instant,
        habits: Habits,
    ) -> Result<(), StartError> {
        for (index, io) in backends.into_iter().enumerate() {
            if let Some(inbox) = mesh.inbox(index) {
                inbox.attach(io.waker());
            }
            let around = Surroundings {
                id: ShardId(index),
                port: self.shards[index].port.clone(),
                workers: self.workers.clone(),
                audio: self.audio.clone(),
                sink: sink.clone(),
                stop: self.stop.clone(),
                mesh: mesh.clone(),
                kernel: kernel.cloned(),
                epoch,
                habits,
            };
            self.spawn(format!("kaname-shard-{index}"), move || match io {
                Backend::Kernel(io) => shard::run(*io, around),
                Backend::AfXdp(io) => shard::run(*io, around),
                Backend::Portable(io) => shard::run(*io, around),
            })?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(body)
            .map_err(|source| StartError::Thread { name, source })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Where the shard listens: UDP, and TCP on the same if asked for. Empty if there is no such shard.
    pub fn addresses(&self, shard: ShardId) -> &[SocketAddr] {
        self.shards.get(shard.0).map_or(&[], |shard| &shard.addresses)
    }

    /// `sha-256 AB:CD:..` of this run's certificate, for `a=fingerprint`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Hands the shard a command, in order. Never waits; when the queue is full, the command comes back. Where there
    /// are several shards, a leg's user name fragment must begin with [`kaname_io::steer::letter`] of its shard.
    pub fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused> {
        let ice = match &command {
            // A port of the leg's own is its shard's anyhow.
            Command::AddLeg(config) => match &config.transport {
                Transport::Ice(ice) => Some(ice),
                Transport::Ports(_) => None,
            },
            Command::RestartIce { ice, .. } => Some(ice),
            _ => None,
        };
        let is_foreign = |fragment: &str| steer::named(fragment.as_bytes()) != Some(shard.0);
        if self.shards.len() > 1 && ice.is_some_and(|ice| is_foreign(&ice.local_ufrag)) {
            return Err(Refused { why: EngineBusy::ForeignFragment, command });
        }
        match self.shard(shard) {
            Ok(handle) => handle.port.command(command),
            Err(why) => Err(Refused { why, command }),
        }
    }

    /// Opens a UDP port of its own for a leg of the shard, and gives the number that stands for it in paths
    /// ([`kaname_wire::path::Path::local`]): never the same again, until all have been given. What is wrong is known at
    /// once; commands that follow find it open. Ports outlive legs, and faults of the shard: close them.
    pub fn open_port(&self, shard: ShardId, address: SocketAddr) -> Result<u32, PortError> {
        let busy = |why| PortError::Busy { address, why };
        let handle = self.shard(shard).map_err(busy)?;
        let (local, socket) = handle.opener.open(address)?;
        let order = PortOrder::Open { local, socket };
        handle.port.port_order(order).inspect_err(|_| handle.opener.give_up()).map_err(busy)?;
        Ok(local)
    }

    /// Closes a port behind the commands given so far: what they send through it still goes out. What is sent through it
    /// later is dropped and counted. The address is free a moment later.
    pub fn close_port(&self, shard: ShardId, local: u32) -> Result<(), EngineBusy> {
        self.shard(shard)?.port.port_order(PortOrder::Close(local))
    }

    /// The byte of the IP header that holds DSCP (its upper six bits) and ECN, for what leaves through the port from now
    /// on.
    pub fn set_port_tos(&self, shard: ShardId, local: u32, tos: u8) -> Result<(), EngineBusy> {
        self.shard(shard)?.port.port_order(PortOrder::SetTos { local, tos })
    }

    /// The leg's handshake is answered from now on: call it before the session description goes out, as earlier
    /// ClientHellos are dropped (they are sent again). Called again with the same fingerprint it changes what
    /// comes with it (data channels) and leaves the keys; with another it begins anew.
    pub fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        self.order(shard, leg, |key| Order::Secure(key, Box::new(dtls)))
    }

    /// Sends a message on an open data channel. A peer that reads so slowly that 1 MiB waits for it loses the
    /// channel ([`EngineEvent::ChannelClosed`]).
    pub fn send_data(
        &self,
        shard: ShardId,
        leg: LegId,
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) -> Result<(), EngineBusy> {
        self.shard(shard)?;
        if data.len() > MAX_MESSAGE {
            return Err(EngineBusy::TooLong);
        }
        let key = LegKey { shard, leg };
        self.worker(key).message(Message { key, channel, kind, data })
    }

    /// Tells the peer goodbye (DTLS close_notify) and removes the leg. [`Command::RemoveLeg`] removes it silently.
    pub fn close(&self, shard: ShardId, leg: LegId) -> Result<(), EngineBusy> {
        self.order(shard, leg, Order::Close)
    }

    /// Number of audio workers.
    pub fn audio_workers(&self) -> usize {
        self.audio.len()
    }

    /// The place of an audio worker among those that streams go to and come from: `to` of
    /// [`Command::ExportStream`], `from` of [`Command::ImportStream`].
    pub fn audio_index(&self, worker: usize) -> usize {
        self.shards.len() + worker
    }

    /// The codecs that audio workers have.
    pub fn codecs(&self) -> &Codecs {
        &self.codecs
    }

    /// Hands an audio worker a command, in order. Never waits; when the queue is full, the command comes back.
    pub fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), AudioRefused> {
        let refuse = |why, command| Err(AudioRefused { why, command });
        let Some(port) = self.audio.get(worker) else { return refuse(AudioBusy::UnknownWorker, command) };
        if command.outputs().iter().any(|output| output.shard.0 >= self.shards.len()) {
            return refuse(AudioBusy::UnknownShard, command);
        }
        // Here rather than on the worker, whose ticks it would delay.
        command.outputs().iter().for_each(|output| self.mesh.furnish(output.shard.0));
        port.command(command)
    }

    /// How busy the audio worker was in the latest second, in thousandths. 0 if there is no such worker.
    pub fn audio_busy_permille(&self, worker: usize) -> u32 {
        let port = self.audio.get(worker);
        port.map_or(0, |port| port.figures.busy_permille())
    }

    /// The audio worker's figures. Empty if there is no such worker.
    pub fn audio_counters(&self, worker: usize) -> CountersSnapshot {
        self.audio.get(worker).map_or_else(CountersSnapshot::default, |port| port.figures.snapshot())
    }

    /// The SRTP kernels in use, such as `vaes512`.
    pub fn srtp_backend(&self) -> &'static str {
        kaname_srtp::Backend::best().name()
    }

    /// The packet io in use, such as `sendmmsg`.
    pub fn io_backend(&self) -> &'static str {
        self.shards.first().map_or("none", |shard| shard.io_backend)
    }

    /// Why the packet io that was asked for is not in use, in all shards or in some, and what to change.
    pub fn io_notice(&self) -> Option<&str> {
        self.io_notice.as_deref()
    }

    /// How datagrams find their shard.
    pub fn steering(&self) -> &SteeringMode {
        &self.steering
    }

    /// How busy the shard was in the latest second, in thousandths. 0 if there is no such shard.
    pub fn busy_permille(&self, shard: ShardId) -> u32 {
        self.shards.get(shard.0).map_or(0, |shard| shard.port.published.busy_permille())
    }

    /// The shard's figures. Empty if there is no such shard.
    pub fn counters(&self, shard: ShardId) -> CountersSnapshot {
        let port = self.shards.get(shard.0).map(|shard| &shard.port);
        port.map_or_else(CountersSnapshot::default, |port| port.published.snapshot(&port.workers))
    }

    /// Stops all threads and closes all sockets; returns when they are gone.
    pub fn shutdown(self) {
        drop(self);
    }

    fn shard(&self, shard: ShardId) -> Result<&ShardHandle, EngineBusy> {
        self.shards.get(shard.0).ok_or(EngineBusy::UnknownShard)
    }

    fn worker(&self, key: LegKey) -> &WorkerPort {
        &self.workers[worker_of(key, self.workers.len())]
    }

    fn order(
        &self,
        shard: ShardId,
        leg: LegId,
        order: impl FnOnce(LegKey) -> Order,
    ) -> Result<(), EngineBusy> {
        self.shard(shard)?;
        let key = LegKey { shard, leg };
        self.worker(key).order(order(key)).map_err(|_| EngineBusy::Full)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.shards.iter().for_each(|shard| shard.port.waker.wake());
        self.workers.iter().for_each(WorkerPort::wake);
        self.audio.iter().for_each(AudioPort::wake);
        self.desk.wake();
        let this = thread::current().id();
        for thread in self.threads.drain(..) {
            // The sink may hold the engine, so this may be one of its own threads.
            if thread.thread().id() != this {
                // A panic there has been reported as an event.
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.shards.iter().map(|shard| &shard.addresses).collect();
        f.debug_struct("Engine").field("addresses", &addresses).finish_non_exhaustive()
    }
}

fn check(config: &EngineConfig) -> Result<(), StartError> {
    let fault =
        |field, value: usize, allowed| Err(StartError::Config { field, value: value.to_string(), allowed });
    if !(1..=MAX_SHARDS).contains(&config.shards) {
        return fault("shards", config.shards, "1 to 64");
    }
    if !(1..=MAX_WORKERS).contains(&config.workers) {
        return fault("workers", config.workers, "1 to 64");
    }
    if config.coalesce > COALESCE_MAX {
        return fault("coalesce", config.coalesce.as_micros() as usize, "0 to 2000 us");
    }
    if config.audio_workers > MAX_AUDIO_WORKERS {
        return fault("audio_workers", config.audio_workers, "0 to 64");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(config: EngineConfig) -> Result<Engine, StartError> {
        Engine::start(config, |_, _| {})
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for (config, field) in [
            (EngineConfig { shards: 0, ..EngineConfig::default() }, "shards"),
            (EngineConfig { shards: 65, ..EngineConfig::default() }, "shards"),
            (EngineConfig { workers: 0, ..EngineConfig::default() }, "workers"),
            (EngineConfig { audio_workers: 65, ..EngineConfig::default() }, "audio_workers"),
        ] {
            let text = start(config).expect_err("out of range").to_string();
            assert!(text.contains(field), "{text}");
        }
    }

    #[test]
    fn all_shards_have_one_port_and_it_ends_when_asked() {
        let engine = start(EngineConfig { shards: 2, ..EngineConfig::default() }).expect("loopback");
        assert_eq!(engine.shards(), 2);
        let addresses = [engine.addresses(ShardId(0))[0], engine.addresses(ShardId(1))[0]];
        assert_eq!(addresses[0], addresses[1]);
        assert!(engine.addresses(ShardId(2)).is_empty());
        assert!(engine.fingerprint().starts_with("sha-256 "));
        assert_eq!(engine.close(ShardId(2), LegId(0)), Err(EngineBusy::UnknownShard));
        let text = start(EngineConfig { port: addresses[0].port(), ..EngineConfig::default() })
            .expect_err("in use")
            .to_string();
        assert!(text.contains(&addresses[0].to_string()), "{text}");
        engine.shutdown();
        let again = start(EngineConfig { shards: 2, port: addresses[0].port(), ..EngineConfig::default() });
        assert_eq!(again.expect("free again").addresses(ShardId(0)), &addresses[..1]);
    }
}
