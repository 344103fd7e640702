//! Anything at all as an SRTCP packet, to plain sessions and to sessions under policies with and without encryption.
#![no_main]

use kaname_srtp::policy::{MasterKey, Policy, Scope, Session};
use kaname_srtp::{Backend, Profile, Protection};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, switches], packet)) = data.split_first_chunk() else { return };
    let profile = Profile::ALL[usize::from(choice) % Profile::ALL.len()];
    let master = MasterKey::new(&[7; 32], &[9; 14]).unwrap().with_mki(&[1, 2]).unwrap();
    let mut policy = Policy::new(profile, master);
    policy.rtcp = Protection { encrypt: switches & 1 == 0, ..policy.rtcp };
    policy.derivation_rate = if switches & 2 == 0 { 0 } else { 4 };
    let mki = switches & 4 != 0;
    let session = || {
        let mut session = Session::new(Backend::best());
        session.add(Scope::Any, policy.clone()).unwrap();
        session
    };
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
