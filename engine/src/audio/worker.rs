//! An audio worker's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kaname_media::codec::Codecs;

use super::port::AudioPort;
use crate::mesh::Mesh;
use crate::port::Sink;

/// What an audio worker shares with the rest of the engine.
pub(crate) struct Surroundings {
    /// Its number among the audio workers, and its place in the mesh.
    pub(crate) worker: usize,
    pub(crate) index: usize,
    pub(crate) ports: Arc<[AudioPort]>,
    pub(crate) mesh: Arc<Mesh>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) codecs: Codecs,
    /// Time zero of the engine.
    pub(crate) epoch: Instant,
}

/// Runs until the engine stops.
pub(crate) fn run(around: Surroundings) {
    let port = &around.ports[around.worker];
    port.attach(thread::current());
    while !around.stop.load(Ordering::Acquire) {
        while port.next().is_some() {}
        thread::park_timeout(Duration::from_secs(1));
    }
}
