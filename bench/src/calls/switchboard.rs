//! Setting calls up and down: what a SIP proxy and its telephones say, with nobody in between.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::CallError;
use super::case::{Case, Guard, Side};
use super::end::{Connected, End, Ports};
use super::ng::{Client, Request};
use super::sdp::{Node, Own, Types};
use crate::rivals::link::{Identity, handshake};
use crate::rivals::{Keys, Suite};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long one flight of it is waited for before it is sent again.
const FLIGHT: Duration = Duration::from_millis(50);

/// A call that is up.
pub(super) struct Call {
    pub(super) caller: End,
    pub(super) callee: End,
}

/// Connects calls of one kind through one node.
pub(super) struct Switchboard {
    client: Client,
    case: Case,
    suite: Suite,
    host: IpAddr,
    ports: Ports,
    identity: Option<Identity>,
    /// Tells this run's calls from those of others at the same node.
    run: u32,
    next: u64,
    /// Calls that the node knows of.
    up: Vec<u64>,
}

/// An end ahead of its connection.
struct Opened {
    sockets: (UdpSocket, UdpSocket),
    at: SocketAddr,
    keys: Option<Keys>,
}

impl Switchboard {
    /// Ends live at `host`.
    pub(super) fn new(
        client: Client,
        case: Case,
        suite: Suite,
        host: IpAddr,
    ) -> Result<Switchboard, CallError> {
        let identity = case.shakes_hands().then(Identity::new).transpose()?;
        let run = getrandom::u32().map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Switchboard {
            client,
            case,
            suite,
            host,
            ports: Ports::new(host),
            identity,
            run,
            next: 0,
            up: Vec::new(),
        })
    }

    /// Sets up one more call.
    pub(super) fn connect(&mut self) -> Result<Call, CallError> {
        let number = self.next;
        self.next += 1;
        let Case { caller, callee, .. } = self.case;
        let (calling, called) = (self.open(caller)?, self.open(callee)?);

        let types = Types::offered(caller.sound);
        let own_keys = calling.keys.as_ref().map(|keys| ("1", keys));
        let offer = self.own(&calling, caller, types, own_keys, "actpass").sdp();
        let request = offer_request(&self.case, self.of_call("offer", number).text("sdp", &offer));
        self.up.push(number);
        let to_callee = Node::new(self.client.describe("offer", &request)?);
        if to_callee.protocol() != Some(callee.guard.protocol()) {
            let why = format!("the node does not offer {}: {to_callee:?}", callee.guard.protocol());
            return Err(CallError::Setup(why));
        }
        let callee_types = to_callee.types(callee.sound).map_err(CallError::Setup)?;
        let theirs = self.theirs(callee, &to_callee)?;
        let tag_and_keys = theirs.as_ref().zip(called.keys.as_ref());
        let own_keys = tag_and_keys.map(|((tag, _), keys)| (tag.as_str(), keys));
        let answer = self.own(&called, callee, callee_types, own_keys, "active").sdp();
        let request = self.of_call("answer", number).text("to-tag", "callee").text("sdp", &answer);
        let to_caller = Node::new(self.client.describe("answer", &request)?);

        let callee = self.end(callee, called, theirs, &to_callee, callee_types)?;
        let theirs = self.theirs(caller, &to_caller)?;
        let caller = self.end(caller, calling, theirs, &to_caller, types)?;
        Ok(Call { caller, callee })
    }

    /// Ends all calls; the first complaint of the node, if it has one.
    pub(super) fn hang_up(&mut self) -> Result<(), CallError> {
        let mut first = Ok(());
        for number in std::mem::take(&mut self.up) {
            // At once: nodes keep deleted calls for a while, and the next step needs the ports.
            let request = self.of_call("delete", number).number("delete-delay", 0);
            let done = self.client.ask("delete", &request);
            first = first.and(done.map(drop).map_err(CallError::from));
        }
        first
    }

    fn of_call(&self, command: &str, number: u64) -> Request {
        let id = format!("{:08x}-{number}@bench", self.run);
        Request::new(command).text("call-id", &id).text("from-tag", "caller")
    }

    fn open(&mut self, side: Side) -> Result<Opened, CallError> {
        let sockets = self.ports.pair()?;
        let at = SocketAddr::new(self.host, sockets.0.local_addr()?.port());
        let keys = (side.guard == Guard::Sdes).then(|| fresh(self.suite)).transpose()?;
        Ok(Opened { sockets, at, keys })
    }

    fn own<'a>(
        &'a self,
        opened: &Opened,
        side: Side,
        types: Types,
        keys: Option<(&'a str, &'a Keys)>,
        setup: &'a str,
    ) -> Own<'a> {
        let fingerprint = self.identity.as_ref().map_or("", |identity| &identity.fingerprint);
        Own { at: opened.at, side, types, keys, fingerprint, setup }
    }

    /// The tag and the keys that the node protects with, in its own SDP.
    fn theirs(&self, side: Side, node: &Node) -> Result<Option<(String, Keys)>, CallError> {
        let found = (side.guard == Guard::Sdes).then(|| node.keys(self.suite)).transpose();
        found.map_err(CallError::Setup)
    }

    fn end(
        &self,
        side: Side,
        opened: Opened,
        theirs: Option<(String, Keys)>,
        node: &Node,
        gets: Types,
    ) -> Result<End, CallError> {
        let remote = node.address().map_err(CallError::Setup)?;
        let sends = node.types(side.sound).map_err(CallError::Setup)?;
        let keys = match (&self.identity, side.guard) {
            (Some(identity), Guard::Dtls) => {
                let socket = &opened.sockets.0;
                socket.set_read_timeout(Some(FLIGHT))?;
                let fingerprint = node.fingerprint().map_err(CallError::Setup)?;
                let until = Instant::now() + HANDSHAKE;
                Some(handshake(socket, identity, (remote, &fingerprint), self.suite, until, |_| ())?)
            }
            _ => opened.keys.zip(theirs.map(|(_, keys)| keys)),
        };
        End::new(Connected { sockets: opened.sockets, side, sends, gets, remote, keys })
    }
}

/// What a SIP proxy asks of an offer of this kind.
pub(super) fn offer_request(case: &Case, request: Request) -> Request {
    let mut request = request.text("transport-protocol", case.callee.guard.protocol()).text("ICE", "remove");
    request = match case.callee.guard {
        Guard::Dtls => request.list("rtcp-mux", ["offer"]),
        _ => request.text("DTLS", "off"),
    };
    if !case.transcodes() {
        return request;
    }
    let (theirs, own) = (case.callee.sound.name(), case.caller.sound.name());
    request.lists("codec", &[("transcode", &[theirs]), ("mask", &[own])])
}

/// Keys that nobody has.
fn fresh(suite: Suite) -> Result<Keys, CallError> {
    let (key, salt) = suite.lengths();
    let mut bytes = vec![0; key + salt];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    let salt = bytes.split_off(key);
    Ok(Keys { suite, key: bytes, salt })
}
