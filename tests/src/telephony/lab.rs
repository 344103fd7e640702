//! A network of the test's own: a namespace with a bridge for the servers and for strangers, and a namespace with a veth
//! for each phone, since phones do not care which address they send from. Nothing has a name outside, so nothing is left
//! behind, whatever happens to the test.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::Error;
use crate::node::artefacts;

/// Everybody's addresses begin like this. Private ones: Kamailio's stock script engages the relay for parties behind NAT.
const NETWORK: [u8; 3] = [10, 64, 0];
/// Parties on the bridge, and the last number of their addresses.
const SERVERS: [(&str, u8); 6] =
    [("proxy", 1), ("relay", 2), ("spare", 3), ("caller", 21), ("callee", 22), ("mallory", 66)];
/// Parties with a home of their own.
const PHONES: [(&str, u8); 3] = [("alice", 11), ("bob", 12), ("carol", 13)];

/// The address of a party.
pub fn address(party: &str) -> Ipv4Addr {
    let number =
        SERVERS.iter().chain(&PHONES).find(|(name, _)| *name == party).map_or(0, |(_, number)| *number);
    Ipv4Addr::new(NETWORK[0], NETWORK[1], NETWORK[2], number)
}

/// What a test in its namespace works with.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Logs and recordings of this test.
    pub folder: PathBuf,
    /// Namespaces of phones, in their order.
    homes: Arc<Vec<File>>,
}

impl Lab {
    /// What goes ahead of a program's name for it to run at a phone's place.
    pub fn at(&self, phone: &str) -> Vec<String> {
        let number = PHONES.iter().position(|(name, _)| *name == phone);
        let home = number.and_then(|number| self.homes.get(number));
        home.map_or_else(Vec::new, |home| {
            vec!["nsenter".into(), format!("--net={}", path(home)), "--".into()]
        })
    }
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
        let lab = Lab { folder: artefacts(test)?, homes: Arc::new(cable()?) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(body(lab))
    });
    match inside.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error}; logs: target/artefacts/{test}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Devices and addresses. Returns the phones' namespaces.
fn cable() -> Result<Vec<File>, Error> {
    ip("ip link set lo up")?;
    ip("ip link add lan type bridge")?;
    ip("ip link set lan up")?;
    for (name, _) in SERVERS {
        ip(&format!("ip addr add {}/24 dev lan", address(name)))?;
    }
    PHONES.iter().map(|(name, _)| home(name)).collect()
}

/// A phone's namespace, whose device has the phone's name.
fn home(name: &str) -> Result<File, Error> {
    let made = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net")
    });
    let home = made.join().map_err(|_| Error::Telephony("a namespace".into()))??;
    let there = path(&home);
    ip(&format!("ip link add {name} type veth peer name {name}-far"))?;
    ip(&format!("ip link set {name}-far master lan"))?;
    ip(&format!("ip link set {name}-far up"))?;
    ip(&format!("ip link set {name} netns {there}"))?;
    ip(&format!("nsenter --net={there} ip link set lo up"))?;
    ip(&format!("nsenter --net={there} ip addr add {}/24 dev {name}", address(name)))?;
    ip(&format!("nsenter --net={there} ip link set {name} up"))?;
    Ok(home)
}

/// For other programs.
fn path(home: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), home.as_raw_fd())
}

fn ip(command: &str) -> Result<(), Error> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default()).args(words).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Telephony(format!("{command}: {}", String::from_utf8_lossy(&output.stderr))))
}
