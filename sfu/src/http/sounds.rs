//! Prompts and recordings: of one telephone in a room, by the requests that proxies make over `ng`, and of a whole room.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ErrorBody};
use super::phones::{about, calls, text};
use super::state::App;
use crate::ng::{Dictionary, Value};
use crate::node::{NodeError, SoundOf, SoundWish};

/// Something to play.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Play {
    /// A WAV or Ogg Opus file within `calls.prompts`.
    #[schema(example = "welcome.wav")]
    file: String,
    /// How often, once if nothing is said.
    #[serde(default)]
    times: Option<u32>,
}

/// Something that is played.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Playing {
    /// How long it plays once, in milliseconds.
    duration_ms: i64,
}

/// A recording to begin.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// A file within `calls.recordings` that is not there yet; else its name says what it is of, and when.
    #[serde(default)]
    file: Option<String>,
}

/// A recording.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recording {
    /// Its file. It is complete some moments after the recording was stopped.
    file: String,
}

/// Proxies play at most so often, as their numbers are signed.
fn times(times: Option<u32>) -> i64 {
    i64::from(times.unwrap_or(1))
}

/// Play to a telephone
///
/// Beside what it hears of the room. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/phones/{phone}/play", tag = "phones", security(("token" = [])), request_body = Play,
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 200, body = Playing), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn play_to_phone(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Playing>, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Play = body::json(&app, request).await?;
    let request = about("play media", &phone).with("file", wish.file).with("repeat-times", times(wish.times));
    let reply = calls(&app)?.go_on(&room, request).await?;
    Ok(Json(Playing { duration_ms: reply.get("duration").and_then(Value::number).unwrap_or_default() }))
}

/// Stop what is played to a telephone
///
/// Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/phones/{phone}/play", tag = "phones", security(("token" = [])),
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn stop_playing_to_phone(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    calls(&app)?.go_on(&room, about("stop media", &phone)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The file that a reply names.
fn file(reply: &Dictionary, already: bool) -> Result<Recording, ApiError> {
    Ok(Recording { file: text(reply, "file").ok_or(NodeError::Recording { already })? })
}

/// Record a telephone
///
/// A WAV file: left what it says, right all voices of the room. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/phones/{phone}/recording", tag = "phones", security(("token" = [])), request_body = Record,
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 201, body = Recording), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn record_phone(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<Recording>), ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Record = body::json(&app, request).await?;
    let mut request = about("start recording", &phone);
    if let Some(file) = wish.file {
        request = request.with("output-destination", file);
    }
    let reply = calls(&app)?.go_on(&room, request).await?;
    Ok((StatusCode::CREATED, Json(file(&reply, true)?)))
}

/// Stop recording a telephone
///
/// Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/phones/{phone}/recording", tag = "phones", security(("token" = [])),
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 200, body = Recording), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn stop_recording_phone(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Recording>, ApiError> {
    app.admin_for(&headers, &room)?;
    let reply = calls(&app)?.go_on(&room, about("stop recording", &phone)).await?;
    Ok(Json(file(&reply, false)?))
}

/// Play to a room
///
/// All in it hear it: telephones in their mix, others as the track of a peer that is marked as `announcer`. A room's first prompt begins
/// a second later if anybody might subscribe to that. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/play", tag = "rooms", security(("token" = [])), request_body = Play,
    params(("room" = String, Path)), responses(
    (status = 200, body = Playing), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn play_to_room(
    State(app): State<App>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Json<Playing>, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Play = body::json(&app, request).await?;
    let prompt = calls(&app)?.folders().prompt(wish.file).await?;
    let ms = prompt.samples().len() / prompt.rate().per_ms();
    let (to, times) = (SoundOf::Room(room), wish.times.unwrap_or(1));
    app.node().sound(SoundWish::Play { to, prompt, times }).await?;
    Ok(Json(Playing { duration_ms: i64::try_from(ms).unwrap_or(i64::MAX) }))
}

/// Stop what is played to a room
///
/// Also what waits to be. Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/play", tag = "rooms", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn stop_playing_to_room(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    app.node().sound(SoundWish::StopPlaying(SoundOf::Room(room))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Record a room
///
/// A WAV file with all voices, of telephones and browsers, mixed. Ends with the room, or when it is stopped. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/recording", tag = "rooms", security(("token" = [])), request_body = Record,
    params(("room" = String, Path)), responses(
    (status = 201, body = Recording), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn record_room(
    State(app): State<App>,
    Path(room): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Recording>), ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Record = body::json(&app, request).await?;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let path = calls(&app)?.folders().recording(wish.file.as_deref(), &room, unix)?;
    let file = path.display().to_string();
    app.node().sound(SoundWish::Record { of: SoundOf::Room(room), path }).await?;
    Ok((StatusCode::CREATED, Json(Recording { file })))
}

/// Stop recording a room
///
/// Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/recording", tag = "rooms", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(super) async fn stop_recording_room(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    app.node().sound(SoundWish::StopRecording(SoundOf::Room(room))).await?;
    Ok(StatusCode::NO_CONTENT)
}
