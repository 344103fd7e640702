//! What a shard counts. Every packet that does not go on has a reason here.

/// Why a packet went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// More datagrams in one call than a batch holds.
    BatchOverflow,
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = 1;
    /// All of them.
    pub const ALL: [DropReason; Self::COUNT] = [DropReason::BatchOverflow];

    /// Its name in metrics: lower case, underscores.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::BatchOverflow => "batch_overflow",
        }
    }
}

/// Running totals of one shard.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Datagrams handed in.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Datagrams written to slots.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    drops: [u64; DropReason::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Counters { packets_in: 0, bytes_in: 0, packets_out: 0, bytes_out: 0, drops: [0; DropReason::COUNT] }
    }
}

impl Counters {
    /// How many went no further for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }
}
