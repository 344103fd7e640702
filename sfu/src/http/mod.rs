//! The node's front doors: page, API, WebSocket, WHIP and WHEP, over HTTP/1.1 on plain loopback and on TLS.

mod about;
mod api;
mod body;
mod error;
mod headers;
mod listen;
mod metrics;
mod openapi;
mod page;
mod phones;
mod resources;
mod sounds;
mod state;
mod whip;
mod ws;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

pub use error::ApiError;
pub use listen::{ListenError, Listener};
pub use state::{App, Facts, RequestLimits};

/// The router of all doors.
fn router(app: App) -> Router {
    let (routes, _) = openapi::routes().split_for_parts();
    routes
        .route("/{*file}", get(page::file))
        .fallback(|| async { ApiError::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            let message = "this address does not take that method; /openapi.json lists what it takes";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .layer(middleware::from_fn(headers::layer))
        .with_state(app)
}

/// The description of the API as JSON, as it is served at `/openapi.json`.
pub fn description() -> String {
    openapi::text()
}

/// Running listeners.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    places: Arc<Semaphore>,
    all_places: u32,
}

impl Server {
    /// Serves `app` on `listeners`, with at most `max_connections` at once. Needs a tokio runtime.
    pub fn start(
        app: App,
        listeners: Vec<Listener>,
        tls: Option<TlsAcceptor>,
        max_connections: usize,
    ) -> Server {
        let (stop, stopped) = watch::channel(false);
        let all_places = u32::try_from(max_connections).unwrap_or(u32::MAX);
        // Each listener holds one place in its hand while it waits, so that none starves.
        let places = Arc::new(Semaphore::new(max_connections + listeners.len()));
        let doors = listen::Doors {
            read_timeout: app.read_timeout(),
            router: router(app),
            tls,
            places: Arc::clone(&places),
            stop: stopped,
        };
        for listener in listeners {
            tokio::spawn(listen::accept(listener, doors.clone()));
        }
        Server { stop, places, all_places }
    }

    /// Takes no more connections, lets requests under way finish, and waits for at most `patience`. Whether all have ended.
    pub async fn stop(self, patience: Duration) -> bool {
        // Nobody listening any more is fine as well.
        let _ = self.stop.send(true);
        tokio::time::timeout(patience, self.places.acquire_many(self.all_places)).await.is_ok()
    }
}
