//! A text with some of its lines replaced. What is not decided stays as it came, and where it stood.

mod attributes;
mod media;
mod origin;
mod session;
mod writer;

use std::net::IpAddr;

use kaname_engine::Fingerprint;

pub use attributes::{AttributeEdit, EditAction, EditScope};
pub use origin::{OriginKeeper, OriginRules};

use super::crypto::CryptoLine;
use super::dtls::Setup;
use super::format::Format;
use super::ice::Ice;
use super::protocol::Protocol;
use super::text::SessionText;
use crate::sdp::Direction;

/// The attribute that marks a text as rewritten by a relay: `a=rtpengine:<mark>`. SIP proxies' scripts know this name.
pub const LOOP_ATTRIBUTE: &str = "rtpengine";

/// What becomes of a line or a group of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays, or stays away.
    #[default]
    Keep,
    /// It goes.
    Remove,
    /// It is replaced where the first one stood, or added.
    Set(T),
}

/// `a=rtcp` (RFC 3605)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpLine {
    /// `a=rtcp:<port>`
    Port(u16),
    /// `a=rtcp:<port> IN IP4 <address>`
    Full(u16, IpAddr),
}

/// Lines for DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsLines {
    /// `a=fingerprint`
    pub fingerprint: Fingerprint,
    /// `a=setup`
    pub setup: Setup,
    /// `a=tls-id`; `None`: no such line.
    pub tls_id: Option<String>,
}

/// What becomes of the ICE lines of an m-line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IceChange {
    /// They stay.
    #[default]
    Keep,
    /// They go: `ice-ufrag`, `ice-pwd`, `ice-options`, `candidate`, `remote-candidates`, `end-of-candidates`,
    /// `ice-mismatch`, `ice-pacing`.
    Remove,
    /// Ours instead.
    Set(Ice),
    /// `ICE=force-relay`: theirs stay but for relayed ones, and these candidates of ours are added.
    Add(Vec<super::ice::Candidate>),
}

/// What is decided of one m-line. By default it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaRewrite {
    /// The address: in the m-line's own `c=`, or in the session's if that says it, or in a new line.
    pub address: Option<IpAddr>,
    /// The port of the m-line.
    pub port: Option<u16>,
    /// `a=rtcp`
    pub rtcp: Change<RtcpLine>,
    /// `a=rtcp-mux`: `Some(true)` adds it, `Some(false)` removes it and `a=rtcp-mux-only`.
    pub rtcp_mux: Option<bool>,
    /// The transport protocol.
    pub protocol: Option<Protocol>,
    /// The payload types in this order. Lines of those that stay, stay; `rtpmap` and `fmtp` of those that are new are
    /// added behind; `rtpmap`, `fmtp` and `rtcp-fb` of those that go, go.
    pub formats: Option<Vec<Format>>,
    /// `a=rtcp-fb` lines go, also those for `*` (towards a peer without feedback).
    pub remove_feedback: bool,
    /// `a=sendrecv` and so on.
    pub direction: Option<Direction>,
    /// `a=ptime`, in milliseconds.
    pub ptime: Change<u32>,
    /// All `a=crypto` lines: an empty list removes them.
    pub crypto: Option<Vec<CryptoLine>>,
    /// Crypto lines are written with the `=` of base64.
    pub pad_crypto: bool,
    /// `a=fingerprint`, `a=setup`, `a=tls-id`, `a=connection`.
    pub dtls: Change<DtlsLines>,
    /// ICE.
    pub ice: IceChange,
    /// `a=mid`
    pub mid: Change<String>,
    /// `a=label`
    pub label: Change<String>,
    /// `a=ssrc` and `a=ssrc-group` go, and `a=msid` stays: SSRCs change on their way through the relay.
    pub remove_ssrcs: bool,
    /// `a=extmap` and `a=extmap-allow-mixed` go.
    pub remove_extensions: bool,
    /// Refused: port 0, whatever `port` says, without keys, ICE and `a=bundle-only`.
    pub rejected: bool,
}

/// What is decided of a text. By default it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// For each m-line in order; those behind stay as they are.
    pub medias: Vec<MediaRewrite>,
    /// The address of `o=`.
    pub origin: Option<IpAddr>,
    /// The user name of `o=`.
    pub username: Option<String>,
    /// `s=`. That identifiers and versions stay in order over a dialogue is [`OriginKeeper`]'s business.
    pub session_name: Option<String>,
    /// The address of the session's `c=`, if there is one. It is replaced also unasked where an m-line with a new
    /// address has no `c=` of its own.
    pub connection: Option<IpAddr>,
    /// `a=ice-lite`: `Some(true)` adds it, `Some(false)` removes it.
    pub ice_lite: Option<bool>,
    /// Session-level lines of DTLS (`fingerprint`, `setup`, `tls-id`) go. Set it when m-lines get their own.
    pub remove_dtls: bool,
    /// Session-level ICE lines (`ice-ufrag`, `ice-pwd`, `ice-options`) go. Set it when m-lines get their own.
    pub remove_ice: bool,
    /// Session-level `a=crypto` and direction lines go. Set it when m-lines get their own.
    pub remove_media_defaults: bool,
    /// `a=group:BUNDLE`: the mids of one group; an empty list removes the line.
    pub bundle: Change<Vec<String>>,
    /// Adds [`LOOP_ATTRIBUTE`] with this mark.
    pub loop_mark: Option<String>,
    /// `a=extmap-allow-mixed` of the session goes.
    pub remove_extensions: bool,
    /// `sdp-attr`: done to the outcome, in order.
    pub attributes: Vec<AttributeEdit>,
}

/// Writes the text with what is decided.
pub fn rewrite(text: &SessionText, rewrite: &Rewrite) -> String {
    let after = session::connection(text, rewrite);
    let connection = media::SessionConnection { before: text.session().connection.as_ref(), after };
    let end = text.line_end();
    let mut out = String::with_capacity(text.as_str().len() + ROOM);
    session::write(text, rewrite, after).print(end, &mut out);
    let unchanged = MediaRewrite::default();
    for (index, view) in text.medias().iter().enumerate() {
        let media = rewrite.medias.get(index).unwrap_or(&unchanged);
        media::write(text, view, media, connection, &rewrite.attributes).print(end, &mut out);
    }
    out
}

/// Bytes that most rewriting adds, so that the text is seldom moved: keys and candidates.
const ROOM: usize = 2_048;
