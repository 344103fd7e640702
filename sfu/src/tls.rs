//! HTTPS: the operator's certificate, or one of our own making that is kept in the state directory. And TLS towards others.

use std::fs;
use std::io::Write;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, Https};

/// Generated certificates live this long; browsers refuse much longer ones.
const LIFE: Duration = Duration::from_secs(390 * 24 * 3600);
/// A generated certificate older than this is made anew at the next start, so that it cannot run out under a node that is restarted now and then.
const RENEW_AFTER: Duration = Duration::from_secs(300 * 24 * 3600);
/// Allowance for a client whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);
/// Marks the line of the file that says for which names it was made.
const NAMES_PREFIX: &str = "# kaname: made for ";

/// Why there is no TLS; the fault is the operator's or the machine's.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or parsed.
    #[error("{setting}: {path}: {reason}; {hint}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error(
        "https.certificate_file and https.key_file cannot be used together: {0}; give the key that the certificate was made with"
    )]
    Mismatch(rustls::Error),
    /// The state directory cannot be used.
    #[error(
        "state_directory: cannot write {path}: {reason}; set state_directory to a directory that the node's user may write, or give https.certificate_file and https.key_file"
    )]
    State {
        /// The path.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Nobody could be believed.
    #[error(
        "calls.forward_ca_file: no certificates of CAs to check a receiver's with: {0}; name a PEM file that has them"
    )]
    Roots(String),
    /// No certificate could be made.
    #[error("https.names: cannot make a certificate: {0}; check the names")]
    Make(rcgen::Error),
}

/// Where the node keeps what it makes itself.
pub fn state_directory(config: &Config) -> PathBuf {
    if let Some(path) = &config.state_directory {
        return path.clone();
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("STATE_DIRECTORY") {
        return path;
    }
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    base.unwrap_or_else(|| PathBuf::from("/var/lib")).join("kaname")
}

/// What accepts TLS connections, by the settings.
pub fn acceptor(config: &Config) -> Result<TlsAcceptor, TlsError> {
    let (certificate, key) = match (&config.https.certificate_file, &config.https.key_file) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => generated(&state_directory(config), &config.https)?,
    };
    let chain = read_chain("https.certificate_file", &certificate)?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| TlsError::File {
        setting: "https.key_file",
        path: key.clone(),
        reason: error.to_string(),
        hint: "it has to be a private key in PEM that the node's user may read",
    })?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?;
    let mut server =
        builder.with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Mismatch)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// What makes connections to a receiver of sound, which has to prove its name: to the CAs of a file, or else of the system.
pub fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let (found, errors) = match ca_file {
        Some(path) => (read_chain("calls.forward_ca_file", path)?, Vec::new()),
        None => {
            let of_system = rustls_native_certs::load_native_certs();
            (of_system.certs, of_system.errors)
        }
    };
    let mut roots = RootCertStore::empty();
    // Some that systems have are malformed: the others count.
    if roots.add_parsable_certificates(found).0 == 0 {
        let why = errors.first().map_or_else(|| "none can be used".to_owned(), ToString::to_string);
        return Err(TlsError::Roots(why));
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsError::Roots(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn read_chain(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        setting,
        path: path.to_owned(),
        reason,
        hint: "it has to hold certificates in PEM, of a chain leaf first, and the node's user must be able to read it",
    };
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() { Err(wrong("it holds no certificate".into())) } else { Ok(chain) }
}

/// The generated pair of the state directory, made when it is missing, old, or for other names.
fn generated(directory: &Path, https: &Https) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    let names = names(https);
    let marker = format!("{NAMES_PREFIX}{}", names.join(" "));
    if key.is_file() && is_current(&certificate, &marker) {
        return Ok((certificate, key));
    }
    let pair = KeyPair::generate().map_err(TlsError::Make)?;
    let mut params = CertificateParams::new(names).map_err(TlsError::Make)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Kaname, generated");
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LIFE).into();
    let made = params.self_signed(&pair).map_err(TlsError::Make)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(state_error(directory))?;
    write(&key, 0o600, pair.serialize_pem().as_bytes()).map_err(state_error(&key))?;
    write(&certificate, 0o644, format!("{marker}\n{}", made.pem()).as_bytes())
        .map_err(state_error(&certificate))?;
    Ok((certificate, key))
}

fn state_error(path: &Path) -> impl FnOnce(std::io::Error) -> TlsError {
    let path = path.to_owned();
    move |error| TlsError::State { path, reason: error.to_string() }
}

fn is_current(certificate: &Path, marker: &str) -> bool {
    let age =
        fs::metadata(certificate).and_then(|meta| meta.modified()).ok().and_then(|made| made.elapsed().ok());
    let text = fs::read_to_string(certificate).unwrap_or_default();
    age.is_some_and(|age| age < RENEW_AFTER) && text.lines().next() == Some(marker)
}

/// Writes a new file of the given mode in place of `path`: never half of it, never with another mode in between.
fn write(path: &Path, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _leftover = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// What the certificate is for: `localhost`, the addresses listened on (all of the machine's, if the listener takes all), and the operator's names.
fn names(https: &Https) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    for address in https.listen.iter().map(|address| address.ip()) {
        if address.is_unspecified() {
            names.extend(crate::net::addresses().into_iter().map(|found| found.to_string()));
        } else {
            names.push(address.to_string());
        }
    }
    names.extend(https.names.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(directory: &Path) -> Config {
        Config { state_directory: Some(directory.join("state")), ..Config::default() }
    }

    #[test]
    fn a_generated_pair_is_private_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        acceptor(&config).unwrap();
        let (certificate, key) =
            (directory.path().join("state/certificate.pem"), directory.path().join("state/key.pem"));
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(directory.path().join("state")).unwrap().permissions().mode() & 0o777, 0o700);
        let first = fs::read(&certificate).unwrap();
        acceptor(&config).unwrap();
        assert_eq!(fs::read(&certificate).unwrap(), first, "a second start keeps it");
        config.https.names.push("media.example".into());
        acceptor(&config).unwrap();
        assert_ne!(fs::read(&certificate).unwrap(), first, "another name makes another certificate");
        assert_eq!(
            fs::read_dir(directory.path().join("state")).unwrap().count(),
            2,
            "nothing is left lying about"
        );
    }

    #[test]
    fn what_is_wrong_with_files_is_said() {
        let directory = tempfile::tempdir().unwrap();
        acceptor(&config(directory.path())).unwrap();
        let state = directory.path().join("state");
        let (good_certificate, good_key) = (state.join("certificate.pem"), state.join("key.pem"));
        let text = |certificate: &Path, key: &Path| {
            let mut config = config(directory.path());
            config.https.certificate_file = Some(certificate.to_owned());
            config.https.key_file = Some(key.to_owned());
            acceptor(&config).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(text(&good_certificate, &good_key), "");
        let missing = Path::new("/nonexistent/x.pem");
        assert!(text(missing, &good_key).starts_with("https.certificate_file: /nonexistent/x.pem: "));
        assert!(text(&good_certificate, missing).starts_with("https.key_file: /nonexistent/x.pem: "));
        assert!(text(&good_key, &good_key).contains("no certificate"));
        let other = directory.path().join("other.pem");
        fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert!(text(&good_certificate, &other).contains("cannot be used together"));
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error =
            acceptor(&Config { state_directory: Some(file), ..Config::default() }).err().unwrap().to_string();
        assert!(error.starts_with("state_directory: cannot write"), "{error}");
    }
}
