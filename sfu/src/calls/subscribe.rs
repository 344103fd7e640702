//! Media that goes one way: what is published to nobody in particular, and copies for subscribers.
//!
//! Both are offers and answers with one end that has no leg: the audience of a publisher, or the source of a subscriber's
//! copy. It says what is needed so that the other end is negotiated with as in any call.

use super::actor::Now;
use super::answer::answer;
use super::error::CallError;
use super::model::{Agreed, Call};
use super::offer::offer;
use super::plan::{Manner, SideKey};
use super::requests::{check_names, ok};
use super::state::{CallKey, State};
use super::tools::Tools;
use crate::ng::flags::{All, Command, Flags, IceMode, Secret, Switch};
use crate::ng::sdp::codecs::publish_choice;
use crate::ng::sdp::mux::MuxRules;
use crate::ng::sdp::protocol::{Protocol, ProtocolWish};
use crate::ng::sdp::{Format, SessionText};
use crate::ng::{Dictionary, Value};

/// Where an end without a leg is said to be: nothing is ever sent there (RFC 863).
const HEAD: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
const DISCARD: u16 = 9;

/// Tags of ends without legs hold a blank, which no SIP tag can (RFC 3261 section 25.1).
fn hidden_tag(of: &str) -> String {
    format!("beside {of}")
}

impl State {
    pub(super) fn one_way(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        check_names(flags)?;
        match flags.command {
            Command::Publish => self.publish(now, flags),
            Command::SubscribeRequest => self.subscribe(now, flags),
            Command::SubscribeAnswer => self.subscribed(now, flags),
            _ => self.unsubscribe(now, flags),
        }
    }

    fn publish(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        let text = SessionText::parse(flags.sdp.as_ref().map_or("", Secret::as_str))?;
        let (key, is_new) = self.find_or_add(now, flags)?;
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let described = publish(&mut self.tools, now, call, flags, &text);
        if described.is_err() && is_new {
            self.forget(now, key);
        } else {
            self.replan(key, true);
        }
        Ok(ok().with("sdp", described?))
    }

    fn subscribe(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        let key = *self.names.get(&flags.call_id).ok_or(CallError::UnknownCall)?;
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let sources = sources(call, flags)?;
        let tag = match flags.to_tag.as_deref().filter(|tag| !tag.is_empty()) {
            Some(tag) => tag.to_owned(),
            None => self.tools.random.letters(16),
        };
        // Subscribing anew ends what was subscribed before.
        self.end_subscription(now, key, &tag);
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let described = subscribe(&mut self.tools, now, call, flags, &tag, &sources);
        if described.is_err() {
            self.end_subscription(now, key, &tag);
        }
        let described = described?;
        let Some(call) = self.calls.get(&key) else { return Err(CallError::UnknownCall) };
        let mut tags: Vec<&str> =
            sources.iter().map(|source| call.parties[source.party].tag.as_str()).collect();
        tags.dedup();
        let reply = ok().with("sdp", described).with("to-tag", tag);
        let reply = match tags.as_slice() {
            [one] => reply.with("from-tag", *one),
            _ => reply,
        };
        Ok(reply.with("from-tags", Value::List(tags.into_iter().map(Value::from).collect())))
    }

    fn subscribed(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        let text = SessionText::parse(flags.sdp.as_ref().map_or("", Secret::as_str))?;
        let key = *self.names.get(&flags.call_id).ok_or(CallError::UnknownCall)?;
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let tag = flags.to_tag.as_deref().unwrap_or_default();
        let party = call.by_tag(tag).filter(|party| !call.parties[*party].subscribed.is_empty());
        let party = party.ok_or(CallError::NoOffer)?;
        if !flags.has(Switch::AllowTranscoding) && !takes_all(call, party, &text) {
            return Err(CallError::NotAllTaken);
        }
        let from = Some(hidden_tag(tag));
        answer(&mut self.tools, now, call, &Flags { from_tag: from, ..flags.clone() }, &text)?;
        close_hidden(&mut self.tools, now, call);
        self.replan(key, true);
        Ok(ok())
    }

    fn unsubscribe(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        let key = *self.names.get(&flags.call_id).ok_or(CallError::UnknownCall)?;
        let tag = flags.to_tag.as_deref().unwrap_or_default();
        if self.end_subscription(now, key, tag) { Ok(ok()) } else { Err(CallError::UnknownTag) }
    }

    /// False: there is none under this tag.
    fn end_subscription(&mut self, now: Now, key: CallKey, tag: &str) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let party = call.by_tag(tag).filter(|party| !call.parties[*party].subscribed.is_empty());
        let Some(party) = party else { return false };
        let hidden = call.by_tag(&hidden_tag(tag));
        for index in [Some(party), hidden].into_iter().flatten() {
            call.parties[index].gone = true;
        }
        self.replan(key, false);
        if let Some(call) = self.calls.get_mut(&key) {
            let home = call.told.home();
            self.tools.close_ports(now, home, &mut call.parties[party]);
            close_hidden(&mut self.tools, now, call);
        }
        true
    }
}

