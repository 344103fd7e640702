//! Streams that cross between shards: how links come and go.

use crate::command::{ImportConfig, MediaKind, StreamId};
use crate::crossing::{Body, Export, Import, LinkId};
use crate::event::CommandError;
use crate::state::State;
use crate::stream::{self, Stream};
use crate::{Time, limits};

impl State {
    pub(super) fn export(
        &mut self,
        stream: StreamId,
        link: LinkId,
        to: usize,
        now: Time,
    ) -> Result<(), CommandError> {
        let index = self.streams.index(stream).ok_or(CommandError::UnknownStream)?;
        let stream = self.streams.get_mut(index).ok_or(CommandError::UnknownStream)?;
        // A packet crosses once: an imported stream is not handed on.
        if stream.import.is_some() {
            return Err(CommandError::Invalid);
        }
        if self.crossings.exports.contains_key(&link) || stream.exports.iter().any(|it| it.to == to) {
            return Err(CommandError::Duplicate);
        }
        if stream.exports.len() >= limits::EXPORTS_PER_STREAM {
            return Err(CommandError::Full);
        }
        let (report, leg) = (stream.remote_report, stream.leg);
        stream.exports.push(Export { link, to, wanted: true });
        self.crossings.exports.insert(link, index);
        if let Some(report) = report {
            self.crossings.tell(to, link, Body::Report(report));
        }
        self.settle_patience(leg);
        // The wish of whoever it is for may have been here before the link was.
        self.want_key_frame(index, true, now);
        Ok(())
    }

    pub(super) fn end_export(&mut self, link: LinkId) -> Result<(), CommandError> {
        let index = self.crossings.exports.remove(&link).ok_or(CommandError::UnknownStream)?;
        if let Some(stream) = self.streams.get_mut(index) {
            stream.exports.retain(|export| export.link != link);
            if !stream.is_watched() {
                stream.key_frames.cancel();
            }
            let leg = stream.leg;
            self.settle_patience(leg);
        }
        Ok(())
    }

    pub(super) fn import(
        &mut self,
        id: StreamId,
        link: LinkId,
        from: usize,
        config: ImportConfig,
        now: Time,
    ) -> Result<(), CommandError> {
        let config = config.as_stream();
        let names = stream::check(&config).ok_or(CommandError::Invalid)?;
        if self.streams.contains(id) || self.crossings.imports.contains_key(&link) {
            return Err(CommandError::Duplicate);
        }
        if self.streams.is_full() {
            return Err(CommandError::Full);
        }
        let mut stream = Stream::new(id, NO_LEG, config, names);
        if stream.kind == MediaKind::Video {
            stream.cache.reserve();
        }
        stream.import = Some(Import::new(link, from, now));
        let index = self.streams.insert(id, stream);
        self.crossings.imports.insert(link, index);
        // Until a sender is routed to it. The export takes it for wanted: should this be there before the export is,
        // no harm is done, and what says otherwise comes behind it.
        self.crossings.tell(from, link, Body::Wanted(false));
        Ok(())
    }

    /// The links of a stream that went.
    pub(super) fn cut_links(&mut self, stream: &Stream) {
        for export in &stream.exports {
            self.crossings.exports.remove(&export.link);
        }
        if let Some(import) = &stream.import {
            self.crossings.imports.remove(&import.link);
        }
    }

    /// Tells the publisher's shard when the first sender here comes or the last one goes.
    pub(crate) fn tell_wanted(&mut self, index: u32) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        let wanted = !stream.senders.is_empty();
        let Some(import) = stream.import.as_mut().filter(|import| import.wanted != wanted) else { return };
        import.wanted = wanted;
        let (link, from) = (import.link, import.from);
        self.crossings.tell(from, link, Body::Wanted(wanted));
    }
}

/// No leg has this index.
const NO_LEG: u32 = u32::MAX;
