//! Tokens, and the smallest HTTP client that can misbehave.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kaname_sfu::token::{Claims, GrantClaims, TokenKey, Tokens};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Only the key counts.
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(crate) fn tokens() -> Tokens {
    Tokens::new(TokenKey::secret(SECRET), 0)
}

pub(crate) fn participant(room: &str) -> String {
    token(room, GrantClaims::PARTICIPANT)
}

pub(crate) fn admin(room: &str) -> String {
    token(room, GrantClaims { admin: true, ..GrantClaims::PARTICIPANT })
}

pub(crate) fn token(room: &str, grants: GrantClaims) -> String {
    tokens().sign(&Claims::new(room, grants, Duration::from_secs(600))).unwrap()
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let wanted = name.to_ascii_lowercase();
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.to_ascii_lowercase() == wanted)
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of the error, which must have the one shape.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        assert!(json["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// A request in words: `GET /path`, headers, body.
pub(crate) struct Ask<'a> {
    pub(crate) line: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl<'a> Ask<'a> {
    pub(crate) fn new(line: &'a str) -> Ask<'a> {
        Ask { line, token: None, headers: &[], body: b"" }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.line);
        if let Some(token) = self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        bytes.extend_from_slice(self.body);
        bytes
    }

    pub(crate) async fn send(&self, address: SocketAddr) -> Reply {
        exchange(TcpStream::connect(address).await.unwrap(), &self.bytes()).await.unwrap()
    }
}

/// Writes, reads to the end, and takes the reply apart. The server may stop reading early, so a write may fail.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> io::Result<Reply> {
    let _refused_early = stream.write_all(request).await;
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes).await
        && bytes.is_empty()
    {
        return Err(error);
    }
    let split =
        bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status =
        head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut body = bytes[split + 4..].to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Ok(Reply { status, head, body })
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(line) = bytes.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        out.extend_from_slice(&bytes[line + 2..line + 2 + length]);
        bytes = &bytes[line + 4 + length..];
    }
    out
}
