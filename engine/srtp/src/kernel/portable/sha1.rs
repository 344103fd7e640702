//! SHA-1 (FIPS 180-4) and HMAC (RFC 2104). Only additions, rotations and logic: constant time for a given length.

use zeroize::Zeroize;

/// A chaining value.
pub(crate) type State = [u32; 5];

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// Takes one block into `state`.
pub(crate) fn compress(state: &mut State, block: &[u8; BLOCK]) {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for t in 16..80 {
        words[t] = (words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (t, word) in words.into_iter().enumerate() {
        let (f, k) = match t {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc_u32),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (sum, value) in state.iter_mut().zip([a, b, c, d, e]) {
        *sum = sum.wrapping_add(value);
    }
}

/// A running hash that began with one block already taken in.
struct Sha1 {
    state: State,
    block: [u8; BLOCK],
    len: u64,
}

impl Sha1 {
    fn after_one_block(state: State) -> Sha1 {
        Sha1 { state, block: [0; BLOCK], len: BLOCK as u64 }
    }

    fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let used = (self.len % BLOCK as u64) as usize;
            let take = data.len().min(BLOCK - used);
            self.block[used..used + take].copy_from_slice(&data[..take]);
            self.len += take as u64;
            data = &data[take..];
            if used + take == BLOCK {
                compress(&mut self.state, &self.block);
            }
        }
    }

    fn finish(mut self) -> State {
        let bits = self.len * 8;
        self.update(&[0x80]);
        let used = (self.len % BLOCK as u64) as usize;
        let zeros = (BLOCK + 56 - used) % BLOCK;
        self.update(&[0; BLOCK][..zeros]);
        self.update(&bits.to_be_bytes());
        self.state
    }
}

/// An HMAC key, as the chaining values behind its inner and outer pad. Zeroized on drop.
#[derive(Clone)]
pub(crate) struct HmacKey {
    pub(crate) inner: State,
    pub(crate) outer: State,
}

impl HmacKey {
    /// A key of at most one block.
    pub(crate) fn new(key: &[u8]) -> HmacKey {
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut state = START;
            compress(&mut state, &block);
            block.zeroize();
            state
        };
        HmacKey { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The code of `message` followed by `suffix`.
    pub(crate) fn code(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        let mut inner = Sha1::after_one_block(self.inner);
        inner.update(message);
        inner.update(suffix);
        let mut outer = Sha1::after_one_block(self.outer);
        outer.update(&bytes(inner.finish()));
        bytes(outer.finish())
    }
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

fn bytes(state: State) -> [u8; 20] {
    let mut out = [0; 20];
    for (out, word) in out.chunks_exact_mut(4).zip(state) {
        out.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn rfc_2202() {
        let cases: [(&[u8], &[u8], &str); 5] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (&[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
            (
                &std::array::from_fn::<u8, 25, _>(|i| i as u8 + 1),
                &[0xcd; 50],
                "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
            ),
            (&[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
        ];
        for (key, message, expected) in cases {
            let key = HmacKey::new(key);
            for split in 0..=message.len() {
                assert_eq!(hex(&key.code(&message[..split], &message[split..])), expected);
            }
        }
    }

    #[test]
    fn padding_at_every_length() {
        // FIPS 180-4 words the padding as a string; here it is built as one and hashed block by block.
        for len in 0..200usize {
            let message = vec![0x5a; len];
            let mut whole = message.clone();
            whole.push(0x80);
            while whole.len() % 64 != 56 {
                whole.push(0);
            }
            whole.extend(((64 + len as u64) * 8).to_be_bytes());
            let mut state = START;
            whole.chunks_exact(64).for_each(|block| compress(&mut state, block.try_into().unwrap()));
            let mut hash = Sha1::after_one_block(START);
            hash.update(&message);
            assert_eq!(hash.finish(), state);
        }
    }
}
