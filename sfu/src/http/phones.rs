//! Telephones in rooms, for signalling that is no SIP proxy: each request here is one that a proxy makes over `ng`.
//!
//! A description says where packets go, and nobody there has to agree, so all of it needs the `admin` grant.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ErrorBody};
use super::resources::random_name;
use super::state::App;
use crate::calls::{CallsHandle, PhoneCall};
use crate::ng::{Dictionary, Value};

/// The tags of a call's two ends, as SIP has them. They only have to differ.
const PHONE: &str = "phone";
const ROOM: &str = "room";

/// The telephones of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhoneList {
    /// In the order they called; also those that are not in the room yet.
    phones: Vec<PhoneCall>,
}

/// Whether a caller has to type the room's PIN.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PinRule {
    /// If the room has one.
    #[default]
    Ask,
    /// A room without a PIN lets nobody in.
    Require,
    /// No: whoever makes this request knows the caller.
    Skip,
}

/// A telephone for a room.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreatePhone {
    /// What the telephone offers; the reply has the answer. Without it the room calls: the reply has its offer.
    #[serde(default)]
    sdp: Option<String>,
    /// What others see; else the number, else `telephone`.
    #[serde(default)]
    name: Option<String>,
    /// Its number: whose wrong PINs are counted.
    #[serde(default)]
    #[schema(example = "+493012345")]
    number: Option<String>,
    /// The protocol of an offer, `RTP/AVP` if nothing is said. `RTP/SAVP` offers keys in the description and by DTLS,
    /// `UDP/TLS/RTP/SAVPF` by DTLS alone. Answers have that of their offer.
    #[serde(default)]
    #[schema(example = "RTP/SAVP")]
    protocol: Option<String>,
    /// On which of `calls.interfaces` its media ports are; else on the first.
    #[serde(default)]
    interface: Option<String>,
    /// Whether it has to type the room's PIN. One that the room calls never has to.
    #[serde(default)]
    pin: PinRule,
}

/// A session description. It may hold keys.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// The description.
    sdp: String,
}

/// A new offer in a call that goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reoffer {
    /// What the telephone offers now; the reply has the answer. Without it the reply has a new offer of the room.
    #[serde(default)]
    sdp: Option<String>,
}

/// What the node says to the telephone.
#[derive(Serialize, ToSchema)]
pub(super) struct Described {
    /// The call.
    id: String,
    /// An answer if an offer was brought, else an offer.
    sdp: String,
}

pub(super) fn calls(app: &App) -> Result<&CallsHandle, ApiError> {
    app.calls().ok_or_else(|| {
        let message = "this node takes no telephone calls; use one that does";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_calls", message)
    })
}

/// A request about a telephone of a room, as `ng` has it.
pub(super) fn about(command: &str, phone: &str) -> Dictionary {
    Dictionary::new().with("command", command).with("call-id", phone)
}

fn with_text(request: Dictionary, key: &str, text: Option<String>) -> Dictionary {
    match text {
        Some(text) => request.with(key, text),
        None => request,
    }
}

/// A text of a reply.
pub(super) fn text(reply: &Dictionary, key: &str) -> Option<String> {
    reply.get(key).and_then(Value::text).map(str::to_owned)
}

fn offer(phone: &str, room: &str, sdp: Option<String>) -> Dictionary {
    let from = if sdp.is_some() { PHONE } else { ROOM };
    with_text(about("offer", phone).with("room", room).with("from-tag", from), "sdp", sdp)
}

fn described(id: String, reply: &Dictionary) -> Described {
    Described { id, sdp: text(reply, "sdp").unwrap_or_default() }
}

/// The telephones of a room
///
/// Those that proxies brought over `ng` are among them. Needs the `admin` grant.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/phones", tag = "phones", security(("token" = [])), params(("room" = String, Path)), responses(
    (status = 200, body = PhoneList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<PhoneList>, ApiError> {
    app.admin_for(&headers, &room)?;
    Ok(Json(PhoneList { phones: calls(&app)?.phones(&room).await }))
}

/// Bring a telephone into a room, or call one
///
/// With the telephone's offer the reply has the answer, and the telephone is in the room (or at its door, if it has a PIN) as soon
/// as it is sent that. Without one the reply has an offer, and what the telephone answers goes to `…/answer`. The room is created
/// when it does not exist. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/phones", tag = "phones", security(("token" = [])), request_body = CreatePhone,
    params(("room" = String, Path)), responses(
    (status = 201, body = Described, headers(("Location" = String))), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(super) async fn create(
    State(app): State<App>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: CreatePhone = body::json(&app, request).await?;
    let calls = calls(&app)?;
    // What a room refuses is better said now than by the end of a call.
    app.node().phone_shard(room.clone()).await?;
    let id = random_name().map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "no_random",
            "the system gave no random bytes; try again",
        )
    })?;
    let pin = match wish.pin {
        PinRule::Ask => "ask",
        PinRule::Require => "require",
        PinRule::Skip => "skip",
    };
    let mut request = offer(&id, &room, wish.sdp).with("pin", pin);
    for (key, value) in [
        ("display-name", wish.name),
        ("from-number", wish.number),
        ("transport-protocol", wish.protocol),
        ("interface", wish.interface),
    ] {
        request = with_text(request, key, value);
    }
    let reply = calls.begin(&room, request).await?;
    // A room's name and ours need no escaping in a path.
    let location = format!("/api/v1/rooms/{room}/phones/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(described(id, &reply))).into_response())
}

/// Change a telephone's call
///
/// A new offer of the telephone (a re-INVITE: another codec, hold and back) is answered; without one the room makes a new offer, and
/// what the telephone answers goes to `…/answer`. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/phones/{phone}/offer", tag = "phones", security(("token" = [])), request_body = Reoffer,
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 200, body = Described), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(super) async fn reoffer(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Described>, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Reoffer = body::json(&app, request).await?;
    let reply = calls(&app)?.go_on(&room, offer(&phone, &room, wish.sdp)).await?;
    Ok(Json(described(phone, &reply)))
}

/// What a telephone answered to the room's offer
///
/// From here on the telephone is in the room. Needs the `admin` grant.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/phones/{phone}/answer", tag = "phones", security(("token" = [])), request_body = Description,
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn answer(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    app.admin_for(request.headers(), &room)?;
    let wish: Description = body::json(&app, request).await?;
    let request = about("answer", &phone).with("from-tag", ROOM).with("to-tag", PHONE).with("sdp", wish.sdp);
    calls(&app)?.go_on(&room, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hang up
///
/// The telephone leaves the room, and its call ends. It is for whoever has the signalling to tell it. Needs the `admin` grant.
#[utoipa::path(delete, path = "/api/v1/rooms/{room}/phones/{phone}", tag = "phones", security(("token" = [])),
    params(("room" = String, Path), ("phone" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(super) async fn hang_up(
    State(app): State<App>,
    Path((room, phone)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.admin_for(&headers, &room)?;
    calls(&app)?.go_on(&room, about("delete", &phone).with("delete-delay", 0)).await?;
    Ok(StatusCode::NO_CONTENT)
}
