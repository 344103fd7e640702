//! A client that publishes by WHIP (RFC 9725) or plays by WHEP: one offer by HTTP, no WebSocket.

use std::sync::Arc;

use str0m::media::Direction;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::ClientError;
use super::media::{Media, add_sources, media_kind};
use super::session::SessionOptions;
use super::state::{self, Heard, Kind, PeerState};
use super::web::{self, Trust};
use crate::stamp::Ledger;

/// One WHIP or WHEP session.
pub struct HttpPeer {
    state: watch::Receiver<PeerState>,
    task: JoinHandle<()>,
    _stop: mpsc::Sender<()>,
    /// The URL of the session resource, to be deleted at the end.
    pub resource: String,
    token: String,
    trust: Trust,
}

/// What to do at an endpoint.
#[derive(Clone)]
pub struct HttpOptions {
    /// `http://HOST:PORT/whip/ROOM` or `…/whep/ROOM`.
    pub url: String,
    /// Bearer token.
    pub token: String,
    /// Certificates to accept.
    pub trust: Trust,
    /// Own number, if publishing; that of the publisher to recognise, if playing.
    pub number: u16,
    /// How to speak WebRTC.
    pub session: SessionOptions,
    /// Where packets are entered.
    pub ledger: Arc<Ledger>,
}

impl HttpPeer {
    /// Publishes sound and pictures.
    pub async fn publish(options: HttpOptions) -> Result<HttpPeer, ClientError> {
        let mut media = Media::new(&options.session, options.number, Arc::clone(&options.ledger)).await?;
        let mut api = media.session.rtc.sdp_api();
        let lines = add_sources(&mut api, &[Kind::Audio, Kind::Video]);
        let Some((offer, pending)) = api.apply() else {
            return Err(ClientError::Rtc("nothing to offer".into()));
        };
        let (resource, answer) = post(&options, &offer.to_sdp_string()).await?;
        media.session.accept(pending, &answer)?;
        for (mid, kind) in lines {
            media.publish(mid, &format!("whip-{}-{kind:?}", options.number), kind)?;
        }
        media.set_sending(true);
        Ok(HttpPeer::start(media, resource, &options))
    }

    /// Plays sound and pictures of the sender of the given number.
    pub async fn play(options: HttpOptions) -> Result<HttpPeer, ClientError> {
        let mut media = Media::new(&options.session, options.number, Arc::clone(&options.ledger)).await?;
        let mut api = media.session.rtc.sdp_api();
        let lines = [Kind::Audio, Kind::Video]
            .map(|kind| (api.add_media(media_kind(kind), Direction::RecvOnly, None, None, None), kind));
        let Some((offer, pending)) = api.apply() else {
            return Err(ClientError::Rtc("nothing to offer".into()));
        };
        let (resource, answer) = post(&options, &offer.to_sdp_string()).await?;
        media.session.accept(pending, &answer)?;
        for (mid, kind) in lines {
            let track = format!("whep-{}-{kind:?}", options.number);
            media.subscribe(mid, &track, Heard::new("", options.number, kind))?;
        }
        Ok(HttpPeer::start(media, resource, &options))
    }

    fn start(mut media: Media, resource: String, options: &HttpOptions) -> HttpPeer {
        let state = media.state.subscribe();
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        let task = tokio::spawn(async move {
            let ended = tokio::select! {
                ended = serve(&mut media) => ended.map_or_else(|e| e.to_string(), |()| "ended".to_owned()),
                _ = stopped.recv() => "stopped".to_owned(),
            };
            media.state.send_modify(|s| s.ended = Some(ended));
        });
        HttpPeer {
            state,
            task,
            _stop: stop,
            resource,
            token: options.token.clone(),
            trust: options.trust.clone(),
        }
    }

    /// What it has seen so far.
    pub fn state(&self) -> PeerState {
        self.state.borrow().clone()
    }

    /// Waits until what it has seen satisfies a condition; fails when the session ends first, or nothing comes of it.
    pub async fn until(&mut self, condition: impl Fn(&PeerState) -> bool) -> Result<PeerState, ClientError> {
        state::until(&mut self.state, condition).await
    }

    /// Deletes the session at the node; the status it answered.
    pub async fn leave(self) -> Result<u16, ClientError> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        Ok(web::request("DELETE", &self.resource, &headers, "", &self.trust).await?.status)
    }
}

impl Drop for HttpPeer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(media: &mut Media) -> Result<(), ClientError> {
    loop {
        let due = media.due();
        let at = due.unwrap_or_else(std::time::Instant::now);
        tokio::select! {
            done = media.wait() => done?,
            () = tokio::time::sleep_until(at.into()), if due.is_some() => media.send_due()?,
        }
    }
}

/// RFC 9725 section 4.2: the offer by POST, 201 with the answer and the session's `Location`.
async fn post(options: &HttpOptions, offer: &str) -> Result<(String, String), ClientError> {
    let bearer = format!("Bearer {}", options.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/sdp")];
    let answer = web::request("POST", &options.url, &headers, offer.to_owned(), &options.trust).await?;
    if answer.status != 201 {
        return Err(ClientError::Refused { code: answer.status.to_string(), message: answer.body });
    }
    let location =
        answer.header("location").ok_or_else(|| ClientError::Protocol("201 without Location".into()))?;
    Ok((resolve(&options.url, location), answer.body))
}

/// A `Location` may be a whole URL or a path.
pub(crate) fn resolve(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let authority_end = base
        .find("://")
        .and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash))
        .unwrap_or(base.len());
    format!("{}{location}", &base[..authority_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_resolve() {
        assert_eq!(resolve("http://h:1/whip/r", "/whip/r/s1"), "http://h:1/whip/r/s1");
        assert_eq!(resolve("http://h:1/whip/r", "https://x/y"), "https://x/y");
    }
}
