//! Request bodies: bounded in size and time, of the right content type, strictly parsed.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::state::App;

/// Refuses a request whose content type is another one (RFC 9110 section 15.5.16).
pub(super) fn expect_type(headers: &HeaderMap, expected: &'static str) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let message = format!("the request needs `Content-Type: {expected}`");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_content_type", message))
}

/// The whole body, or why not.
pub(super) async fn read(app: &App, body: Body) -> Result<Bytes, ApiError> {
    let limit = app.max_body_bytes();
    let seconds = app.read_timeout().as_secs();
    match tokio::time::timeout(app.read_timeout(), axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => {
            let message = format!("the request's body is larger than {limit} bytes");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
        }
        Ok(Err(_)) => Err(ApiError::bad_request("the request's body broke off")),
        Err(_) => {
            let message = format!("the request's body did not arrive within {seconds} seconds");
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message))
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    use std::error::Error;
    let mut source = error.source();
    while let Some(inner) = source {
        // The type is private to a crate we do not name; its text is all there is.
        if inner.to_string() == "length limit exceeded" {
            return true;
        }
        source = inner.source();
    }
    false
}

/// A JSON body. Types say `deny_unknown_fields`, so a typo is an error that names it.
pub(super) async fn json<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, ApiError> {
    expect_type(request.headers(), "application/json")?;
    let bytes = read(app, request.into_body()).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_json",
            format!("the body is not what is expected: {error}"),
        )
    })
}

/// A text body of the given type.
pub(super) async fn text(
    app: &App,
    request: Request,
    content_type: &'static str,
) -> Result<String, ApiError> {
    expect_type(request.headers(), content_type)?;
    let bytes = read(app, request.into_body()).await?;
    String::from_utf8(bytes.to_vec()).map_err(|_| ApiError::bad_request("the body is not UTF-8 text"))
}
