//! Sound that a receiver outside gets as it is spoken.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use kaname_engine::audio::{Codec, Rate};
use kaname_sfu::calls::{CallsConfig, CallsCounters, Receiver};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::phone::{Phone, rtp_address};
use crate::rooms::{HIGH, LOW, Talker, energy_at, talk};
use crate::rtp::{about, call};
use crate::support::{PATIENCE, Proxy, World, command, config, text};

const RATE: Rate = Rate::K16;

fn forwarding(ports: (u16, u16), to: &str, ca_file: Option<&Path>) -> CallsConfig {
    let receiver = Receiver::new(to.parse().unwrap(), RATE, ca_file).unwrap();
    CallsConfig { forward: Some(receiver), ..config(ports) }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A call of one who says a low tone with one who says a high one.
async fn talkers(proxy: &mut Proxy) -> (Talker, Talker) {
    let (caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, to_caller) = call(proxy, "c1", &caller, &callee).await;
    let talker = |phone, to, hz| Talker::new(phone, to, Codec::Pcma, 8, hz);
    (talker(caller, to_callee, LOW), talker(callee, to_caller, HIGH))
}

/// Both talk until something else is done.
async fn talking<T>(one: &mut Talker, other: &mut Talker, act: impl Future<Output = T>) -> T {
    let mut act = pin!(tokio::time::timeout(PATIENCE, act));
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            done = &mut act => return done.expect("done in time"),
            _ = pace.tick() => { one.say().await; other.say().await; }
        }
    }
}

