//! Where forwarded sound goes.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use kaname_engine::audio::Rate;
use rustls::ClientConfig;
use rustls::pki_types::{IpAddr, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{self, TlsError};

/// A receiver's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardTo {
    tls: bool,
    host: ServerName<'static>,
    port: u16,
}

/// Not an address of a receiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of a receiver such as tls://speech.example:7444 or tcp://127.0.0.1:7444")]
pub struct ForwardToParseError;

impl ForwardTo {
    /// Whether the receiver has to prove who it is.
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for ForwardTo {
    type Err = ForwardToParseError;

    fn from_str(text: &str) -> Result<ForwardTo, ForwardToParseError> {
        let (scheme, address) = text.split_once("://").ok_or(ForwardToParseError)?;
        let tls = match scheme {
            "tcp" => false,
            "tls" => true,
            _ => return Err(ForwardToParseError),
        };
        let (host, port) = address.rsplit_once(':').ok_or(ForwardToParseError)?;
        // RFC 3986 section 3.2.2: IPv6 addresses, and they alone, stand in brackets.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let name = ServerName::try_from(bare.unwrap_or(host)).map_err(|_| ForwardToParseError)?.to_owned();
        let is_v6 = matches!(name, ServerName::IpAddress(IpAddr::V6(_)));
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(ForwardToParseError)?;
        if is_v6 == bare.is_some() {
            Ok(ForwardTo { tls, host: name, port })
        } else {
            Err(ForwardToParseError)
        }
    }
}

impl fmt::Display for ForwardTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "tcp" };
        let (host, port) = (self.host.to_str(), self.port);
        match self.host {
            ServerName::IpAddress(IpAddr::V6(_)) => write!(f, "{scheme}://[{host}]:{port}"),
            _ => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// Who gets forwarded sound, and how it is reached.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub(super) to: ForwardTo,
    pub(super) rate: Rate,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection, whatever protects it.
pub(super) trait Way: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

impl Receiver {
    /// One that wants this rate. Under TLS its certificate is checked with the CAs of a file, or else of the system.
    ///
    /// # Errors
    /// The operator's: no CA can be read.
    pub fn new(to: ForwardTo, rate: Rate, ca_file: Option<&Path>) -> Result<Receiver, TlsError> {
        let tls = if to.tls { Some(tls::client(ca_file)?) } else { None };
        Ok(Receiver { to, rate, tls })
    }

    pub(super) async fn connect(&self) -> io::Result<Box<dyn Way>> {
        let ForwardTo { host, port, .. } = &self.to;
        let socket = TcpStream::connect((host.to_str().as_ref(), *port)).await?;
        socket.set_nodelay(true)?;
        Ok(match &self.tls {
            Some(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(host.clone(), socket).await?)
            }
            None => Box::new(socket),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["tcp://127.0.0.1:9", "tls://speech.example:7444", "tcp://[2001:db8::7]:9"] {
            let to: ForwardTo = text.parse().unwrap();
            assert_eq!((to.to_string().as_str(), to.is_tls()), (text, text.starts_with("tls")));
        }
        for text in [
            "127.0.0.1:9",
            "udp://127.0.0.1:9",
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:0",
            "tcp://127.0.0.1:70000",
            "tcp://:9",
            "tcp://2001:db8::7:9",
            "tcp://[host]:9",
            "tcp://a b:9",
            "tls://host:9/path",
        ] {
            assert_eq!(text.parse::<ForwardTo>(), Err(ForwardToParseError), "{text}");
        }
    }
}