/// An offer to nobody, answered by ourselves: we take the first codec that suits, and send nothing.
fn publish(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    text: &SessionText,
) -> Result<String, CallError> {
    let audience = hidden_tag(flags.from_tag.as_deref().unwrap_or_default());
    let towards = Flags {
        to_tag: Some(audience.clone()),
        protocol: ProtocolWish::Exactly(Protocol::Avp),
        ice: IceMode::Remove,
        rtcp_mux: MuxRules::default(),
        ..flags.clone()
    };
    offer(tools, now, call, &towards, text)?;
    hide(call, &audience);
    let mut answered = HEAD.to_owned();
    for view in text.medias() {
        let choice = publish_choice(&view.formats, &flags.codecs, &|format| tools.can(format));
        match choice.filter(|_| view.protocol.is_rtp() && !view.is_off()) {
            Some(codec) => {
                let events =
                    view.formats.iter().find(|it| it.is_event() && it.clock_rate == codec.clock_rate);
                let formats: Vec<&Format> = std::iter::once(codec).chain(events).collect();
                line(&mut answered, &view.kind, &formats, "recvonly");
            }
            None => {
                let word = view.format_words.first().map_or("0", String::as_str);
                answered.push_str(&format!("m={} 0 {} {word}\r\n", view.kind, view.protocol.name()));
            }
        }
    }
    let back = Flags { to_tag: Some(audience), protocol: ProtocolWish::Keep, ..flags.clone() };
    let described = answer(tools, now, call, &back, &SessionText::parse(&answered)?);
    close_hidden(tools, now, call);
    described
}

/// The m-lines that a subscriber is to get copies of.
fn sources(call: &Call, flags: &Flags) -> Result<Vec<SideKey>, CallError> {
    let named = |party: &super::model::Party| {
        let tag = |wanted: &str| party.tag == wanted || party.other_tags.iter().any(|other| other == wanted);
        if !flags.from_tags.is_empty() {
            flags.from_tags.iter().any(|wanted| tag(wanted))
        } else if let Some(wanted) = &flags.from_tag {
            tag(wanted)
        } else if flags.label.is_some() {
            party.label == flags.label
        } else {
            flags.all != All::None
        }
    };
    let is_source =
        |party: &super::model::Party| !party.hidden && party.subscribed.is_empty() && named(party);
    let agreed = call.live().filter(|(_, party)| is_source(party)).flat_map(|(index, party)| {
        // Of a fax there is one copy.
        let is_rtp = |agreed: &Agreed| !matches!(agreed.flow, Manner::Relay);
        let lines =
            party.medias.iter().enumerate().filter(move |(_, line)| line.agreed.as_ref().is_some_and(is_rtp));
        lines.map(move |(media, _)| SideKey { party: index, media })
    });
    let sources: Vec<SideKey> = agreed.collect();
    if sources.is_empty() { Err(CallError::UnknownTag) } else { Ok(sources) }
}

/// What the sources send is offered to the subscriber.
fn subscribe(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    tag: &str,
    sources: &[SideKey],
) -> Result<String, CallError> {
    let mut text = HEAD.to_owned();
    for source in sources {
        let media = &call.parties[source.party].medias[source.media];
        let sends = |agreed: &Agreed, format: &Format| {
            agreed.sound.formats.iter().any(|sent| sent.number == format.payload_type)
        };
        let formats = media.theirs.iter().flat_map(|view| &view.formats);
        let formats: Vec<&Format> = formats
            .filter(|format| media.agreed.as_ref().is_some_and(|agreed| sends(agreed, format)))
            .collect();
        line(&mut text, &media.kind, &formats, "sendonly");
    }
    let source = hidden_tag(tag);
    let towards =
        Flags { from_tag: Some(source.clone()), to_tag: Some(tag.to_owned()), label: None, ..flags.clone() };
    let described = offer(tools, now, call, &towards, &SessionText::parse(&text)?);
    hide(call, &source);
    if let Some(party) = call.by_tag(tag) {
        call.parties[party].subscribed = sources.to_vec();
        call.parties[party].label.clone_from(&flags.set_label);
    }
    described
}

/// Whether the answer has every codec that the subscriber was offered.
fn takes_all(call: &Call, party: usize, text: &SessionText) -> bool {
    let offered = call.parties[party].pending.iter().flat_map(|pending| &pending.medias);
    offered.zip(text.medias()).all(|(waits, view)| match waits {
        super::model::PendingMedia::Rtp(rtp) => {
            let mut audio = rtp.codecs.formats.iter().filter(|format| !format.is_supplement());
            view.is_off() || audio.all(|format| view.formats.iter().any(|taken| taken.is_same_codec(format)))
        }
        _ => true,
    })
}

/// The party has no leg, and is told of to nobody.
fn hide(call: &mut Call, tag: &str) {
    if let Some(party) = call.by_tag(tag) {
        call.parties[party].hidden = true;
    }
}

fn close_hidden(tools: &mut Tools, now: Now, call: &mut Call) {
    let home = call.told.home();
    for party in call.parties.iter_mut().filter(|party| party.hidden) {
        tools.close_ports(now, home, party);
    }
}

fn line(text: &mut String, kind: &str, formats: &[&Format], direction: &str) {
    let numbers: Vec<String> = formats.iter().map(|format| format.payload_type.to_string()).collect();
    text.push_str(&format!("m={kind} {DISCARD} RTP/AVP {}\r\n", numbers.join(" ")));
    for format in formats.iter().filter(|format| !format.name.is_empty()) {
        text.push_str(&format!("a=rtpmap:{}\r\n", format.rtpmap()));
        if let Some(fmtp) = &format.fmtp {
            text.push_str(&format!("a=fmtp:{} {fmtp}\r\n", format.payload_type));
        }
    }
    text.push_str(&format!("a={direction}\r\n"));
}
