//! What the end-to-end tests share: the rules of the house, a node as a child process, browsers, test media and what
//! compares them.
#![forbid(unsafe_code)]

pub mod browser;
pub mod call;
pub mod compare;
pub mod footage;
pub mod hostile;
pub mod node;
pub mod telephony;
pub mod tidy;

use std::time::Duration;

pub use node::Node;

/// How long anything may take before a test is called hung. Not a limit on speed: nothing here takes a tenth of it.
pub const HUNG: Duration = Duration::from_secs(90);

/// Why a test could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files, sockets, processes.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The foreign client or its web half.
    #[error("{0}")]
    Client(#[from] kaname_bench::client::ClientError),
    /// The node.
    #[error("node: {0}")]
    Node(String),
    /// The browser, or the page in it.
    #[error("browser: {0}")]
    Browser(String),
    /// Test media could not be made.
    #[error("test media: {0}")]
    Footage(String),
    /// A program of the telephone side.
    #[error("telephony: {0}")]
    Telephony(String),
    /// Something did not come in time.
    #[error("hung: {0}")]
    Hung(&'static str),
}

/// Waits for something that must come, and says what when it does not.
pub async fn must<T>(what: &'static str, future: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(HUNG, future).await.map_err(|_| Error::Hung(what))
}
