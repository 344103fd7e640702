//! Which implementation does the work.

/// An implementation of the ciphers, proved to run on this machine. Chosen when keys are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Backend(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
}

impl Backend {
    /// The specification: runs everywhere, in constant time, and is slow.
    pub const PORTABLE: Backend = Backend(Kind::Portable);

    /// The fastest this machine has and `KANAME_CPU_DISABLE` leaves.
    pub fn best() -> Backend {
        Backend::PORTABLE
    }

    /// Every backend this machine has and `KANAME_CPU_DISABLE` leaves, the portable one first.
    pub fn all_available() -> impl Iterator<Item = Backend> {
        [Backend::PORTABLE].into_iter()
    }

    /// Its name, as `KANAME_CPU_DISABLE` and reports spell it.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
