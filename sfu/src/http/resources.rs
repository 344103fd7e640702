//! The resources that WHIP and WHEP clients hold: one for each of their connections, under a name that cannot be guessed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::node::PeerId;

/// Which of the two protocols a resource belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Whip,
    Whep,
}

#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) protocol: Protocol,
    pub(super) room: String,
    pub(super) peer: PeerId,
    /// Of the ICE session, with its quotes; an ICE restart changes it (RFC 9725 section 4.3.1).
    pub(super) etag: String,
}

/// All of them, by name. Their number is bounded by the node's limit of peers.
#[derive(Debug, Default)]
pub(super) struct Resources(Mutex<HashMap<String, Resource>>);

impl Resources {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Resource>> {
        // The map is whole after each single operation, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, name: String, resource: Resource) {
        self.lock().insert(name, resource);
    }

    pub(super) fn get(&self, name: &str, protocol: Protocol, room: &str) -> Option<Resource> {
        self.lock()
            .get(name)
            .filter(|resource| resource.protocol == protocol && resource.room == room)
            .cloned()
    }

    pub(super) fn set_etag(&self, name: &str, etag: String) {
        if let Some(resource) = self.lock().get_mut(name) {
            resource.etag = etag;
        }
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }
}

/// 128 random bits in hexadecimal.
pub(super) fn random_name() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
