//! Many packets of many sessions at once: the work between looking and committing.

use crate::error::SrtpError;
use crate::kernel::{self, LOTS};
use crate::keys::{SessionId, SessionKeys};
use crate::limits::{BATCH, MAX_PACKET};
use crate::packet::{RTP_FIXED, rtp_fields};

/// The right to use one packet index once. Made by [`crate::Outbound::take_rtp`], neither `Clone` nor `Copy`, and used
/// up by a [`ProtectJob`]: the same key, SSRC and index cannot encrypt two packets.
#[derive(Debug)]
#[must_use = "the index is taken and can never be used again"]
pub struct SendIndex {
    pub(crate) session: SessionId,
    pub(crate) ssrc: u32,
    pub(crate) index: u64,
}

impl SendIndex {
    /// The 48-bit index: roll-over counter and sequence number.
    pub fn index(&self) -> u64 {
        self.index
    }
}

/// What [`crate::Inbound::prepare_rtp`] learned of a packet: not yet authenticated, and nothing changed by it.
#[derive(Debug)]
pub struct RtpTicket {
    pub(crate) session: SessionId,
    pub(crate) index: u64,
    pub(crate) ssrc: u32,
    pub(crate) header_len: u32,
    pub(crate) plain_len: u32,
}

impl RtpTicket {
    /// The SSRC, as the packet claims it.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The 48-bit index the packet most likely has.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Bytes of fixed header, CSRCs and header extension.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.header_len as usize
    }

    /// Bytes of the packet once unprotected, header included.
    #[inline]
    pub fn plain_len(&self) -> usize {
        self.plain_len as usize
    }
}

/// A ticket whose packet carried a good tag. Only unprotecting makes one, and only it can change a session.
#[derive(Debug)]
#[must_use = "without a commit the packet can be replayed"]
pub struct Authentic(pub(crate) RtpTicket);

impl Authentic {
    /// The SSRC.
    pub fn ssrc(&self) -> u32 {
        self.0.ssrc
    }

    /// The 48-bit index.
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// Bytes of fixed header, CSRCs and header extension.
    pub fn header_len(&self) -> usize {
        self.0.header_len()
    }

    /// Bytes of the unprotected packet, header included.
    pub fn plain_len(&self) -> usize {
        self.0.plain_len()
    }
}

/// One packet to protect: `out` gets header, ciphertext and tag.
pub struct ProtectJob<'a> {
    pub(crate) keys: &'a SessionKeys,
    pub(crate) index: SendIndex,
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) out: &'a mut [u8],
}

impl<'a> ProtectJob<'a> {
    /// `header` is the whole RTP header with CSRCs and extension, as it will go out; `payload` may be shared with other
    /// jobs. `out` must have exactly `header.len() + payload.len() + keys.rtp_overhead()` bytes.
    ///
    /// # Errors
    /// [`SrtpError::WrongSession`] if the index was not taken for `keys`, [`SrtpError::HeaderMismatch`] if the header
    /// has another SSRC or sequence number or its own lengths disagree with it, [`SrtpError::Output`] and
    /// [`SrtpError::Length`]. The index is lost then.
    #[inline]
    pub fn new(
        keys: &'a SessionKeys,
        index: SendIndex,
        header: &'a [u8],
        payload: &'a [u8],
        out: &'a mut [u8],
    ) -> Result<ProtectJob<'a>, SrtpError> {
        if index.session != keys.id() {
            return Err(SrtpError::WrongSession);
        }
        let fields = rtp_fields(header, 0).map_err(|_| SrtpError::HeaderMismatch)?;
        if fields.ssrc != index.ssrc || fields.seq != index.index as u16 || fields.header_len != header.len()
        {
            return Err(SrtpError::HeaderMismatch);
        }
        let len = header.len() + payload.len() + keys.rtp_overhead();
        if len > MAX_PACKET {
            return Err(SrtpError::Length);
        }
        if out.len() != len {
            return Err(SrtpError::Output);
        }
        Ok(ProtectJob { keys, index, header, payload, out })
    }
}

/// One packet to unprotect: `out` gets header and plaintext, and stays untouched if the tag is wrong.
pub struct UnprotectJob<'a> {
    pub(crate) keys: &'a SessionKeys,
    pub(crate) ticket: RtpTicket,
    pub(crate) packet: &'a [u8],
    pub(crate) out: &'a mut [u8],
    pub(crate) authentic: bool,
}