/// The other leg carries sound all the while.
async fn hear_each_other(one: &mut Talker, other: &mut Talker) {
    talk(one, other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
}

/// What a connection begins with.
async fn head(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    loop {
        match connection.read_u8().await.unwrap() {
            0 => return String::from_utf8(head).unwrap(),
            byte => head.push(byte),
        }
    }
}

/// Reads until a tone, and nothing else, is in half a second.
async fn hear_tone(connection: &mut (impl AsyncRead + Unpin), hz: f64) {
    assert_eq!(hear_one_of(connection, &[hz]).await, hz);
}

async fn hear_one_of(connection: &mut (impl AsyncRead + Unpin), tones: &[f64]) -> f64 {
    let rate = f64::from(RATE.hz());
    loop {
        let mut bytes = vec![0; RATE.samples(500) * 2];
        connection.read_exact(&mut bytes).await.unwrap();
        let sound: Vec<f64> =
            bytes.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect();
        let all: f64 = sound.iter().map(|sample| sample * sample).sum();
        let share = |hz: f64| -> f64 {
            sound.chunks(RATE.samples(20)).map(|part| energy_at(hz, part, rate)).sum::<f64>() / all
        };
        let found = tones.iter().find(|hz| all > 1e9 && share(**hz) > 0.95);
        if let Some(hz) = found {
            return *hz;
        }
    }
}

/// Reads what is left; an end without an error.
async fn read_out(mut connection: impl AsyncRead + Unpin) {
    let mut rest = Vec::new();
    let end = connection.read_to_end(&mut rest);
    tokio::time::timeout(PATIENCE, end).await.expect("ended in time").unwrap();
}

/// Waits until the node counts what is wished.
async fn counted(world: &World, wished: impl Fn(&CallsCounters) -> bool) {
    let counting = async {
        while !wished(&world.calls.counters().await) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counting).await.expect("counted in time");
}

#[tokio::test]
async fn a_receiver_hears_who_is_named_until_it_is_told_to_stop() {
    let (listener, address) = listen().await;
    let world = World::start(forwarding((26_000, 26_099), &format!("tcp://{address}"), None));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = talkers(&mut proxy).await;
    let order = about("start forwarding", "c1", "a", "").with("metadata", "queue:sales|agent:7");
    let reply = proxy.ask(order).await;
    assert_eq!((text(&reply, "result"), text(&reply, "warning")), ("ok", ""), "{reply:?}");
    let (mut connection, _) = listener.accept().await.unwrap();
    assert_eq!(head(&mut connection).await, "queue:sales|agent:7");
    talking(&mut caller, &mut callee, hear_tone(&mut connection, LOW)).await;
    hear_each_other(&mut caller, &mut callee).await;
    assert!(listener.accept().now_or_never().is_none(), "the other party is nobody's business");
    assert_eq!(text(&proxy.ask(about("stop forwarding", "c1", "a", "")).await, "result"), "ok");
    read_out(connection).await;
    counted(&world, |counters| counters.forwarded == 0).await;
    hear_each_other(&mut caller, &mut callee).await;

    // Of the whole call each party has its own connection, and keeps it over another codec.
    let reply = proxy.ask(command("start forwarding").with("call-id", "c1")).await;
    assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
    let (mut one, _) = listener.accept().await.unwrap();
    let (mut other, _) = listener.accept().await.unwrap();
    for connection in [&mut one, &mut other] {
        assert_eq!(head(connection).await, "queue:sales|agent:7");
    }
    let tone = talking(&mut caller, &mut callee, hear_one_of(&mut one, &[LOW, HIGH])).await;
    let (mut of_caller, mut of_callee) = if tone == LOW { (one, other) } else { (other, one) };
    let offer = about("offer", "c1", "a", "b").with("sdp", caller.phone.describe("0", &[]));
    let offered = proxy.describe(offer).await;
    let answer = about("answer", "c1", "a", "b").with("sdp", callee.phone.describe("0", &[]));
    let answered = proxy.describe(answer).await;
    let talker = |phone, to, hz| Talker::new(phone, to, Codec::Pcmu, 0, hz);
    let mut caller = talker(caller.phone, rtp_address(&answered), LOW);
    let mut callee = talker(callee.phone, rtp_address(&offered), HIGH);
    hear_each_other(&mut caller, &mut callee).await;
    let both = async {
        tokio::join!(hear_tone(&mut of_caller, LOW), hear_tone(&mut of_callee, HIGH));
    };
    talking(&mut caller, &mut callee, both).await;
    let counters = world.calls.counters().await;
    assert_eq!((counters.forwarded, counters.forward_failures_total), (2, 0));
    assert!(counters.commands_failed_total.is_empty(), "{:?}", counters.commands_failed_total);
    proxy.ask(about("delete", "c1", "a", "b")).await;
    read_out(of_caller).await;
    read_out(of_callee).await;
}

/// A certificate for this machine alone, and what accepts connections with it.
fn acceptor(folder: &Path) -> (std::path::PathBuf, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn over_tls_only_the_receiver_that_proves_its_name_hears() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ca_file, acceptor) = acceptor(folder.path());
    let (_, stranger) = self::acceptor(other_folder.path());
    let (listener, address) = listen().await;
    let world = World::start(forwarding((26_100, 26_199), &format!("tls://{address}"), Some(&ca_file)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = talkers(&mut proxy).await;
    proxy.ask(about("start forwarding", "c1", "b", "")).await;
    let (socket, _) = listener.accept().await.unwrap();
    assert!(stranger.accept(socket).await.is_err(), "it has another certificate");
    counted(&world, |counters| counters.forward_failures_total == 1).await;
    let accepted = talking(&mut caller, &mut callee, listener.accept());
    let mut connection = acceptor.accept(accepted.await.unwrap().0).await.unwrap();
    assert_eq!(head(&mut connection).await, "", "nothing was said of the call");
    talking(&mut caller, &mut callee, hear_tone(&mut connection, HIGH)).await;
    counted(&world, |counters| counters.forward_lost_ms_total > 0).await;
    proxy.ask(command("stop forwarding").with("call-id", "c1").with("all", "all")).await;
    read_out(connection).await;
}

#[tokio::test]
async fn a_receiver_that_is_not_there_costs_its_sound_and_no_call() {
    let (listener, address) = listen().await;
    drop(listener);
    let world = World::start(forwarding((26_200, 26_299), &format!("tcp://{address}"), None));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = talkers(&mut proxy).await;
    assert_eq!(text(&proxy.ask(about("start forwarding", "c1", "a", "")).await, "result"), "ok");
    let lost = |counters: &CallsCounters| {
        counters.forward_failures_total > 0 && counters.forward_lost_ms_total > 500
    };
    talking(&mut caller, &mut callee, counted(&world, lost)).await;
    hear_each_other(&mut caller, &mut callee).await;
    proxy.ask(about("delete", "c1", "a", "b")).await;
    assert_eq!(world.calls.counters().await.ended_total["deleted"], 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew() {
    let (listener, address) = listen().await;
    let world = World::start(forwarding((26_300, 26_399), &format!("tcp://{address}"), None));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = talkers(&mut proxy).await;
    proxy.ask(about("start forwarding", "c1", "a", "").with("metadata", "x")).await;
    drop(listener.accept().await.unwrap());
    let (mut connection, _) = talking(&mut caller, &mut callee, listener.accept()).await.unwrap();
    assert_eq!(head(&mut connection).await, "x", "each connection begins so");
    talking(&mut caller, &mut callee, hear_tone(&mut connection, LOW)).await;
    assert_eq!(world.calls.counters().await.forward_failures_total, 1);
}
