//! All calls, and what is done with them.

use std::sync::Arc;

use kaname_engine::{EngineEvent, ShardId};

use super::actor::Now;
use super::config::CallsConfig;
use super::counters::CallsCounters;
use super::engine::{CallEngine, Refused};
use crate::ng::{self, Asked, Dictionary, Replies, ReplyTo, Request, Seen};

/// Everything that the actor owns.
pub(super) struct State {
    engine: Arc<dyn CallEngine>,
    config: CallsConfig,
    replies: Replies,
    counters: CallsCounters,
    draining: bool,
}

/// Whom to answer, and how.
pub(super) struct Asker {
    from: std::net::IpAddr,
    cookie: String,
    writing: ng::Writing,
    reply: ReplyTo,
}

impl State {
    pub(super) fn new(engine: Arc<dyn CallEngine>, config: CallsConfig) -> State {
        State {
            engine,
            config,
            replies: Replies::default(),
            counters: CallsCounters::default(),
            draining: false,
        }
    }

    pub(super) fn has_backlog(&self) -> bool {
        false
    }

    pub(super) fn flush(&mut self) {}

    pub(super) fn tick(&mut self, _now: Now) {}

    pub(super) fn event(&mut self, _now: Now, _shard: ShardId, _event: EngineEvent) {}

    pub(super) fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    pub(super) fn stop(&mut self, _now: Now) {}

    pub(super) fn counters(&self) -> CallsCounters {
        CallsCounters { draining: self.draining, ..self.counters.clone() }
    }

    /// Does a request, unless it was done before.
    pub(super) fn request(&mut self, now: Now, asked: Asked) {
        let Asked { from, request, reply } = asked;
        let Request { cookie, writing, dictionary } = request;
        match self.replies.look(now.at, from, &cookie) {
            Seen::Never => {}
            Seen::Underway => {
                self.counters.repeated_total += 1;
                return;
            }
            Seen::Answered(text) => {
                self.counters.repeated_total += 1;
                let _lost = reply.send(text);
                return;
            }
        }
        let asker = Asker { from, cookie, writing, reply };
        let command = dictionary.text("command").unwrap_or_default();
        let answer = match command {
            "ping" => Dictionary::new().with("result", "pong"),
            other => ng::error(&format!("unknown command {other:?}")),
        };
        self.answer(now, asker, &answer);
    }

    /// Answers, and keeps the answer in case it is lost on its way.
    pub(super) fn answer(&mut self, now: Now, asker: Asker, answer: &Dictionary) {
        let text: Arc<[u8]> = ng::reply(&asker.cookie, asker.writing, answer).into();
        self.replies.keep(now.at, asker.from, &asker.cookie, Arc::clone(&text));
        // What cannot go now is asked for again.
        let _lost = asker.reply.send(text);
    }
}
