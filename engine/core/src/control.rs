//! Carries commands out. A command that cannot be carried out changes nothing.

mod legs;
mod links;
mod routes;
mod transport;

use crate::Time;
use crate::command::{Command, LegId};
use crate::event::{CommandError, Event, LegStats};
use crate::state::State;

impl State {
    /// Carries a command out, or answers with the failure.
    pub(crate) fn carry_out(&mut self, now: Time, command: Command) {
        let (name, leg) = describe(&command);
        if let Err(error) = self.dispatch(now, command) {
            self.events.push_back(Event::CommandFailed { leg, command: name, error });
        }
    }

    fn dispatch(&mut self, now: Time, command: Command) -> Result<(), CommandError> {
        match command {
            Command::AddLeg(config) => self.add_leg(*config, now),
            Command::RestartIce { leg, ice } => self.restart_ice(leg, ice),
            Command::SetRemote { leg, remote } => self.set_remote(leg, remote, now),
            Command::SetPlain { leg } => self.set_plain(leg, now),
            Command::SetExtensions { leg, extensions } => self.set_extensions(leg, extensions),
            Command::SetKeys { leg, inbound, outbound } => self.set_keys(leg, &inbound, &outbound, now),
            Command::SetKeysOf { leg, of, inbound, outbound } => {
                self.set_keys_of(leg, of, &inbound, &outbound, now)
            }
            Command::RemoveLeg { leg } => self.remove_leg(leg),
            Command::AddStream { leg, stream, config } => self.add_stream(leg, stream, *config),
            Command::RemoveStream { stream } => self.remove_stream(stream),
            Command::ExportStream { stream, link, to } => self.export(stream, link, to, now),
            Command::EndExport { link } => self.end_export(link),
            Command::ImportStream { stream, link, from, config } => {
                self.import(stream, link, from, *config, now)
            }
            Command::AddSender { leg, sender, config } => self.add_sender(leg, sender, *config),
            Command::RemoveSender { sender } => self.remove_sender(sender),
            Command::Route { sender, stream, payload_types } => {
                self.route(sender, stream, payload_types, now)
            }
            Command::Unroute { sender } => self.unroute(sender),
            Command::MuteStream { stream, muted } => self.mute(stream, muted, now),
            Command::RequestKeyFrame { stream } => {
                let index = self.streams.index(stream).ok_or(CommandError::UnknownStream)?;
                self.want_key_frame(index, false, now);
                Ok(())
            }
            Command::Bridge { leg, to } => self.bridge(leg, to),
            Command::SendDatagram { leg, path, data } => self.send_datagram(leg, path, &data),
            Command::QueryStats { leg, token } => self.query(leg, token, now),
        }
    }

    fn query(&mut self, leg: LegId, token: u64, now: Time) -> Result<(), CommandError> {
        let leg = self.legs.index(leg).and_then(|index| self.legs.get(index));
        let leg = leg.ok_or(CommandError::UnknownLeg)?;
        let stats = LegStats {
            path: leg.path(),
            round_trip: leg.round_trip,
            silence: leg.heard.map(|heard| now.since(heard)),
            packets_in: leg.packets_in,
            bytes_in: leg.bytes_in,
            packets_out: leg.packets_out,
            bytes_out: leg.bytes_out,
            streams: leg.streams.iter().filter_map(|it| Some(self.streams.get(*it)?.stats())).collect(),
            senders: leg.senders.iter().filter_map(|it| Some(self.senders.get(*it)?.stats())).collect(),
        };
        self.events.push_back(Event::Stats { token, stats: Box::new(stats) });
        Ok(())
    }
}

/// Its name in a failure, and the leg it is for where it names one.
fn describe(command: &Command) -> (&'static str, Option<LegId>) {
    match command {
        Command::AddLeg(config) => ("AddLeg", Some(config.leg)),
        Command::RestartIce { leg, .. } => ("RestartIce", Some(*leg)),
        Command::SetRemote { leg, .. } => ("SetRemote", Some(*leg)),
        Command::SetPlain { leg } => ("SetPlain", Some(*leg)),
        Command::SetExtensions { leg, .. } => ("SetExtensions", Some(*leg)),
        Command::SetKeys { leg, .. } => ("SetKeys", Some(*leg)),
        Command::SetKeysOf { leg, .. } => ("SetKeysOf", Some(*leg)),
        Command::RemoveLeg { leg } => ("RemoveLeg", Some(*leg)),
        Command::AddStream { leg, .. } => ("AddStream", Some(*leg)),
        Command::RemoveStream { .. } => ("RemoveStream", None),
        Command::ExportStream { .. } => ("ExportStream", None),
        Command::EndExport { .. } => ("EndExport", None),
        Command::ImportStream { .. } => ("ImportStream", None),
        Command::AddSender { leg, .. } => ("AddSender", Some(*leg)),
        Command::RemoveSender { .. } => ("RemoveSender", None),
        Command::Route { .. } => ("Route", None),
        Command::Unroute { .. } => ("Unroute", None),
        Command::MuteStream { .. } => ("MuteStream", None),
        Command::RequestKeyFrame { .. } => ("RequestKeyFrame", None),
        Command::Bridge { leg, .. } => ("Bridge", Some(*leg)),
        Command::SendDatagram { leg, .. } => ("SendDatagram", Some(*leg)),
        Command::QueryStats { leg, .. } => ("QueryStats", Some(*leg)),
    }
}
