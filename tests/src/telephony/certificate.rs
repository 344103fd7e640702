//! An ECDSA certificate for a phone that would make itself one of RSA.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Error;

const SOURCE: &str = include_str!("certificate.c");
/// Where the library looks for the certificate and its key.
pub(super) const VARIABLE: &str = "KANAME_TEST_CERTIFICATE";

/// Builds the library to be preloaded, and makes a certificate; their paths.
pub(super) fn modern(folder: &Path) -> Result<(String, String), Error> {
    let (source, library) = (folder.join("certificate.c"), folder.join("certificate.so"));
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&source, SOURCE)?;
    run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source))?;
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=phone", "-days", "30", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate))?;
    let both = fs::read_to_string(&certificate)? + &fs::read_to_string(&key)?;
    fs::write(&certificate, both)?;
    Ok((library.display().to_string(), certificate.display().to_string()))
}

fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Telephony(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
