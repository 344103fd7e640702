//! Anything at all as an SRTCP packet, to plain sessions and to sessions under policies with and without encryption.
#![no_main]

use kaname_fuzz::{master, profile, session};
use kaname_srtp::Protection;
use kaname_srtp::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, switches], packet)) = data.split_first_chunk() else { return };
    let mut policy = Policy::new(profile(choice), master());
    policy.rtcp = Protection { encrypt: switches & 1 == 0, ..policy.rtcp };
    policy.derivation_rate = if switches & 2 == 0 { 0 } else { 4 };
    let mki = switches & 4 != 0;
    let session = || session(&policy);
    let mut out = vec![0xee; packet.len() + 64];
    if session().unprotect_rtcp(packet, &mut out, mki).is_err() {
        assert!(out.iter().all(|&byte| byte == 0xee));
    }
    let mut wire = vec![0; packet.len() + 64];
    if let Ok(len) = session().protect_rtcp(packet, &mut wire, mki.then_some(0)) {
        let plain_len = session().unprotect_rtcp(&wire[..len], &mut out, mki).unwrap();
        assert_eq!(&out[..plain_len], packet);
    }
});
