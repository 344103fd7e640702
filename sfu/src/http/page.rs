//! The built-in page: its files are part of the binary.

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, ErrorBody};
use super::state::App;

/// Every file of `sfu/page`, by path. The build script lists them.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

struct Asset {
    bytes: &'static [u8],
    content_type: &'static str,
    etag: String,
}

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    let asset = |(path, bytes): &(&'static str, &'static [u8])| {
        (*path, Asset { bytes, content_type: content_type(path), etag: etag(bytes) })
    };
    FILES.iter().map(asset).collect()
});

fn etag(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The page
#[utoipa::path(get, path = "/", tag = "page", responses((status = 200, body = String, content_type = "text/html")))]
pub(super) async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

/// A file of the page
#[utoipa::path(get, path = "/{file}", tag = "page", params(("file" = String, Path, description = "may contain slashes")), responses(
    (status = 200, description = "the file"), (status = 304, description = "unchanged"), (status = 404, body = ErrorBody)))]
pub(super) async fn file(State(_): State<App>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&path, &headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    // A look-up in a fixed table: no path from outside ever reaches a file system.
    let Some(asset) = ASSETS.get(path) else {
        return ApiError::not_found("there is nothing at this address").into_response();
    };
    // Revalidated each time, so that a new version of the node shows its own page at once.
    let common = [(header::ETAG, asset.etag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if matches(headers, &asset.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
}

/// RFC 9110 section 13.1.2.
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let Some(value) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    value
        .split(',')
        .map(str::trim)
        .any(|candidate| candidate == "*" || candidate.trim_start_matches("W/") == etag)
}
