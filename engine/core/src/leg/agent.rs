//! The lite ICE agent of a leg (RFC 8445): its credentials, the paths that checks validated, and consent.

use arrayvec::ArrayVec;
use kaname_wire::path::Path;

use crate::command::IceCredentials;
use crate::ice::IntegrityKey;
use crate::{Time, limits};

/// Credentials with the key made ready.
pub(crate) struct Credentials {
    pub(crate) local_ufrag: String,
    pub(crate) remote_ufrag: String,
    pub(crate) key: IntegrityKey,
}

/// RFC 8445 section 5.3: 4 to 256 ice-chars for a user name fragment, 22 to 256 for a password.
pub(crate) fn are_valid(ice: &IceCredentials) -> bool {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let in_range =
        |text: &str, min: usize| (min..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
    in_range(&ice.local_ufrag, 4)
        && in_range(&ice.local_pwd, 22)
        && (4..=256).contains(&ice.remote_ufrag.len())
}

impl Credentials {
    pub(crate) fn new(ice: IceCredentials) -> Credentials {
        let key = IntegrityKey::new(ice.local_pwd.as_bytes());
        Credentials { local_ufrag: ice.local_ufrag, remote_ufrag: ice.remote_ufrag, key }
    }
}

struct Validated {
    path: Path,
    checked: Time,
}

/// Components of a leg (RFC 8445 section 13).
const RTP: usize = 0;
const RTCP: usize = 1;

/// What a good check changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The path was not validated before.
    pub(crate) is_new: bool,
    /// It is where the leg sends now, and was not before.
    pub(crate) selected: bool,
    /// Made room for it.
    pub(crate) evicted: Option<Path>,
}

/// The state of a leg's connectivity.
pub(crate) struct Agent {
    pub(crate) current: Credentials,
    /// From before an ICE restart, until a check with the new ones nominates.
    pub(crate) previous: Option<Credentials>,
    paths: ArrayVec<Validated, { limits::PATHS_PER_LEG }>,
    /// The local socket of the RTCP component, where it has one (RFC 8445 section 13).
    rtcp: Option<u32>,
    /// Of RTP, and of RTCP.
    selected: [Option<Path>; 2],
    /// Some path was validated once.
    ever: bool,
    consent_lost: bool,
}

impl Agent {
    pub(crate) fn new(ice: IceCredentials, rtcp: Option<u32>) -> Agent {
        Agent {
            current: Credentials::new(ice),
            previous: None,
            paths: ArrayVec::new(),
            rtcp,
            selected: [None; 2],
            ever: false,
            consent_lost: false,
        }
    }

    /// The credentials that a user name `ours:theirs` stands for; `true` if they are the current ones.
    pub(crate) fn credentials(&self, ours: &str, theirs: &str) -> Option<(&Credentials, bool)> {
        let matches = |it: &&Credentials| it.local_ufrag == ours && it.remote_ufrag == theirs;
        let current = Some(&self.current).filter(matches).map(|it| (it, true));
        current.or_else(|| self.previous.as_ref().filter(matches).map(|it| (it, false)))
    }

    /// Where to send: the nominated path, else the one checked last (DTLS may start ahead of nomination).
    pub(crate) fn path(&self) -> Option<Path> {
        self.path_of(RTP)
    }

    /// Where to send RTCP.
    pub(crate) fn rtcp_path(&self) -> Option<Path> {
        self.path_of(if self.rtcp.is_some() { RTCP } else { RTP })
    }

    fn path_of(&self, component: usize) -> Option<Path> {
        let its = || self.paths.iter().filter(|it| self.component(&it.path) == component);
        self.selected[component].or_else(|| its().max_by_key(|it| it.checked).map(|it| it.path))
    }

    fn component(&self, path: &Path) -> usize {
        if self.rtcp == Some(path.local) { RTCP } else { RTP }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = Path> {
        self.paths.iter().map(|it| it.path)
    }

    /// A check with good integrity came over `path`.
    pub(crate) fn checked(&mut self, path: Path, nominates: bool, now: Time) -> Changes {
        let mut changes = Changes::default();
        (self.ever, self.consent_lost) = (true, false);
        match self.paths.iter_mut().find(|it| it.path == path) {
            Some(known) => known.checked = now,
            None => {
                changes.is_new = true;
                changes.evicted = self.make_room();
                self.paths.push(Validated { path, checked: now });
            }
        }
        let component = self.component(&path);
        if nominates && self.selected[component] != Some(path) {
            self.selected[component] = Some(path);
            changes.selected = component == RTP;
        }
        changes
    }

    fn make_room(&mut self) -> Option<Path> {
        if !self.paths.is_full() {
            return None;
        }
        let candidates =
            self.paths.iter().enumerate().filter(|(_, it)| !self.selected.contains(&Some(it.path)));
        let oldest = candidates.min_by_key(|(_, it)| it.checked).map(|(at, _)| at)?;
        Some(self.paths.remove(oldest).path)
    }

    /// Lets paths go whose consent expired (RFC 7675 section 5.1); each gone path is told.
    pub(crate) fn expire(&mut self, now: Time, mut gone: impl FnMut(Path)) {
        let selected = &mut self.selected;
        self.paths.retain(|it| {
            let alive = now < it.checked + limits::CONSENT_TIME;
            if !alive {
                gone(it.path);
                selected.iter_mut().for_each(|selected| _ = selected.take_if(|path| *path == it.path));
            }
            alive
        });
    }

    /// Whether consent was lost now: no path is left, or none came within the consent time. True once. `patient`: who
    /// may come late, since a call rings, has no consent to lose until the first check.
    pub(crate) fn loses_consent(&mut self, now: Time, began: Time, patient: bool) -> bool {
        let waits = !self.ever && (patient || now < began + limits::CONSENT_TIME);
        if self.consent_lost || !self.paths.is_empty() || waits {
            return false;
        }
        self.consent_lost = true;
        true
    }

    /// When to look again.
    pub(crate) fn due(&self, began: Time, patient: bool) -> Option<Time> {
        let earliest = self.paths.iter().map(|it| it.checked + limits::CONSENT_TIME).min();
        let waits = !self.consent_lost && (self.ever || !patient);
        earliest.or(waits.then_some(began + limits::CONSENT_TIME))
    }
}
