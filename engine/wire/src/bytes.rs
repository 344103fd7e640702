//! Big-endian reads and writes that answer `None` instead of panicking.

/// The bytes of `bytes` from `at` on, as an array.
#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

#[inline]
pub(crate) fn be24(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = array(bytes, at)?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// The 24-bit value in three bytes; the bits above are lost.
#[inline]
pub(crate) fn three(value: u32) -> [u8; 3] {
    let [_, a, b, c] = value.to_be_bytes();
    [a, b, c]
}

/// Writes fields one after the other into a buffer; the first that does not fit makes all of it fail.
pub(crate) struct Cursor<'a> {
    out: &'a mut [u8],
    at: usize,
    fits: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Cursor { out, at: 0, fits: true }
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let room = self.at.checked_add(bytes.len()).and_then(|end| self.out.get_mut(self.at..end));
        match room {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.fits = false,
        }
    }

    #[inline]
    pub(crate) fn put8(&mut self, value: u8) {
        self.put(&[value]);
    }

    #[inline]
    pub(crate) fn put16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    pub(crate) fn put32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Zeros up to the next multiple of four; says how many.
    #[inline]
    pub(crate) fn align(&mut self) -> usize {
        let zeros = self.at.wrapping_neg() % 4;
        self.put(&[0; 3][..zeros]);
        zeros
    }

    /// The bytes written, if all of them found room.
    #[inline]
    pub(crate) fn finish(self) -> Option<usize> {
        self.fits.then_some(self.at)
    }
}
#[inline]
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}
