//! What telephone calls need: ports, files, folders.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use super::Finding;
use super::machine::PORTS_A_CALL;
use crate::config::Config;
use crate::serve;

/// Nothing where nobody means to have calls: without a proxy the API alone can ask for them, and whoever uses it sets the
/// interfaces.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    if !config.ng.is_open() && config.calls.interfaces.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![interfaces(config), range(config)];
    let calls = &config.calls;
    for (setting, folder, must_write) in [
        ("calls.recordings", calls.recordings.as_deref(), true),
        ("calls.prompts", calls.prompts.as_deref(), false),
        ("calls.records_file", calls.records_file.as_deref().and_then(Path::parent), true),
    ] {
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
            findings.push(self::folder(setting, folder, must_write));
        }
    }
    if let Err(error) = serve::receiver(config) {
        findings.push(Finding::fail("receiver", error.to_string(), "mend the file or its permissions"));
    }
    findings
}

fn interfaces(config: &Config) -> Finding {
    let interfaces = serve::call_interfaces(config);
    let list = interfaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let foreign = interfaces.iter().find(|each| UdpSocket::bind((each.local, 0)).is_err());
    if let Some(foreign) = foreign {
        let advice =
            "this machine has no such address; change calls.interfaces (`ip addr` lists those it has)";
        return Finding::fail("calls", format!("no port can be opened on {}", foreign.local), advice);
    }
    if interfaces.iter().all(|each| each.advertised.is_loopback()) {
        let advice = "phones cannot reach it; set calls.interfaces";
        return Finding::warn("calls", format!("calls' media is offered on {list} alone"), advice);
    }
    Finding::ok("calls", format!("calls' media is offered on {list}"))
}

/// Whether the range suffices, and whether others sit in it: the ends and the middle are tried.
fn range(config: &Config) -> Finding {
    let calls = &config.calls;
    let (first, last) = (calls.port_min, calls.port_max);
    let ports = usize::from(last.saturating_sub(first)) + 1;
    let addresses = serve::call_interfaces(config);
    let needed = calls.max_calls * PORTS_A_CALL;
    let mut tried = [first, first + (last - first) / 2, last].into_iter();
    let taken = |port: &u16| {
        addresses.iter().any(|each| UdpSocket::bind(SocketAddr::new(each.local, *port)).is_err())
    };
    if let Some(port) = tried.find(taken) {
        let advice = format!(
            "stop what uses it (`ss -lunp 'sport = :{port}'`), or change calls.port_min and calls.port_max"
        );
        return Finding::warn("ports", format!("port {port}, one of calls' media ports, is in use"), advice);
    }
    if ports * addresses.len().max(1) < needed {
        let message = format!(
            "{ports} media ports on {} address(es) suffice for {} calls, and calls.max_calls = {}",
            addresses.len(),
            ports * addresses.len() / PORTS_A_CALL,
            calls.max_calls
        );
        return Finding::warn(
            "ports",
            message,
            "widen calls.port_min and calls.port_max, add interfaces, or lower calls.max_calls",
        );
    }
    Finding::ok("ports", format!("media ports {first} to {last}, enough for {} calls", calls.max_calls))
}

fn folder(setting: &str, folder: &Path, must_write: bool) -> Finding {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(meta) if !meta.is_dir() => {
            Finding::fail("folders", format!("{setting}: {shown} is no folder"), "name a folder")
        }
        Ok(meta) if must_write && meta.permissions().readonly() => {
            let advice = "give the node's user the right to write there";
            Finding::fail("folders", format!("{setting}: {shown} cannot be written to"), advice)
        }
        Ok(_) => Finding::ok("folders", format!("{setting}: {shown} is there")),
        Err(error) => Finding::fail(
            "folders",
            format!("{setting}: {shown}: {error}"),
            "make the folder, or change the setting",
        ),
    }
}
