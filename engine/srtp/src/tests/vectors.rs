//! The packets of RFC 7714 sections 16 and 17 through whole sessions. The vectors give session keys, not master keys.

use zeroize::Zeroizing;

use super::on_every_backend;
use crate::backend::Backend;
use crate::derive::Material;
use crate::inbound::{Inbound, InboundOptions};
use crate::keying::Profile;
use crate::keys::SessionKeys;
use crate::outbound::{Outbound, OutboundOptions};
use crate::test_support::{hex, unhex};

const RTP: &str = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465\
                   732074726573";
const SRTP_128: &str = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7\
                        d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
const SRTP_256: &str = "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ff\
                        ae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13";
const RTCP: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeef\
                    deadbeefdeadbeef";
const SRTCP_128: &str = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce0\
                         9b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";
const SRTCP_256: &str = "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415\
                         f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4";

fn keys(backend: Backend, profile: Profile) -> SessionKeys {
    let material = || {
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(b"Quid pro quo");
        Material {
            key: Zeroizing::new(std::array::from_fn(|i| i as u8)),
            auth: Zeroizing::new([0; 20]),
            salt: Zeroizing::new(salt),
        }
    };
    SessionKeys::from_material(backend, profile.rtp(), profile.rtcp(), &material(), &material())
}

const CASES: [(Profile, &str, &str); 2] =
    [(Profile::AeadAes128Gcm, SRTP_128, SRTCP_128), (Profile::AeadAes256Gcm, SRTP_256, SRTCP_256)];

on_every_backend! {
    fn rfc_7714_section_16(backend) {
        for (profile, protected, _) in CASES {
            let (plain, protected) = (unhex(RTP), unhex(protected));
            let mut out = vec![0; 200];
            let mut sender = Outbound::from_keys(keys(backend, profile), OutboundOptions::default());
            let len = sender.protect_rtp(&plain[..12], &plain[12..], &mut out).unwrap();
            assert_eq!(hex(&out[..len]), hex(&protected));
            let mut receiver = Inbound::from_keys(keys(backend, profile), InboundOptions::default());
            let len = receiver.unprotect_rtp(&protected, &mut out).unwrap();
            assert_eq!(hex(&out[..len]), hex(&plain));
        }
    }
}

on_every_backend! {
    fn rfc_7714_section_17(backend) {
        for (profile, _, protected) in CASES {
            let (plain, protected) = (unhex(RTCP), unhex(protected));
            let mut out = vec![0; 200];
            let mut sender = Outbound::from_keys(keys(backend, profile), OutboundOptions::default());
            sender.set_rtcp_index(0x4d61_7273, 0x5d4).unwrap();
            let len = sender.protect_rtcp(&plain, &mut out).unwrap();
            assert_eq!(hex(&out[..len]), hex(&protected));
            let mut receiver = Inbound::from_keys(keys(backend, profile), InboundOptions::default());
            let len = receiver.unprotect_rtcp(&protected, &mut out).unwrap();
            assert_eq!(hex(&out[..len]), hex(&plain));
        }
    }
}
