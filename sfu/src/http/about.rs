//! What the node tells of itself: info, health, metrics, its own description; and tokens in development.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ErrorBody};
use super::listen::Connection;
use super::metrics;
use super::openapi;
use super::state::App;
use crate::token::{Claims, GrantClaims, TokenError};

/// What the node is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Info {
    /// Always `kaname`.
    #[schema(example = "kaname")]
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Development mode: `/dev/token` gives tokens to everyone.
    development: bool,
    /// The SRTP backend, chosen by the processor's features.
    #[schema(example = "vaes512")]
    srtp_backend: &'static str,
    /// How packets reach the kernel.
    #[schema(example = "mmsg")]
    io_backend: &'static str,
}

/// What the node is
#[utoipa::path(get, path = "/api/v1/info", tag = "node", responses((status = 200, body = Info)))]
pub(super) async fn info(State(app): State<App>) -> Json<Info> {
    let facts = app.facts();
    Json(Info {
        name: "kaname",
        version: env!("CARGO_PKG_VERSION"),
        development: facts.development,
        srtp_backend: facts.srtp_backend,
        io_backend: facts.io_backend,
    })
}

/// Whether the node takes requests
#[utoipa::path(get, path = "/healthz", tag = "node", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Counts in Prometheus' text format
///
/// Open on the plain listeners, which are loopback only; over HTTPS it needs a token with the `admin` grant for room `*`.
#[utoipa::path(get, path = "/metrics", tag = "node", security((), ("token" = [])), responses(
    (status = 200, body = String, content_type = "text/plain"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(super) async fn metrics(
    State(app): State<App>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if connection.is_tls() {
        let claims = app.bearer(&headers)?;
        claims.admin()?;
        if claims.room != "*" {
            return Err(TokenError::Room.into());
        }
    }
    let mut text = metrics::render(&app.node().counters().await, app.facts());
    if let Some(calls) = app.calls() {
        text.push_str(&calls.counters().await.render());
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "node", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn openapi_json(State(app): State<App>) -> Response {
    let text = app.description().get_or_init(|| openapi::text().into()).clone();
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// Whom a development token is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenWish {
    /// The room.
    #[schema(example = "lobby")]
    room: String,
    /// The name others see.
    #[serde(default)]
    name: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenReply {
    /// A JWT to join the room with.
    token: String,
}

/// How long a development token is good: a working day.
pub(super) const DEVELOPMENT_TTL: Duration = Duration::from_secs(12 * 3600);

/// A token for anyone who asks, in development mode only
#[utoipa::path(post, path = "/dev/token", tag = "development", request_body = TokenWish, responses(
    (status = 200, body = TokenReply), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 415, body = ErrorBody)))]
pub(super) async fn dev_token(
    State(app): State<App>,
    request: Request,
) -> Result<Json<TokenReply>, ApiError> {
    if !app.facts().development {
        return Err(ApiError::not_found(
            "tokens are given out in development mode only; sign one with `kaname token` or your own service",
        ));
    }
    let wish: TokenWish = body::json(&app, request).await?;
    let claims =
        Claims { name: wish.name, ..Claims::new(wish.room, GrantClaims::PARTICIPANT, DEVELOPMENT_TTL) };
    let cannot = || {
        ApiError::new(
            StatusCode::CONFLICT,
            "no_signing_key",
            "this node has only a public key (auth.public_key_file) and cannot sign tokens",
        )
    };
    Ok(Json(TokenReply { token: app.tokens().sign(&claims).ok_or_else(cannot)? }))
}
