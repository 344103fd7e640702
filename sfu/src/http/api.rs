//! The HTTP API: rooms, peers, tracks.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ErrorBody};
use super::state::App;
use crate::node::{
    NodeError, PeerId, PeerInfo, PeerStats, Pin, RoomInfo, RoomSettings, RoomSummary, TrackId,
};

/// The rooms a token may see.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomList {
    /// By name.
    rooms: Vec<RoomSummary>,
}

/// The peers of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeerList {
    /// In the order they came.
    peers: Vec<PeerInfo>,
}

/// A room to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRoom {
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`.
    #[schema(example = "lobby")]
    name: String,
    /// 4 to 12 digits that telephones which call the room have to type. Whoever has a token needs none.
    #[serde(default)]
    #[schema(example = "471100")]
    pin: Option<String>,
    /// Telephones in the room hear a tone when somebody joins or leaves.
    #[serde(default)]
    tones: bool,
}

/// Whether a track is to be withheld.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mute {
    /// Withheld from now on, or heard and seen again.
    muted: bool,
}

/// Rooms that exist
///
/// With a token for `*`, all; with a token for one room, that room if it exists.
#[utoipa::path(get, path = "/api/v1/rooms", tag = "rooms", security(("token" = [])), responses(
    (status = 200, body = RoomList), (status = 401, body = ErrorBody)))]
pub(super) async fn list_rooms(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<RoomList>, ApiError> {
    let claims = app.bearer(&headers)?;
    let mut rooms = app.node().rooms().await;
    rooms.retain(|room| claims.for_room(&room.name).is_ok());
    Ok(Json(RoomList { rooms }))
}

/// Create a room that stays when it is empty
///
/// Rooms that are only joined need not be created. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms", tag = "rooms", security(("token" = [])), request_body = CreateRoom, responses(
    (status = 201, body = RoomInfo, headers(("Location" = String))), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody)))]
pub(super) async fn create_room(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let claims = app.bearer(request.headers())?;
    claims.admin()?;
    let wish: CreateRoom = body::json(&app, request).await?;
    claims.for_room(&wish.name)?;
    let pin = wish.pin.as_deref().map(Pin::parse).transpose()?;
    let room = app.node().create_room(wish.name, RoomSettings { pin, tones: wish.tones }).await?;
    // The node has accepted the name, so it needs no escaping in a path.
    let location = format!("/api/v1/rooms/{}", room.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(room)).into_response())
}

/// A room with its peers and their tracks
#[utoipa::path(get, path = "/api/v1/rooms/{room}", tag = "rooms", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 200, body = RoomInfo), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_room(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RoomInfo>, ApiError> {
    app.bearer_for(&headers, &room)?;
    Ok(Json(app.node().room(room).await?))
}

/// End a room
///
/// Its peers are told and removed. Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}", tag = "rooms", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn delete_room(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    app.node().delete_room(room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The peers of a room
#[utoipa::path(get, path = "/api/v1/rooms/{room}/peers", tag = "peers", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 200, body = PeerList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn list_peers(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<PeerList>, ApiError> {
    app.bearer_for(&headers, &room)?;
    Ok(Json(PeerList { peers: app.node().room(room).await?.peers }))
}

/// Remove a peer from a room
///
/// It is told so. Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/peers/{peer}", tag = "peers", security(("token" = [])),
    params(("room" = String, Path), ("peer" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn kick(
    State(app): State<App>,
    Path((room, peer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    app.node().kick(room, PeerId::new(peer)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Figures of a peer since it connected
///
/// Needs the `admin` grant.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/peers/{peer}/stats", tag = "peers", security(("token" = [])),
    params(("room" = String, Path), ("peer" = String, Path)), responses(
    (status = 200, body = PeerStats), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn peer_stats(
    State(app): State<App>,
    Path((room, peer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<PeerStats>, ApiError> {
    app.admin_for(&headers, &room)?;
    let peer = PeerId::new(peer);
    // Figures are asked for by peer alone, and this token is for one room.
    if !app.node().room(room).await?.peers.iter().any(|info| info.id == peer) {
        return Err(NodeError::NoSuchPeer.into());
    }
    Ok(Json(app.node().stats(peer).await?))
}

/// Mute or unmute a track for everyone
///
/// What is played to the room cannot be muted, but stopped. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/tracks/{track}/mute", tag = "tracks", security(("token" = [])), request_body = Mute,
    params(("room" = String, Path), ("track" = String, Path)), responses(
    (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 415, body = ErrorBody)))]
pub(super) async fn mute(
    State(app): State<App>,
    Path((room, track)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Mute = body::json(&app, request).await?;
    app.node().mute_in(room, TrackId::new(track), wish.muted).await?;
    Ok(StatusCode::NO_CONTENT)
}
