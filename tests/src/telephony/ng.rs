//! A client of the `ng` protocol for the tests' own questions: JSON behind a cookie, one datagram each way.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::Error;

/// A lost datagram is asked again after this; the relay answers a repeated cookie from memory.
const AGAIN: Duration = Duration::from_millis(500);
/// Times that a question is asked.
const TRIES: usize = 10;

/// A connection to a relay's control port.
pub struct Ng {
    socket: UdpSocket,
    asked: u32,
}

impl Ng {
    /// To this control port.
    pub async fn connect(relay: SocketAddr) -> Result<Ng, Error> {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect(relay).await?;
        Ok(Ng { socket, asked: 0 })
    }

    /// Sends a command and waits for its reply.
    pub async fn ask(&mut self, command: &Value) -> Result<Value, Error> {
        self.asked += 1;
        let cookie = format!("kaname-tests-{}-{}", self.socket.local_addr()?.port(), self.asked);
        let message = format!("{cookie} {command}");
        let mut buffer = vec![0; 65_536];
        for _ in 0..TRIES {
            // A relay that is not there yet refuses: that is no answer, ask again.
            let _ = self.socket.send(message.as_bytes()).await;
            let answered = tokio::time::timeout(AGAIN, async {
                loop {
                    let Ok(len) = self.socket.recv(&mut buffer).await else { continue };
                    let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
                    if let Some((theirs, body)) = text.split_once(' ')
                        && theirs == cookie
                    {
                        return body.to_owned();
                    }
                }
            });
            if let Ok(body) = answered.await {
                return serde_json::from_str(&body)
                    .map_err(|e| Error::Telephony(format!("ng: {e} in {body}")));
            }
        }
        Err(Error::Telephony(format!("ng: no reply to {command}")))
    }

    /// Waits until it answers pings.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let reply = self.ask(&json!({ "command": "ping" })).await?;
        if reply["result"] == "pong" {
            return Ok(());
        }
        Err(Error::Telephony(format!("ng: ping gave {reply}")))
    }

    /// The call-ids of all calls.
    pub async fn calls(&mut self) -> Result<Vec<String>, Error> {
        let reply = self.ask(&json!({ "command": "list", "limit": "1000" })).await?;
        let calls =
            reply["calls"].as_array().ok_or_else(|| Error::Telephony(format!("ng: list: {reply}")))?;
        Ok(calls.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
    }

    /// What is known of a call.
    pub async fn query(&mut self, call: &str) -> Result<Value, Error> {
        self.ask(&json!({ "command": "query", "call-id": call })).await
    }
}
