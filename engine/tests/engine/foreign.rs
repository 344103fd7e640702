//! Handshakes of legs on ports of their own with OpenSSL's programs, and with strangers about.
//!
//! Where there is no `openssl`, the tests say so and pass.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use kaname_engine::core::Command;
use kaname_engine::core::command::{ExtensionIds, Learn, LegConfig, LegId, Ports, Remote, Transport};
use kaname_engine::{Certificates, DtlsParams, DtlsPeer, DtlsRole, EngineEvent, Fingerprint, SecureError};

use crate::ports::open;
use crate::world::{SHARD, World};

const LEG: LegId = LegId(0x8000_0001);
/// Where OpenSSL's programs have their sockets, each at an address of its own: below the ports that systems hand out.
const PORT: u16 = 4433;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// OpenSSL's words for a key.
type Key = &'static [&'static str];

const P256: Key = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: Key = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: Key = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
const RSA_1024: Key = &["-newkey", "rsa:1024"];
const RSA_2048: Key = &["-newkey", "rsa:2048"];
const RSA_4096: Key = &["-newkey", "rsa:4096"];

/// A key, a certificate, and its fingerprint.
struct Files {
    directory: tempfile::TempDir,
    fingerprint: Fingerprint,
    certificates: Certificates,
}

impl Files {
    /// `None`: OpenSSL is not here.
    fn new(key: Key, certificates: Certificates) -> Option<Files> {
        let directory = tempfile::tempdir().expect("a directory");
        let made = Program::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2"])
            .args(key)
            .args(["-subj", "/CN=telephone", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(directory.path())
            .output();
        if made.is_err() {
            eprintln!("skipped: there is no openssl");
            return None;
        }
        let printed = Program::new("openssl")
            .args(["x509", "-in", "cert.pem", "-noout", "-fingerprint", "-sha256"])
            .current_dir(directory.path())
            .output()
            .expect("it was there");
        let text = String::from_utf8(printed.stdout).expect("text");
        let hash = text.trim().split_once('=').expect("a fingerprint").1;
        let fingerprint = format!("sha-256 {hash}").parse().expect("a fingerprint");
        Some(Files { directory, fingerprint, certificates })
    }

    fn run(&self, arguments: &[&str]) -> Running {
        let shared =
            ["-dtls1_2", "-cert", "cert.pem", "-key", "key.pem", "-use_srtp", "SRTP_AES128_CM_SHA1_80"];
        // What is too weak is for us to refuse.
        let weak = ["-cipher", "DEFAULT@SECLEVEL=0"];
        let program = Program::new("openssl")
            .args(arguments)
            .args(shared)
            .args(weak)
            .args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "60"])
            .current_dir::<&Path>(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Running(program.expect("openssl starts"))
    }
}

/// Waits until it has printed this.
fn await_words(program: &mut Running, words: &str) {
    let output = program.0.stdout.take().expect("piped, and not taken yet");
    let mut lines = BufReader::new(output).lines().map(|line| line.expect("text"));
    assert!(lines.any(|line| line.contains(words)), "it never said {words}");
}

/// An address that nobody else gets: all of 127/8 is loopback, and other sockets of this machine are at its first addresses.
fn free() -> SocketAddr {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
    // The first network is everybody's, the last has the broadcast address.
    (Ipv4Addr::new(127, 1 + (number % 254) as u8, high, low), PORT).into()
}

/// A leg on a port of its own whose peer is said to be there; gives its address.
fn leg(world: &World, files: &Files, role: DtlsRole, learn: Learn, peer: SocketAddr) -> SocketAddr {
    let (local, address) = open(world, SHARD, "127.0.0.1");
    let remote = Remote { rtp: Some(peer), rtcp: None, learn };
    let ports = Ports { rtp: local, rtcp: None, ice: None, remote };
    let config =
        LegConfig { leg: LEG, transport: Transport::Ports(ports), extensions: ExtensionIds::default() };
    world.command(SHARD, Command::AddLeg(Box::new(config)));
    let peer = DtlsPeer::Signalled { local, rtcp: None, remote };
    let &Files { certificates, ref fingerprint, .. } = files;
    let params =
        DtlsParams { certificates, role, peer, data_channels: false, ..DtlsParams::new(fingerprint.clone()) };
    world.engine.secure(SHARD, LEG, params).expect("room");
    address
}

fn is_secured(world: &World) -> bool {
    world.count(|event| matches!(event, EngineEvent::Secured { leg: LEG, dtls: "DTLS 1.2", .. })) == 1
}

/// A ClientHello like any other, but for its random.
fn hello(number: u32) -> Vec<u8> {
    // Version, random, no session, no cookie, one suite, no compression, no extensions.
    let mut body = vec![254, 253];
    body.extend(number.to_be_bytes().repeat(8));
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 0]);
    let len = body.len() as u8;
    let mut hello = vec![22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, len + 12];
    hello.extend([1, 0, 0, len, 0, 0, 0, 0, 0, 0, 0, len]);
    hello.extend(body);
    hello
}

