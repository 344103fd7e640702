//! Which implementation does the work.

#[cfg(target_arch = "x86_64")]
use crate::cpu::{AesNi, Cpu, Vaes256, Vaes512};

/// An implementation of the ciphers, proved to run on this machine. Chosen when keys are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Backend(Kind);

/// The backends, each with the proof that it runs here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    AesNi(AesNi),
    #[cfg(target_arch = "x86_64")]
    Vaes256(Vaes256),
    #[cfg(target_arch = "x86_64")]
    Vaes512(Vaes512),
}

/// How many backends [`Kind`] has.
pub(crate) const KINDS: usize = 4;

impl Backend {
    /// The specification: runs everywhere, in constant time, and is slow.
    pub const PORTABLE: Backend = Backend(Kind::Portable);

    /// The fastest this machine has and `KANAME_CPU_DISABLE` leaves.
    pub fn best() -> Backend {
        Backend::all_available().last().unwrap_or(Backend::PORTABLE)
    }

    /// Every backend this machine has and `KANAME_CPU_DISABLE` leaves: the portable one first, the fastest last.
    pub fn all_available() -> impl Iterator<Item = Backend> {
        #[cfg(target_arch = "x86_64")]
        let kinds = {
            let cpu = Cpu::get();
            [
                Some(Kind::Portable),
                cpu.aesni.map(Kind::AesNi),
                cpu.vaes256.map(Kind::Vaes256),
                cpu.vaes512.map(Kind::Vaes512),
            ]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let kinds = [Some(Kind::Portable)];
        kinds.into_iter().flatten().map(Backend)
    }

    /// Its name, as `KANAME_CPU_DISABLE` and reports spell it.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::AesNi(_) => "aesni",
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes256(_) => "vaes256",
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes512(_) => "vaes512",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl Kind {
    /// A number below [`KINDS`].
    pub(crate) fn number(self) -> usize {
        match self {
            Kind::Portable => 0,
            #[cfg(target_arch = "x86_64")]
            Kind::AesNi(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes256(_) => 2,
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes512(_) => 3,
        }
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
