//! What the node says when it is ready.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

/// Where and how the node runs.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) development: bool,
    pub(crate) development_key: bool,
    pub(crate) pages: Vec<String>,
    pub(crate) join: Option<String>,
    pub(crate) media: Vec<SocketAddr>,
    pub(crate) tcp: bool,
    pub(crate) srtp_backend: &'static str,
    pub(crate) io_backend: &'static str,
    pub(crate) took: Duration,
}

impl Ready {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out =
            format!("\nkaname {} is ready after {} ms\n\n", env!("CARGO_PKG_VERSION"), self.took.as_millis());
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(out, "  {name:<8} {value}");
        };
        for (index, page) in self.pages.iter().enumerate() {
            line(if index == 0 { "page" } else { "" }, page);
        }
        if let Some(join) = &self.join {
            line("join", join);
        }
        line("media", &self.media_text());
        line("backend", &format!("srtp {}, io {}", self.srtp_backend, self.io_backend));
        if self.development_key {
            out.push_str(
                "\n  Development mode: tokens are signed with a key that everyone knows, and anyone who reaches the page gets one.\n  \
                 Open the join link in two windows to call yourself. For others to join: docs/configuration.md.\n",
            );
        } else if self.development {
            out.push_str("\n  Development mode: anyone who reaches the page gets a token.\n");
        }
        out.push_str("\n  Ctrl-C stops the node.\n\n");
        out
    }

    /// `udp+tcp 7801-7802 on 127.0.0.1, 192.0.2.7`.
    fn media_text(&self) -> String {
        let mut ports: Vec<u16> = self.media.iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        let mut addresses = Vec::new();
        for address in self.media.iter().map(SocketAddr::ip) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let join = |items: Vec<String>| items.join(", ");
        let transport = if self.tcp { "udp and tcp" } else { "udp" };
        let ports = join(ports.iter().map(u16::to_string).collect());
        format!("{transport} port {ports} on {}", join(addresses.iter().map(ToString::to_string).collect()))
    }

    /// For programs: one line.
    pub(crate) fn json(&self) -> String {
        json!({
            "ready": true,
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "development": self.development,
            "pages": self.pages,
            "join": self.join,
            "media": self.media.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "media_tcp": self.tcp,
            "srtp_backend": self.srtp_backend,
            "io_backend": self.io_backend,
            "start_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
        .to_string()
    }
}