#[test]
fn openssl_begins_while_strangers_flood_the_port() {
    // Where it was said to be, and behind a NAT.
    for (known, key, certificates) in [
        (true, P256, Certificates::Elliptic),
        (false, P256, Certificates::Elliptic),
        (true, RSA_2048, Certificates::Any),
        (false, RSA_2048, Certificates::Any),
    ] {
        let Some(files) = Files::new(key, certificates) else { return };
        let mut world = World::on("127.0.0.1");
        let from = free();
        let signalled = if known { from } else { free() };
        let address = leg(&world, &files, DtlsRole::Passive, Learn::Window, signalled);
        let strangers: Vec<_> = (0..20).map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
        let mut sent = 0;
        let mut flood = |count| {
            for _ in 0..count {
                sent += 1;
                strangers[sent % strangers.len()].send_to(&hello(sent as u32), address).expect("sent");
            }
        };
        // Thousands ahead of the peer, taken in and not lost in the kernel, where its own share is untouched by them.
        if known {
            world.until("a flood", |world| {
                flood(5);
                world.engine.counters(SHARD).get("io_ports_received") > 3000
            });
        }
        let (to, from) = (address.to_string(), from.to_string());
        let mut client = files.run(&["s_client", "-connect", &to, "-bind", &from]);
        world.until("keys", |world| {
            // Ten times what strangers may say in a second, and few enough that a receive buffer holds what comes while the
            // shard has to wait for a processor: OpenSSL repeats what is lost after a second, then two, then four.
            flood(usize::from(known));
            let ended = client.0.try_wait().expect("its state");
            assert!(ended.is_none(), "the client gave up: {ended:?}");
            is_secured(world)
        });
        await_words(&mut client, "Keying material:");
        assert_eq!(world.count(|event| matches!(event, EngineEvent::SecureFailed { .. })), 0);
        // Nobody who did not prove where it is got more than it sent.
        for stranger in &strangers {
            stranger.set_nonblocking(true).expect("an option");
            let received: usize =
                std::iter::from_fn(|| stranger.recv_from(&mut [0; 2048]).ok()).map(|(len, _)| len).sum();
            assert!(received <= sent.div_ceil(strangers.len()) * hello(0).len(), "{received} bytes");
        }
        if known {
            let dropped = |world: &World| {
                let drops = world.engine.counters(SHARD).drops;
                drops.into_iter().any(|(why, count)| why == "dtls_rate" && count > 1000)
            };
            world.until("strangers to be cut short", |world| dropped(world));
        }
    }
}

#[test]
fn we_begin_and_openssl_answers_with_and_without_a_cookie() {
    for (cookie, key, certificates) in [
        (false, P256, Certificates::Elliptic),
        (true, P256, Certificates::Elliptic),
        (false, RSA_2048, Certificates::Any),
        (true, RSA_2048, Certificates::Any),
    ] {
        let Some(files) = Files::new(key, certificates) else { return };
        let mut world = World::on("127.0.0.1");
        let there = free();
        // It need not be there yet: our ClientHello is repeated.
        leg(&world, &files, DtlsRole::Active, Learn::Window, there);
        let accept = there.to_string();
        let arguments = ["s_server", "-accept", &accept, "-verify", "1", "-verify_quiet", "-listen"];
        let mut server = files.run(&arguments[..if cookie { 7 } else { 6 }]);
        world.until("keys", |world| is_secured(world));
        await_words(&mut server, "Keying material:");
    }
}

