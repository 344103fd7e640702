//! Every command gets a reply that says what it should.

use super::fake::{Bench, about, config, sdp};
use crate::ng::Dictionary;
use crate::ng::flags::Command;

/// The command with all it needs, for a call that is up.
fn request(command: Command) -> Dictionary {
    let offer = sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "");
    let all = about(command.name(), "c", "a", "b");
    match command {
        Command::Offer | Command::Answer => all.with("sdp", offer),
        Command::Publish => Dictionary::new()
            .with("command", "publish")
            .with("call-id", "p")
            .with("from-tag", "p")
            .with("sdp", offer),
        Command::SubscribeRequest => Dictionary::new()
            .with("command", "subscribe request")
            .with("call-id", "c")
            .with("from-tag", "a")
            .with("to-tag", "s"),
        Command::SubscribeAnswer => {
            about(command.name(), "c", "a", "s").with("sdp", sdp("203.0.113.9", 9_000, "RTP/AVP 8 101", ""))
        }
        Command::Unsubscribe => about(command.name(), "c", "a", "s"),
        Command::PlayDtmf => all.with("code", "5"),
        _ => all,
    }
}

#[test]
fn each_is_answered_for_a_call_that_is_up() {
    let mut bench = Bench::new(config());
    bench.call("c");
    for command in Command::ALL.into_iter().filter(|command| *command != Command::Delete) {
        let reply = bench.ask(request(command));
        let (result, why) = (reply.text("result"), reply.text("error-reason").unwrap_or_default());
        match command {
            Command::Ping => assert_eq!(result, Some("pong")),
            // It plays from memory or a file, and neither is named.
            Command::PlayMedia => assert!(result == Some("error") && why.contains("file"), "{reply:?}"),
            // Nobody is configured whom it could go to.
            Command::StartForwarding => {
                assert!(result == Some("error") && why.contains("calls.forward_to"), "{reply:?}");
            }
            _ => assert_eq!(result, Some("ok"), "{command}: {reply:?}"),
        }
        let has_text = matches!(
            command,
            Command::Offer | Command::Answer | Command::Publish | Command::SubscribeRequest
        );
        assert_eq!(reply.text("sdp").is_some(), has_text, "{command}: {reply:?}");
    }
    for (command, key) in
        [(Command::Query, "tags"), (Command::Statistics, "statistics"), (Command::List, "calls")]
    {
        assert!(bench.ask(request(command)).get(key).is_some(), "{command}: {key}");
    }
    let reply = bench.ask(request(Command::Delete));
    assert!(reply.text("result") == Some("ok") && reply.get("totals").is_some(), "{reply:?}");
}

#[test]
fn each_says_what_is_wrong_where_there_is_no_call() {
    let mut bench = Bench::new(config());
    for command in Command::ALL {
        let reply = bench.ask(request(command));
        match command {
            Command::Ping | Command::List | Command::Statistics | Command::Offer | Command::Publish => {
                assert!(matches!(reply.text("result"), Some("ok" | "pong")), "{command}: {reply:?}");
                // What it began is no part of the others' case.
                bench.ask(about("delete", "c", "a", ""));
            }
            Command::Delete => {
                assert!(reply.text("warning").unwrap().contains("unknown call-id"), "{reply:?}")
            }
            _ => {
                let why = reply.text("error-reason").unwrap_or_default();
                assert!(why.contains("unknown call-id"), "{command}: {reply:?}");
            }
        }
    }
    assert_eq!(bench.ask(about("no such command", "c", "a", "")).text("result"), Some("error"));
}
