use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::calls::ng::Client;

const SDP: &str = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n";

/// A node that answers requests as `answers` says, by their number.
fn node(
    mut answers: impl FnMut(u64, &str) -> Option<String> + Send + 'static,
) -> (SocketAddr, Arc<AtomicBool>) {
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

fn take(answers: impl FnMut(u64, &str) -> Option<String> + Send + 'static) -> Step {
    let (at, over) = node(answers);
    let client = Client::connect(at).unwrap().without_waiting().unwrap();
    let caller = Caller::new(client, Case::named("rtp-rtp").unwrap(), "127.0.0.1:20000".parse().unwrap());
    let step = caller.unwrap().run(50, Duration::from_secs(1), None).unwrap();
    over.store(true, Ordering::Relaxed);
    step
}

fn good(text: &str) -> Option<String> {
    let asked = |command: &str| text.contains(&format!("7:command{}:{command}", command.len()));
    let rest = if asked("list") {
        "5:callsle".to_owned()
    } else if asked("delete") {
        String::new()
    } else {
        format!("3:sdp{}:{SDP}", SDP.len())
    };
    Some(format!("d6:result2:ok{rest}e"))
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

/// The text of a request behind this key.
fn text_of<'t>(request: &'t str, key: &str) -> &'t str {
    let behind = request.split_once(&format!("{}:{key}", key.len())).map_or("0:", |(_, rest)| rest);
    let (len, rest) = behind.split_once(':').unwrap();
    &rest[..len.parse::<usize>().unwrap()]
}

#[test]
fn calls_that_were_given_up_are_deleted_ahead_of_the_next_step() {
    let calls: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    calls.lock().unwrap().insert("somebody else's".into());
    let (known, mut deaf) = (Arc::clone(&calls), true);
    let step = take(move |_, text| {
        let (mut known, id) = (known.lock().unwrap(), text_of(text, "call-id"));
        let is_slow = id.ends_with("3@rate");
        match text_of(text, "command") {
            // It does what it is asked, and the answer comes too late for anybody.
            "offer" => {
                known.insert(id.to_owned());
                (!is_slow).then(|| good(text))?
            }
            // One of those stays where it is for once.
            "delete" if is_slow && std::mem::take(&mut deaf) => good(text),
            "delete" => {
                known.remove(id);
                good(text)
            }
            "list" => {
                let ids: String = known.iter().map(|id| format!("{}:{id}", id.len())).collect();
                Some(format!("d5:callsl{ids}e6:result2:oke"))
            }
            _ => good(text),
        }
    });
    assert_eq!((step.begun, step.done, step.failed, step.late), (50, 45, 5, 5), "{:?}", step.why);
    assert_eq!(calls.lock().unwrap().iter().collect::<Vec<_>>(), ["somebody else's"]);
}