impl<'a> UnprotectJob<'a> {
    /// `packet` is what the ticket was made from; `out` needs at least `ticket.plain_len()` bytes, of which exactly so
    /// many are written.
    ///
    /// # Errors
    /// [`SrtpError::WrongSession`] if the ticket is of another session or another packet, [`SrtpError::Output`].
    #[inline]
    pub fn new(
        keys: &'a SessionKeys,
        ticket: RtpTicket,
        packet: &'a [u8],
        out: &'a mut [u8],
    ) -> Result<UnprotectJob<'a>, SrtpError> {
        if ticket.session != keys.id() || ticket.plain_len() + keys.rtp_overhead() != packet.len() {
            return Err(SrtpError::WrongSession);
        }
        let out = out.get_mut(..ticket.plain_len()).ok_or(SrtpError::Output)?;
        // The kernels slice by these lengths; `prepare_rtp` made them so.
        debug_assert!(RTP_FIXED <= ticket.header_len() && ticket.header_len() <= ticket.plain_len());
        Ok(UnprotectJob { keys, ticket, packet, out, authentic: false })
    }

    /// After the batch: the proof that the tag was right, to be committed.
    ///
    /// # Errors
    /// [`SrtpError::Tag`] if it was not, or if the job never went through [`unprotect_batch`].
    #[inline]
    pub fn finish(self) -> Result<Authentic, SrtpError> {
        // RFC 3711 section 3.3 step 5: a packet that fails authentication MUST be discarded from further processing.
        if self.authentic { Ok(Authentic(self.ticket)) } else { Err(SrtpError::Tag) }
    }
}

/// Jobs of at most one [`BATCH`], sorted into lots of the same kernel. Lives on the stack.
struct Lots {
    order: [u8; BATCH],
    /// Where each lot begins in `order`; the last entry is the number of jobs.
    starts: [u16; LOTS + 1],
}

impl Lots {
    /// A counting sort: `lots` gives each job's lot.
    fn sort(lots: impl Iterator<Item = usize> + Clone) -> Lots {
        let mut starts = [0u16; LOTS + 1];
        for lot in lots.clone() {
            starts[lot + 1] += 1;
        }
        for lot in 0..LOTS {
            starts[lot + 1] += starts[lot];
        }
        let mut next = starts;
        let mut order = [0; BATCH];
        for (job, lot) in lots.enumerate() {
            order[usize::from(next[lot])] = job as u8;
            next[lot] += 1;
        }
        Lots { order, starts }
    }

    /// The jobs of each lot that has any.
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.starts
            .windows(2)
            .map(|bounds| &self.order[usize::from(bounds[0])..usize::from(bounds[1])])
            .filter(|lanes| !lanes.is_empty())
    }
}

/// Every job in the order it came in.
static ALL: [u8; BATCH] = {
    let mut all = [0; BATCH];
    let mut job = 0;
    while job < BATCH {
        all[job] = job as u8;
        job += 1;
    }
    all
};

/// Protects any number of packets of any sessions, suites and sizes. Writes every job's `out`.
pub fn protect_batch(jobs: &mut [ProtectJob<'_>]) {
    for jobs in jobs.chunks_mut(BATCH) {
        // Sessions of one node mostly agree on one suite, and then there is nothing to sort.
        let keys = jobs[0].keys;
        if jobs.iter().all(|job| job.keys.lot() == keys.lot()) {
            let lanes = &ALL[..jobs.len()];
            kernel::protect(keys, jobs, lanes);
            continue;
        }
        let lots = Lots::sort(jobs.iter().map(|job| job.keys.lot()));
        for lanes in lots.iter() {
            kernel::protect(jobs[usize::from(lanes[0])].keys, jobs, lanes);
        }
    }
}

/// Unprotects any number of packets of any sessions, suites and sizes. A job whose tag is wrong writes nothing.
pub fn unprotect_batch(jobs: &mut [UnprotectJob<'_>]) {
    for jobs in jobs.chunks_mut(BATCH) {
        let keys = jobs[0].keys;
        if jobs.iter().all(|job| job.keys.lot() == keys.lot()) {
            let lanes = &ALL[..jobs.len()];
            kernel::unprotect(keys, jobs, lanes);
            continue;
        }
        let lots = Lots::sort(jobs.iter().map(|job| job.keys.lot()));
        for lanes in lots.iter() {
            kernel::unprotect(jobs[usize::from(lanes[0])].keys, jobs, lanes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_keep_every_job_once_and_in_order() {
        let lots = Lots::sort([1, 0, 0, 7, 1, 0, 1].into_iter());
        let sorted: Vec<_> = lots.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(sorted, [vec![1, 2, 5], vec![0, 4, 6], vec![3]]);
        let full = Lots::sort(std::iter::repeat_n(LOTS - 1, BATCH));
        let lanes: Vec<_> = full.iter().map(|lanes| (lanes.len(), lanes[255])).collect();
        assert_eq!(lanes, [(256, 255)]);
        assert_eq!(Lots::sort(std::iter::empty()).iter().count(), 0);
    }
}
