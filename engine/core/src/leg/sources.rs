//! Which stream or sender of a leg an SSRC belongs to. Each leg has its own tables, so an SSRC of one leg means
//! nothing on another.

/// Who uses an SSRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Index of the stream or sender.
    pub(crate) index: u32,
    /// It carries the repairs (RTX), not the media.
    pub(crate) repair: bool,
}

/// Owners by SSRC, sorted: legs have a handful of them, and a thousand at most.
#[derive(Default)]
pub(crate) struct Sources(Vec<(u32, Owner)>);

impl Sources {
    pub(crate) fn get(&self, ssrc: u32) -> Option<Owner> {
        let at = self.0.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc).ok()?;
        Some(self.0[at].1)
    }

    /// False: the SSRC has an owner, who keeps it.
    pub(crate) fn bind(&mut self, ssrc: u32, owner: Owner) -> bool {
        match self.0.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, (ssrc, owner));
                true
            }
        }
    }

    pub(crate) fn remove(&mut self, ssrc: u32) {
        if let Ok(at) = self.0.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            self.0.remove(at);
        }
    }
}