#[test]
fn certificates_of_all_kinds_in_small_datagrams_too() {
    for key in [RSA_2048, RSA_4096, P256, P384] {
        for role in [DtlsRole::Passive, DtlsRole::Active] {
            let Some(files) = Files::new(key, Certificates::Any) else { return };
            let mut world = World::on("127.0.0.1");
            let there = free();
            let address = leg(&world, &files, role, Learn::Window, there);
            let (to, there) = (address.to_string(), there.to_string());
            let server = ["s_server", "-accept", &there, "-verify", "1", "-verify_quiet", "-mtu", "256"];
            let client = ["s_client", "-connect", &to, "-bind", &there, "-mtu", "256"];
            let _running = files.run(if role == DtlsRole::Active { &server } else { &client });
            world.until("keys", |world| is_secured(world));
        }
    }
}

#[test]
fn without_rtcp_mux_each_port_has_a_handshake() {
    for role in [DtlsRole::Passive, DtlsRole::Active] {
        let Some(files) = Files::new(RSA_2048, Certificates::Any) else { return };
        let mut world = World::on("127.0.0.1");
        let (rtp, rtcp) = (open(&world, SHARD, "127.0.0.1"), open(&world, SHARD, "127.0.0.1"));
        let there = [free(), free()];
        let remote = Remote { rtp: Some(there[0]), rtcp: Some(there[1]), learn: Learn::Window };
        let ports = Ports { rtp: rtp.0, rtcp: Some(rtcp.0), ice: None, remote };
        let config =
            LegConfig { leg: LEG, transport: Transport::Ports(ports), extensions: ExtensionIds::default() };
        world.command(SHARD, Command::AddLeg(Box::new(config)));
        let peer = DtlsPeer::Signalled { local: rtp.0, rtcp: Some(rtcp.0), remote };
        let params = DtlsParams::new(files.fingerprint.clone());
        let certificates = files.certificates;
        let params = DtlsParams { certificates, role, peer, data_channels: false, ..params };
        world.engine.secure(SHARD, LEG, params).expect("room");
        let mut running: Vec<Running> = [rtp.1, rtcp.1]
            .into_iter()
            .zip(there)
            .map(|(to, there)| {
                let (to, there) = (to.to_string(), there.to_string());
                let server = ["s_server", "-accept", &there, "-verify", "1", "-verify_quiet"];
                let client = ["s_client", "-connect", &to, "-bind", &there];
                files.run(if role == DtlsRole::Active { &server } else { &client })
            })
            .collect();
        world.until("keys on both", |world| world.engine.counters(SHARD).get("dtls_secured") == 2);
        world.until("the event", |world| is_secured(world));
        for program in &mut running {
            await_words(program, "Keying material:");
        }
    }
}

#[test]
fn another_certificate_at_the_signalled_address_gets_no_keys() {
    for (key, certificates) in [(P256, Certificates::Elliptic), (RSA_2048, Certificates::Any)] {
        let (Some(files), Some(others)) = (Files::new(key, certificates), Files::new(key, certificates))
        else {
            return;
        };
        for role in [DtlsRole::Passive, DtlsRole::Active] {
            assert_eq!(refusal(&files, &others, role), SecureError::Fingerprint);
        }
    }
}

#[test]
fn weak_and_unknown_keys_are_refused_and_named() {
    // Where we begin, OpenSSL itself finds no use for a key of the last kind.
    for (key, role) in
        [(RSA_1024, DtlsRole::Passive), (RSA_1024, DtlsRole::Active), (P521, DtlsRole::Passive)]
    {
        let Some(files) = Files::new(key, Certificates::Any) else { return };
        assert_eq!(refusal(&files, &files, role), SecureError::WeakCertificate, "{key:?} {role:?}");
    }
}

/// Why a peer with the one certificate gets no keys where the other was signalled.
fn refusal(files: &Files, signalled: &Files, role: DtlsRole) -> SecureError {
    let mut world = World::on("127.0.0.1");
    let there = free();
    let address = leg(&world, signalled, role, Learn::Window, there);
    let (to, there) = (address.to_string(), there.to_string());
    let server = ["s_server", "-accept", &there, "-verify", "1"];
    let client = ["s_client", "-connect", &to, "-bind", &there];
    let _running = files.run(if role == DtlsRole::Active { &server } else { &client });
    let why = Cell::new(None);
    world.until("a refusal", |world| {
        world.count(|event| {
            if let EngineEvent::SecureFailed { reason, .. } = event {
                why.set(Some(*reason));
            }
            why.get().is_some()
        }) > 0
    });
    assert!(!is_secured(&world));
    why.get().expect("just refused")
}
