//! The node's front doors from outside: HTTP, WebSocket, WHIP and WHEP over real sockets on loopback, with an engine that only pretends.

mod api;
mod attacks;
mod command_line;
mod description;
mod http;
mod https;
mod page;
mod support;
mod websocket;
mod whip;
