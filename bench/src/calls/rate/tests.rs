use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const SDP: &str = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n";

/// A node that answers requests as `answers` says, by their number.
fn node(answers: fn(u64, &str) -> Option<String>) -> (SocketAddr, Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (at, over) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&over);
    std::thread::spawn(move || {
        let (mut buffer, mut number) = ([0; 4096], 0);
        while !ended.load(Ordering::Relaxed) {
            let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let cookie = text.split(' ').next().unwrap();
            if let Some(answer) = answers(number, &text) {
                socket.send_to(format!("{cookie} {answer}").as_bytes(), from).unwrap();
            }
            number += 1;
        }
    });
    (at, over)
}

fn take(answers: fn(u64, &str) -> Option<String>) -> Step {
    let (at, over) = node(answers);
    let client = Client::connect(at).unwrap().without_waiting().unwrap();
    let caller = Caller::new(client, Case::named("rtp-rtp").unwrap(), "127.0.0.1:20000".parse().unwrap());
    let step = caller.unwrap().run(50, Duration::from_secs(1), None).unwrap();
    over.store(true, Ordering::Relaxed);
    step
}

fn good(text: &str) -> Option<String> {
    let sdp = if text.contains("6:delete") { String::new() } else { format!("3:sdp{}:{SDP}", SDP.len()) };
    Some(format!("d6:result2:ok{sdp}e"))
}

#[test]
fn calls_are_offered_answered_and_deleted() {
    let step = take(|_, text| good(text));
    assert_eq!((step.begun, step.done, step.failed, step.repeated), (50, 50, 0, 0), "{:?}", step.why);
    assert!(step.p50_us > 0 && step.max_us >= step.p99_us);
}

#[test]
fn what_is_lost_is_asked_again_and_what_is_refused_counts() {
    let lossy = take(|number, text| if number == 3 { None } else { good(text) });
    assert_eq!((lossy.done, lossy.failed, lossy.repeated), (50, 0, 1));
    assert!(!lossy.holds());
    let full = take(|number, text| match number {
        0 => Some("d12:error-reason4:full6:result5:errore".into()),
        _ => good(text),
    });
    assert_eq!((full.done, full.failed), (49, 1));
    assert_eq!(full.why.as_deref(), Some("Offer: error full"));
}
