//! What the fuzz targets share: keys, and sessions for one packet.

use kaname_srtp::policy::{MasterKey, Policy, Scope, Session};
use kaname_srtp::{Backend, Keying, Profile};

/// One profile or another.
pub fn profile(choice: u8) -> Profile {
    Profile::ALL[usize::from(choice) % Profile::ALL.len()]
}

/// A master key for plain sessions.
pub fn keying(profile: Profile) -> Keying {
    Keying::new(profile, &[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()])
        .expect("the profile's lengths")
}

/// A master key for policies, with an MKI of two bytes.
pub fn master() -> MasterKey {
    MasterKey::new(&[7; 32], &[9; 14]).and_then(|master| master.with_mki(&[1, 2])).expect("possible lengths")
}

/// A fresh session for any SSRC.
pub fn session(policy: &Policy) -> Session {
    let mut session = Session::new(Backend::best());
    session.add(Scope::Any, policy.clone()).expect("a possible policy");
    session
}
