//! The page's WebSocket: JSON text frames, one object a frame. The client says `join` first; then offers, mutes and leaves; the node answers
//! and tells the room's news.

mod message;
mod session;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Extension, State};
use axum::response::Response;

use super::listen::Connection;
use super::state::App;

/// What waits for a reader that stands still, until the session's own time-out ends it. The largest message, `joined` in a full room, fits.
const MAX_UNSENT_BYTES: usize = 4 * 1024 * 1024;

/// The page's WebSocket
///
/// JSON text frames. The first one is `{"type":"join","token":"…","name":"…"}`; see the book's page on the API for the others.
#[utoipa::path(get, path = "/ws", tag = "page", responses((status = 101, description = "the connection is a WebSocket now"),
    (status = 400, description = "not a WebSocket handshake"), (status = 426, description = "not a WebSocket handshake")))]
pub(super) async fn upgrade(
    State(app): State<App>,
    Extension(connection): Extension<Connection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let limit = app.max_body_bytes();
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT_BYTES)
        .on_upgrade(move |socket| async move {
            session::run(app, socket).await;
            // Holds this connection's place among all of them until here.
            drop(connection);
        })
}
