//! A client of the `ng` protocol over UDP, as SIP proxies are: own cookies, and requests repeated under the same cookie
//! until they are answered.

mod message;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

pub(crate) use message::{Answer, Request};

use super::limits::{ANSWER, ANSWER_WITHIN, TRIES};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NgError {
    /// The node said no.
    #[error("{command}: {reason}")]
    Refused {
        /// What was asked.
        command: String,
        /// The node's words.
        reason: String,
    },
    /// Nothing came.
    #[error("{command}: no answer from {relay} to {TRIES} requests")]
    Silent {
        /// What was asked.
        command: String,
        /// Who was asked.
        relay: SocketAddr,
    },
    /// Something came that is no answer.
    #[error("not an answer of ng: {0}")]
    Malformed(String),
    /// This machine failed.
    #[error("this machine: {0}")]
    Io(#[from] io::Error),
}

/// The number of a cookie, and the answer to its request or the node's refusal.
pub(super) type Taken = (u64, Result<Answer, String>);

/// A client of one node.
pub(crate) struct Client {
    socket: UdpSocket,
    relay: SocketAddr,
    /// Differs from client to client: nodes keep answers by cookie.
    prefix: String,
    next: u64,
    buffer: Vec<u8>,
}

impl Client {
    /// Of the node at an address.
    pub(crate) fn connect(relay: SocketAddr) -> Result<Client, NgError> {
        let any = if relay.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(relay)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        let random = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Client { socket, relay, prefix: format!("{random:08x}"), next: 0, buffer: vec![0; ANSWER] })
    }

    /// The node's address.
    pub(crate) fn relay(&self) -> SocketAddr {
        self.relay
    }

    /// Whether the node is there. Asks once.
    pub(crate) fn ping(&mut self) -> Result<(), NgError> {
        self.ask_times("ping", &Request::new("ping"), 1).map(drop)
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// When the node refuses or stays silent.
    pub(crate) fn ask(&mut self, command: &str, request: &Request) -> Result<Answer, NgError> {
        self.ask_times(command, request, TRIES)
    }

    /// The same, for the SDP that the node answers with.
    pub(crate) fn describe(&mut self, command: &str, request: &Request) -> Result<String, NgError> {
        let answer = self.ask(command, request)?;
        answer.text("sdp").ok_or_else(|| refused(command, "an answer without SDP".into()))
    }

    fn ask_times(&mut self, command: &str, request: &Request, tries: u32) -> Result<Answer, NgError> {
        let cookie = self.cookie();
        let datagram = request.datagram(&cookie).map_err(NgError::Malformed)?;
        for _ in 0..tries {
            self.socket.send(&datagram)?;
            let until = Instant::now() + ANSWER_WITHIN;
            // A refused port shows as an error of receiving; what is late shows as a timeout.
            while let Ok(len) = self.socket.recv(&mut self.buffer) {
                let (came, answer) = Answer::read(&self.buffer[..len]).map_err(NgError::Malformed)?;
                if came == cookie {
                    return answer.accepted().map_err(|reason| refused(command, reason));
                }
                // An answer to an earlier request that was repeated.
                if Instant::now() > until {
                    break;
                }
            }
        }
        Err(NgError::Silent { command: command.to_owned(), relay: self.relay })
    }

    fn cookie(&mut self) -> String {
        self.next += 1;
        format!("{}_{}", self.prefix, self.next)
    }

    /// From now on nothing waits: for [`Client::post`] and [`Client::take`].
    pub(super) fn without_waiting(self) -> Result<Client, NgError> {
        self.socket.set_nonblocking(true)?;
        Ok(self)
    }

    /// Takes that back: [`Client::ask`] waits again.
    pub(super) fn wait_for_answers(&self) -> Result<(), NgError> {
        Ok(self.socket.set_nonblocking(false)?)
    }

    /// The socket, to wait for it.
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends a request, for its cookie's number and the datagram to repeat.
    pub(super) fn post(&mut self, request: &Request) -> Result<(u64, Vec<u8>), NgError> {
        let cookie = self.cookie();
        let datagram = request.datagram(&cookie).map_err(NgError::Malformed)?;
        self.repeat(&datagram)?;
        Ok((self.next, datagram))
    }

    /// Sends a request again.
    pub(super) fn repeat(&self, datagram: &[u8]) -> Result<(), NgError> {
        match self.socket.send(datagram) {
            // No room now: it is lost, as on any network, and repeated later.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// An answer that is there.
    pub(super) fn take(&mut self) -> Result<Option<Taken>, NgError> {
        let len = match self.socket.recv(&mut self.buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (cookie, answer) = Answer::read(&self.buffer[..len]).map_err(NgError::Malformed)?;
        let number = cookie.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('_')?.parse().ok());
        let number = number.ok_or_else(|| NgError::Malformed(format!("a cookie of nobody: {cookie}")))?;
        Ok(Some((number, answer.accepted())))
    }
}

fn refused(command: &str, reason: String) -> NgError {
    NgError::Refused { command: command.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that loses the first request, and then answers everything twice.
    fn forgetful(socket: UdpSocket, requests: usize) -> std::thread::JoinHandle<Vec<Vec<u8>>> {
        std::thread::spawn(move || {
            let mut came = Vec::new();
            let mut buffer = [0; 2048];
            while came.len() < requests {
                let (len, from) = socket.recv_from(&mut buffer).unwrap();
                came.push(buffer[..len].to_vec());
                if came.len() == 1 {
                    continue;
                }
                let blank = buffer.iter().position(|byte| *byte == b' ').unwrap();
                let answer = [&buffer[..=blank], b"d6:result4:ponge"].concat();
                socket.send_to(&answer, from).unwrap();
                socket.send_to(&answer, from).unwrap();
            }
            came
        })
    }

    #[test]
    fn a_lost_request_is_repeated_under_its_cookie_and_late_answers_are_no_answers() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut client = Client::connect(socket.local_addr().unwrap()).unwrap();
        let node = forgetful(socket, 3);
        client.ask("ping", &Request::new("ping")).unwrap();
        client.ask("ping", &Request::new("ping")).unwrap();
        let came = node.join().unwrap();
        assert_eq!(came[0], came[1]);
        assert_ne!(came[1], came[2]);
    }

    #[test]
    fn a_node_that_is_not_there_is_said_so() {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(Client::connect(nobody).unwrap().ping().is_err());
    }
}
