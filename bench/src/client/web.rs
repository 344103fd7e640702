//! HTTP and WebSocket to a node, plain or over TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

use super::ClientError;

/// Which certificates of the node to accept.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// None: only plain connections. The node allows them on loopback.
    #[default]
    Plain,
    /// This one and what it signed, as DER.
    Certificate(Vec<u8>),
    /// Any. For tests, and for a node that the caller itself has just started.
    Any,
}

/// A connection to the node.
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A WebSocket to the node.
pub type WebSocket = WebSocketStream<Stream>;

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Opens a WebSocket.
pub async fn websocket(url: &str, trust: &Trust) -> Result<WebSocket, ClientError> {
    let stream = connect(url, trust).await?;
    let (socket, _) = tokio_tungstenite::client_async(url, stream)
        .await
        .map_err(|e| ClientError::Web(format!("{url}: {e}")))?;
    Ok(socket)
}

/// Makes one HTTP request on a connection of its own.
pub async fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
    trust: &Trust,
) -> Result<Response, ClientError> {
    let uri: Uri = url.parse().map_err(|e| ClientError::Web(format!("{url}: {e}")))?;
    let stream = connect(url, trust).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let method = Method::from_bytes(method.as_bytes()).map_err(|e| ClientError::Web(e.to_string()))?;
    let mut request = Request::new(Full::new(body.into()));
    *request.method_mut() = method;
    *request.uri_mut() = uri.path_and_query().map_or_else(|| "/".parse(), |p| p.as_str().parse())?;
    let authority = uri.authority().map_or("", |a| a.as_str());
    for (name, value) in [("host", authority), ("connection", "close")].iter().chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| ClientError::Web(e.to_string()))?;
        let value = HeaderValue::from_str(value).map_err(|e| ClientError::Web(e.to_string()))?;
        request.headers_mut().append(name, value);
    }
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let body = answer.into_body().collect().await?.to_bytes();
    drop(sender);
    // The connection ends with its only request; how it ends does not matter any more.
    driver.abort();
    Ok(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

pub(crate) async fn connect(url: &str, trust: &Trust) -> Result<Stream, ClientError> {
    let uri: Uri = url.parse().map_err(|e| ClientError::Web(format!("{url}: {e}")))?;
    let host = uri.host().ok_or_else(|| ClientError::Web(format!("{url}: no host")))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let tls = matches!(uri.scheme_str(), Some("https" | "wss"));
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let tcp = TcpStream::connect((bare, port)).await?;
    tcp.set_nodelay(true)?;
    if !tls {
        return Ok(Stream::Plain(tcp));
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|e| ClientError::Web(format!("{host}: {e}")))?;
    let connector = TlsConnector::from(Arc::new(tls_config(trust)?));
    Ok(Stream::Tls(Box::new(connector.connect(name, tcp).await?)))
}

fn tls_config(trust: &Trust) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| ClientError::Web(e.to_string()))?;
    match trust {
        Trust::Plain => Err(ClientError::Web("TLS is asked for, but no certificate is trusted".into())),
        Trust::Certificate(der) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(der.clone())).map_err(|e| ClientError::Web(e.to_string()))?;
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        }
        Trust::Any => Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
            .with_no_client_auth()),
    }
}

/// Accepts any certificate, but still checks that the other side holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
