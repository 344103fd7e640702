//! Anything at all as a packet with cryptex or encrypted header extensions, both ways.
#![no_main]

use kaname_fuzz::{master, profile, session};
use kaname_srtp::policy::Policy;
use libfuzzer_sys::fuzz_target;

/// The X bit.
const X: u8 = 0x10;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, switches], packet)) = data.split_first_chunk() else { return };
    let profile = profile(choice);
    let mut policy = Policy::new(profile, master());
    policy.cryptex = switches & 1 != 0;
    if switches & 2 != 0 {
        policy.encrypted_extensions = vec![1, 4, 7, 200];
    }
    // Without a tag what a stranger sends is taken, and walked through to the end.
    if switches & 4 != 0 && !profile.is_gcm() {
        policy.rtp.tag_len = 0;
    }
    let session = || session(&policy);
    let mut out = vec![0xee; packet.len() + 64];
    if session().unprotect_rtp(packet, &mut out, false).is_err() {
        assert!(out.iter().all(|&byte| byte == 0xee));
    }
    let mut wire = vec![0; packet.len() + 64];
    if let Ok(len) = session().protect_rtp(packet, &mut wire, None) {
        let plain_len = session().unprotect_rtp(&wire[..len], &mut out, false).unwrap();
        if plain_len == packet.len() {
            assert_eq!(&out[..plain_len], packet);
        } else {
            // CSRCs without an extension got an empty one.
            let csrcs = 12 + 4 * usize::from(packet[0] & 0x0f);
            assert_eq!(plain_len, packet.len() + 4);
            assert_eq!((out[0], &out[1..csrcs]), (packet[0] | X, &packet[1..csrcs]));
            assert_eq!(&out[csrcs + 4..plain_len], &packet[csrcs..]);
        }
    }
});
