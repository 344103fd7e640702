//! WHIP (RFC 9725): one POST publishes; and WHEP, its mirror: one POST watches.
//!
//! The node is ICE-lite and puts its candidates into the answer, so trickled candidates are taken and not needed; an ICE restart is answered.

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::body;
use super::error::{ApiError, ErrorBody};
use super::resources::{Protocol, Resource, random_name};
use super::state::App;
use crate::node::{Choice, FragmentReply, Grants, JoinRequest, LeaveReason, PeerId, TrackId};
use crate::token::{Claims, TokenError};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// What to watch.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WatchQuery {
    /// Only tracks of this peer (`p_…`).
    peer: Option<String>,
    /// Only this track (`t_…`).
    track: Option<String>,
}

impl WatchQuery {
    fn choice(uri: &Uri) -> Result<Choice, ApiError> {
        let query = Query::<WatchQuery>::try_from_uri(uri);
        let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
        match (query.peer, query.track) {
            (None, None) => Ok(Choice::Any),
            (Some(peer), None) => Ok(Choice::Peer(PeerId::new(peer))),
            (None, Some(track)) => Ok(Choice::Track(TrackId::new(track))),
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("the address has both `peer` and `track`; give one of them"))
            }
        }
    }
}

/// What a POST is for.
enum Purpose {
    Publish,
    Watch(Choice),
}

impl Purpose {
    fn protocol(&self) -> Protocol {
        match self {
            Purpose::Publish => Protocol::Whip,
            Purpose::Watch(_) => Protocol::Whep,
        }
    }
}

/// Publish into a room (RFC 9725)
///
/// The body is an SDP offer; audio becomes the peer's microphone, video its camera. Needs the `publish` grant.
#[utoipa::path(post, path = "/whip/{room}", tag = "whip", security(("token" = [])), params(("room" = String, Path)),
    request_body(content = String, content_type = "application/sdp"), responses(
    (status = 201, body = String, content_type = "application/sdp", headers(("Location" = String), ("ETag" = String))),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn whip(
    State(app): State<App>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    create(app, Protocol::Whip, room, request).await
}

/// Watch a room (WHEP)
///
/// The body is an SDP offer that receives; it gets at most one published track for each of its m-lines. Needs the `subscribe` grant.
#[utoipa::path(post, path = "/whep/{room}", tag = "whep", security(("token" = [])), params(("room" = String, Path), WatchQuery),
    request_body(content = String, content_type = "application/sdp"), responses(
    (status = 201, body = String, content_type = "application/sdp", headers(("Location" = String), ("ETag" = String))),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn whep(
    State(app): State<App>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    create(app, Protocol::Whep, room, request).await
}

/// What WHIP accepts
#[utoipa::path(options, path = "/whip/{room}", tag = "whip", params(("room" = String, Path)), responses(
    (status = 204, headers(("Accept-Post" = String)))))]
pub(super) async fn whip_options() -> Response {
    options()
}

/// What WHEP accepts
#[utoipa::path(options, path = "/whep/{room}", tag = "whep", params(("room" = String, Path)), responses(
    (status = 204, headers(("Accept-Post" = String)))))]
pub(super) async fn whep_options() -> Response {
    options()
}

/// Trickle a candidate, or restart ICE (RFC 9725 section 4.3)
#[utoipa::path(patch, path = "/whip/{room}/{session}", tag = "whip", security(("token" = [])),
    params(("room" = String, Path), ("session" = String, Path), ("If-Match" = String, Header)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses(
    (status = 200, body = String, content_type = "application/trickle-ice-sdpfrag", headers(("ETag" = String))), (status = 204),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 428, body = ErrorBody)))]
pub(super) async fn whip_patch(
    State(app): State<App>,
    Path(at): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    patch(app, Protocol::Whip, at, request).await
}

/// Trickle a candidate, or restart ICE
#[utoipa::path(patch, path = "/whep/{room}/{session}", tag = "whep", security(("token" = [])),
    params(("room" = String, Path), ("session" = String, Path), ("If-Match" = String, Header)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses(
    (status = 200, body = String, content_type = "application/trickle-ice-sdpfrag", headers(("ETag" = String))), (status = 204),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 428, body = ErrorBody)))]
pub(super) async fn whep_patch(
    State(app): State<App>,
    Path(at): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    patch(app, Protocol::Whep, at, request).await
}

