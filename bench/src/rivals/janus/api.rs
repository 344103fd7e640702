//! Janus's JSON over HTTP: a session, one plugin handle in it, and messages to it.

use serde_json::{Value, json};

use crate::client::{Trust, web};
use crate::rivals::RivalError;

/// Events looked at before the answer to a message counts as lost. Each look waits up to half a minute.
const EVENTS_MAX: usize = 50;

/// A session.
pub(super) struct Api {
    base: String,
    runtime: tokio::runtime::Runtime,
    session: u64,
    handle: u64,
    transaction: u64,
}

impl Api {
    pub(super) fn new(port: u16) -> Result<Api, RivalError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Api {
            base: format!("http://127.0.0.1:{port}/janus"),
            runtime,
            session: 0,
            handle: 0,
            transaction: 0,
        })
    }

    pub(super) fn ping(&mut self) -> Result<(), RivalError> {
        self.post("", json!({"janus": "ping"})).map(drop)
    }

    /// Makes the session and attaches a plugin.
    pub(super) fn begin(&mut self, plugin: &str) -> Result<(), RivalError> {
        self.session = id(&self.post("", json!({"janus": "create"}))?)?;
        let path = format!("/{}", self.session);
        self.handle = id(&self.post(&path, json!({"janus": "attach", "plugin": plugin}))?)?;
        Ok(())
    }

    /// Sends a message to the plugin, with an offer or without, and waits for its answer.
    pub(super) fn message(&mut self, body: Value, offer: Option<&str>) -> Result<Value, RivalError> {
        let mut message = json!({"janus": "message", "body": body});
        if let Some(sdp) = offer {
            message["jsep"] = json!({"type": "offer", "sdp": sdp});
        }
        let path = format!("/{}/{}", self.session, self.handle);
        let mut answer = self.post(&path, message)?;
        if answer["janus"] == "ack" {
            answer = self.event(answer["transaction"].clone())?;
        }
        if !answer["plugindata"]["data"]["error"].is_null() {
            return Err(RivalError::Setup(format!("Janus refused: {}", answer["plugindata"]["data"])));
        }
        Ok(answer)
    }

    /// The event that answers a message which the plugin took its time for.
    fn event(&mut self, transaction: Value) -> Result<Value, RivalError> {
        let url = format!("{}/{}?maxev=1", self.base, self.session);
        for _ in 0..EVENTS_MAX {
            let reply = self.runtime.block_on(web::request("GET", &url, &[], "", &Trust::Plain))?;
            let event: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            if event["transaction"] == transaction {
                return Ok(event);
            }
        }
        Err(RivalError::Setup("Janus never answered".into()))
    }

    fn post(&mut self, path: &str, mut body: Value) -> Result<Value, RivalError> {
        self.transaction += 1;
        body["transaction"] = self.transaction.to_string().into();
        let url = format!("{}{path}", self.base);
        let reply =
            self.runtime.block_on(web::request("POST", &url, &[], body.to_string(), &Trust::Plain))?;
        let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        match answer["janus"].as_str() {
            Some("success" | "ack" | "pong") => Ok(answer),
            _ => Err(RivalError::Setup(format!("Janus: {}", reply.body))),
        }
    }
}

fn id(answer: &Value) -> Result<u64, RivalError> {
    answer["data"]["id"].as_u64().ok_or_else(|| RivalError::Setup(format!("Janus gave no id: {answer}")))
}
