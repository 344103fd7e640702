//! Whoever asks for something, and what they are told.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::actor::Now;
use super::error::{CallError, CallRefusal};
use super::state::State;
use crate::ng::{self, Dictionary, ReplyTo};

/// Whom to answer, and how.
#[derive(Debug)]
pub(super) enum Asker {
    /// A SIP proxy, over `ng`.
    Proxy { from: IpAddr, cookie: String, writing: ng::Writing, reply: ReplyTo },
    /// This node's own API.
    Api(oneshot::Sender<Result<Dictionary, CallRefusal>>),
}

impl State {
    /// Answers a proxy, and keeps the answer in case it is lost on its way; answers the API.
    pub(super) fn answer(&mut self, now: Now, asker: Asker, answer: &Dictionary) {
        match asker {
            Asker::Proxy { from, cookie, writing, reply } => {
                let text: Arc<[u8]> = ng::reply(&cookie, writing, answer).into();
                self.replies.keep(now.at, from, &cookie, Arc::clone(&text));
                // What cannot go now is asked for again.
                let _lost = reply.send(text);
            }
            Asker::Api(reply) => {
                // Whoever asked may have gone.
                let _gone = reply.send(Ok(answer.clone()));
            }
        }
    }

    pub(super) fn refuse(&mut self, now: Now, asker: Asker, error: CallError, knows_load_limit: bool) {
        *self.counters.refused_total.entry(error.code()).or_default() += 1;
        tracing::debug!(%error, "a request about calls is refused");
        if let Asker::Api(reply) = asker {
            let _gone = reply.send(Err(CallRefusal::of(&error)));
            return;
        }
        let answer = match &error {
            CallError::LoadLimit(why) if knows_load_limit => {
                Dictionary::new().with("result", "load limit").with("message", *why)
            }
            other => ng::error(&other.to_string()),
        };
        self.answer(now, asker, &answer);
    }
}