/// Stop publishing
#[utoipa::path(delete, path = "/whip/{room}/{session}", tag = "whip", security(("token" = [])),
    params(("room" = String, Path), ("session" = String, Path)), responses((status = 200), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn whip_delete(
    State(app): State<App>,
    Path(at): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    delete(app, Protocol::Whip, at, headers).await
}

/// Stop watching
#[utoipa::path(delete, path = "/whep/{room}/{session}", tag = "whep", security(("token" = [])),
    params(("room" = String, Path), ("session" = String, Path)), responses((status = 200), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn whep_delete(
    State(app): State<App>,
    Path(at): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    delete(app, Protocol::Whep, at, headers).await
}

fn options() -> Response {
    (StatusCode::NO_CONTENT, [(ACCEPT_POST, SDP)]).into_response()
}

async fn create(app: App, protocol: Protocol, room: String, request: Request) -> Result<Response, ApiError> {
    let claims = app.bearer_for(request.headers(), &room)?;
    match protocol {
        Protocol::Whip if !claims.grants.publish => return Err(TokenError::Grant("publish").into()),
        Protocol::Whep if !claims.grants.subscribe => return Err(TokenError::Grant("subscribe").into()),
        _ => {}
    }
    let purpose = match protocol {
        Protocol::Whip => Purpose::Publish,
        Protocol::Whep => Purpose::Watch(WatchQuery::choice(request.uri())?),
    };
    let offer = body::text(&app, request, SDP).await?;
    // A task of its own: a client that hangs up half-way must not leave a half-made peer behind.
    let made = tokio::spawn(connect(app, purpose, room, claims, offer));
    made.await.map_err(|_| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the node failed; please report it")
    })?
}

async fn connect(
    app: App,
    purpose: Purpose,
    room: String,
    claims: Claims,
    offer: String,
) -> Result<Response, ApiError> {
    let randomness =
        |_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the system has no randomness");
    let (name, etag) =
        (random_name().map_err(randomness)?, format!("\"{}\"", random_name().map_err(randomness)?));
    let protocol = purpose.protocol();
    let default_name = if protocol == Protocol::Whip { "WHIP" } else { "WHEP" };
    let joined = app.node().join(JoinRequest {
        room: room.clone(),
        name: claims.name.clone().or_else(|| claims.sub.clone()).unwrap_or_else(|| default_name.to_owned()),
        identity: claims.sub.clone(),
        grants: grants_of(&claims),
        news: false,
    });
    let joined = joined.await?;
    let peer = joined.peer.id.clone();
    let answer = match purpose {
        Purpose::Publish => app.node().ingest(peer.clone(), offer).await,
        Purpose::Watch(choice) => app.node().watch(peer.clone(), offer, choice).await,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            // The peer may be gone already, which is what we want.
            let _gone = app.node().leave(peer, LeaveReason::Left).await;
            return Err(error.into());
        }
    };
    let location = format!("/{}/{room}/{name}", if protocol == Protocol::Whip { "whip" } else { "whep" });
    app.resources().insert(name.clone(), Resource { protocol, room, peer, etag: etag.clone() });
    tokio::spawn(forget_when_gone(app, name, joined.ended));
    let headers =
        [(header::CONTENT_TYPE, SDP.to_owned()), (header::LOCATION, location), (header::ETAG, etag)];
    Ok((StatusCode::CREATED, headers, answer.sdp).into_response())
}

/// Keeps the table of resources as long as the peers in it: the resource goes when the node ends the stay.
async fn forget_when_gone(app: App, name: String, ended: tokio::sync::oneshot::Receiver<()>) {
    // Nothing is ever sent: the other end is dropped with the peer.
    let _ended = ended.await;
    app.resources().remove(&name);
}

/// What the node is told of a bearer.
pub(super) fn grants_of(claims: &Claims) -> Grants {
    let grants = claims.grants;
    Grants {
        room: claims.room.clone(),
        join: grants.join,
        publish: grants.publish,
        subscribe: grants.subscribe,
        data: grants.data,
        admin: grants.admin,
    }
}

fn find(app: &App, protocol: Protocol, room: &str, session: &str) -> Result<Resource, ApiError> {
    app.resources()
        .get(session, protocol, room)
        .ok_or_else(|| ApiError::not_found("there is no such session, or it has ended"))
}

async fn patch(
    app: App,
    protocol: Protocol,
    (room, session): (String, String),
    request: Request,
) -> Result<Response, ApiError> {
    app.bearer_for(request.headers(), &room)?;
    let resource = find(&app, protocol, &room, &session)?;
    body::expect_type(request.headers(), FRAGMENT)?;
    // RFC 9725 section 4.3.1: conditional always; "*" for a restart, which needs no knowledge of the session before it.
    let Some(condition) = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok())
    else {
        let message =
            "the request needs `If-Match` with the session's ETag (a candidate) or `*` (an ICE restart)";
        return Err(ApiError::new(StatusCode::PRECONDITION_REQUIRED, "condition_missing", message));
    };
    if condition != "*" && !condition.split(',').any(|tag| tag.trim() == resource.etag) {
        let message =
            "`If-Match` names another ICE session than the present one; use the ETag of the latest response";
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "condition_failed", message));
    }
    let fragment = body::text(&app, request, FRAGMENT).await?;
    match app.node().fragment(resource.peer, fragment).await? {
        FragmentReply::Accepted => Ok(StatusCode::NO_CONTENT.into_response()),
        FragmentReply::Restarted(text) => {
            let randomness = |_| {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the system has no randomness")
            };
            let etag = format!("\"{}\"", random_name().map_err(randomness)?);
            app.resources().set_etag(&session, etag.clone());
            Ok(([(header::CONTENT_TYPE, FRAGMENT.to_owned()), (header::ETAG, etag)], text).into_response())
        }
    }
}

async fn delete(
    app: App,
    protocol: Protocol,
    (room, session): (String, String),
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.bearer_for(&headers, &room)?;
    let resource = find(&app, protocol, &room, &session)?;
    app.resources().remove(&session);
    // The peer may be gone already, which is what the client wants.
    let _gone = app.node().leave(resource.peer, LeaveReason::Left).await;
    Ok(StatusCode::OK)
}
