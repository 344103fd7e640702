//! What every handler needs.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};

use super::resources::Resources;
use crate::calls::CallsHandle;
use crate::node::NodeHandle;
use crate::token::{Claims, TokenError, Tokens};

/// What the node tells of itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Development mode: `/dev/token` answers.
    pub development: bool,
    /// Name of the SRTP backend.
    pub srtp_backend: &'static str,
    /// Name of the packet io backend.
    pub io_backend: &'static str,
}

/// Shared by all connections. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    node: NodeHandle,
    calls: Option<CallsHandle>,
    tokens: Tokens,
    facts: Facts,
    max_body_bytes: usize,
    read_timeout: Duration,
    resources: Resources,
    description: std::sync::OnceLock<bytes::Bytes>,
}

/// How much and how long one request may take.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Largest body and largest WebSocket message, in bytes.
    pub max_body_bytes: usize,
    /// Time for the TLS handshake, for a head, for a body, and for the first message of a WebSocket.
    pub read_timeout: Duration,
}

impl App {
    /// The front doors of `node`.
    pub fn new(node: NodeHandle, tokens: Tokens, facts: Facts, limits: RequestLimits) -> App {
        App(Arc::new(Inner {
            node,
            calls: None,
            tokens,
            facts,
            max_body_bytes: limits.max_body_bytes,
            read_timeout: limits.read_timeout,
            resources: Resources::default(),
            description: std::sync::OnceLock::new(),
        }))
    }

    /// With telephone calls beside the rooms.
    #[must_use]
    pub fn with_calls(mut self, calls: CallsHandle) -> App {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.calls = Some(calls);
        }
        self
    }

    pub(super) fn calls(&self) -> Option<&CallsHandle> {
        self.0.calls.as_ref()
    }

    pub(super) fn node(&self) -> &NodeHandle {
        &self.0.node
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(super) fn max_body_bytes(&self) -> usize {
        self.0.max_body_bytes
    }

    pub(super) fn read_timeout(&self) -> Duration {
        self.0.read_timeout
    }

    pub(super) fn resources(&self) -> &Resources {
        &self.0.resources
    }

    pub(super) fn description(&self) -> &std::sync::OnceLock<bytes::Bytes> {
        &self.0.description
    }

    /// The verified claims of the request's Bearer token (RFC 6750 section 2.1).
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Result<Claims, TokenError> {
        let value = headers.get(header::AUTHORIZATION).ok_or(TokenError::Missing)?;
        let value = value.to_str().map_err(|_| TokenError::Malformed)?;
        let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(TokenError::Missing);
        }
        self.tokens().verify(token.trim())
    }

    /// The same, for a room.
    pub(super) fn bearer_for(&self, headers: &HeaderMap, room: &str) -> Result<Claims, TokenError> {
        let claims = self.bearer(headers)?;
        claims.for_room(room)?;
        Ok(claims)
    }

    /// The same, for a room's administrator.
    pub(super) fn admin_for(&self, headers: &HeaderMap, room: &str) -> Result<Claims, TokenError> {
        let claims = self.bearer_for(headers, room)?;
        claims.admin()?;
        Ok(claims)
    }
}
