//! Anything at all as an SRTP packet: refused, nothing written, nothing changed; and what was sent comes back.
#![no_main]

use kaname_fuzz::{keying, profile};
use kaname_srtp::{Backend, Inbound, Outbound};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, packet)) = data.split_first() else { return };
    let backends: Vec<_> = Backend::all_available().collect();
    let backend = backends[usize::from(choice >> 4) % backends.len()];
    let keying = keying(profile(choice));
    let mut inbound = Inbound::new(backend, &keying);
    let mut outbound = Outbound::new(backend, &keying);
    let mut out = vec![0xee; packet.len() + 64];
    // A stranger cannot make a tag of 10 or 16 bytes; one of 4 by chance is possible, and then the packet is good.
    if inbound.unprotect_rtp(packet, &mut out).is_err() {
        assert!(out.iter().all(|&byte| byte == 0xee));
    }
    // As a plain packet, wherever its header ends.
    for header_len in [12, 16, 20, packet.len()] {
        let Some((header, payload)) = packet.split_at_checked(header_len) else { continue };
        let mut wire = vec![0; packet.len() + 64];
        let Ok(len) = outbound.protect_rtp(header, payload, &mut wire) else { continue };
        let plain_len = Inbound::new(backend, &keying).unprotect_rtp(&wire[..len], &mut out).unwrap();
        assert_eq!(&out[..plain_len], packet);
    }
});
