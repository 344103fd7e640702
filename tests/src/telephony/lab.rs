//! A network of the test's own: a namespace with a veth pair for each party. Nothing has a name outside, so nothing is
//! left behind, whatever happens to the test.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use crate::Error;
use crate::node::artefacts;

/// Everybody's addresses begin like this. Private ones: Kamailio's stock script engages the relay for parties behind NAT.
const NETWORK: [u8; 3] = [10, 64, 0];
/// A party's device, its address's last number, and what it is for.
const PARTIES: [(&str, u8); 10] = [
    ("proxy", 1),
    ("relay", 2),
    ("spare", 3),
    ("alice", 11),
    ("bob", 12),
    ("carol", 13),
    ("dave", 14),
    ("caller", 21),
    ("callee", 22),
    ("mallory", 66),
];

/// The address of a party.
pub fn address(party: &str) -> Ipv4Addr {
    let number = PARTIES.iter().find(|(name, _)| *name == party).map_or(0, |(_, number)| *number);
    Ipv4Addr::new(NETWORK[0], NETWORK[1], NETWORK[2], number)
}

/// What a test in its namespace works with.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Logs and recordings of this test.
    pub folder: PathBuf,
}

/// Runs a test in a network of its own. Where that is not allowed the test is skipped, with a word on why.
///
/// Panics as the body does, or when it returns an error.
#[allow(clippy::print_stderr, reason = "a test that is skipped has no other way to say so")]
pub fn within<F>(test: &'static str, body: impl FnOnce(Lab) -> F + Send + 'static)
where
    F: Future<Output = Result<(), Error>>,
{
    // The namespace is the thread's, and whatever the thread starts is in it: processes, and threads of the runtime.
    let inside = std::thread::spawn(move || {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no network namespace can be made ({error}); run as root");
            return Ok(());
        }
        let folder = artefacts(test)?;
        // Of an earlier run nothing may be taken for this one's.
        std::fs::remove_dir_all(&folder)?;
        let lab = Lab { folder: artefacts(test)? };
        cable()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(body(lab))
    });
    match inside.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error}; logs: target/artefacts/{test}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Devices and addresses.
fn cable() -> Result<(), Error> {
    ip("link set lo up")?;
    for (name, _) in PARTIES {
        ip(&format!("link add {name} type veth peer name {name}-far"))?;
        ip(&format!("addr add {}/24 dev {name}", address(name)))?;
        ip(&format!("link set {name} up"))?;
        ip(&format!("link set {name}-far up"))?;
    }
    Ok(())
}

fn ip(arguments: &str) -> Result<(), Error> {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Telephony(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr))))
}
