//! HTTPS with a generated certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use kaname_sfu::config::Config;
use kaname_sfu::http::{Listener, Server};
use kaname_sfu::tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Ask, Setup, admin, app, exchange, participant};

/// A client that trusts exactly the certificate of that directory.
fn connector(directory: &std::path::Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("certificate.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

struct Secure {
    directory: tempfile::TempDir,
    address: SocketAddr,
    _server: Server,
}

impl Secure {
    fn open() -> Secure {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { state_directory: Some(directory.path().to_owned()), ..Config::default() };
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), true, "https.listen").unwrap();
        let address = listener.address().unwrap();
        let (app, _) = app(&Setup::default());
        let server = Server::start(app, vec![listener], Some(tls::acceptor(&config).unwrap()), 16);
        Secure { directory, address, _server: server }
    }

    async fn ask(&self, name: &str, ask: &Ask<'_>) -> std::io::Result<crate::support::Reply> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        exchange(connector(self.directory.path()).connect(name, stream).await?, &ask.bytes()).await
    }
}

#[tokio::test]
async fn a_generated_certificate_serves_its_names_and_no_other() {
    let secure = Secure::open();
    for name in ["localhost", "127.0.0.1"] {
        let reply = secure.ask(name, &Ask::new("GET /healthz")).await.unwrap();
        assert_eq!(reply.text(), "ok\n");
    }
    let error = secure.ask("elsewhere.example", &Ask::new("GET /healthz")).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn plain_text_to_the_secure_port_harms_nobody() {
    let secure = Secure::open();
    let plain = TcpStream::connect(secure.address).await.unwrap();
    assert!(exchange(plain, &Ask::new("GET /healthz").bytes()).await.is_err());
    assert_eq!(secure.ask("localhost", &Ask::new("GET /healthz")).await.unwrap().status, 200);
}

#[tokio::test]
async fn metrics_need_an_administrator_over_https() {
    let secure = Secure::open();
    let status = async |token: Option<&str>| {
        secure.ask("localhost", &Ask { token, ..Ask::new("GET /metrics") }).await.unwrap().status
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some(&participant("*"))).await, 403);
    assert_eq!(status(Some(&admin("lobby"))).await, 403);
    assert_eq!(status(Some(&admin("*"))).await, 200);
}
