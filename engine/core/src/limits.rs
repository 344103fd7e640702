//! Every capacity of the shard, with its reason.

/// Datagrams a call to ingest: one receive call's worth; structures of the batch stay within L2.
pub const BATCH: usize = 256;
