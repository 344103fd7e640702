//! Debian's Chromium, driven over its DevTools protocol by a thin client of our own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::footage::Footage;
use crate::node::{artefacts, target};
use crate::{Error, must};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Reply = oneshot::Sender<Result<Value, String>>;

/// Helpers that every page gets; see there.
const HELPERS: &str = include_str!("browser/helpers.js");
/// Flags that keep Chromium to itself and let media run without a person, a device or a sound card.
const FLAGS: [&str; 19] = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-features=WebRtcHideLocalIpsWithMdns,CalculateNativeWinOcclusion",
    "--allow-loopback-in-peer-connection",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--window-size=1280,800",
];

/// A running browser with a profile of its own. It ends when this is dropped.
pub struct Browser {
    child: Child,
    link: Link,
    profile: PathBuf,
    reader: JoinHandle<()>,
    folder: PathBuf,
}

/// One tab.
pub struct Page {
    link: Link,
    session: String,
    folder: PathBuf,
    name: String,
}

/// The way to the browser: commands out, replies and console lines back.
#[derive(Clone)]
struct Link {
    commands: mpsc::Sender<(Value, Option<Reply>)>,
    console: Arc<Mutex<Vec<String>>>,
}

impl Browser {
    /// Starts a browser whose camera and microphone play the footage in a loop.
    pub async fn start(test: &str, name: &str, footage: &Footage) -> Result<Browser, Error> {
        let folder = artefacts(test)?;
        let profile = target().join("profiles").join(format!("{test}-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&profile)?;
        let mut command = Command::new("chromium");
        command
            .args(FLAGS)
            .arg("--use-fake-device-for-media-stream")
            .arg(format!("--use-file-for-fake-video-capture={}", footage.y4m.display()))
            .arg(format!("--use-file-for-fake-audio-capture={}", footage.wav.display()))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|e| Error::Browser(format!("chromium: {e}; apt-get install chromium")))?;
        let errors = child.stderr.take().ok_or_else(|| Error::Browser("no stderr".into()))?;
        let mut lines = BufReader::new(errors).lines();
        let address = must("the browser's start", async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("DevTools listening on ") {
                    return Some(address.to_owned());
                }
            }
            None
        });
        let address = address.await?.ok_or_else(|| Error::Browser("it ended at once".into()))?;
        // Chromium goes on writing: somebody has to read, or it will stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = tokio_tungstenite::connect_async(&address).await.map_err(protocol)?;
        let (commands, queue) = mpsc::channel(64);
        let link = Link { commands, console: Arc::default() };
        let reader = tokio::spawn(serve(socket, queue, Arc::clone(&link.console)));
        Ok(Browser { child, link, profile, reader, folder })
    }

    /// Opens a tab at an address and waits until it is loaded.
    pub async fn open(&self, name: &str, url: &str) -> Result<Page, Error> {
        let target = self.link.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.link.call(None, "Target.attachToTarget", attach).await?;
        let session = session["sessionId"].as_str().unwrap_or_default().to_owned();
        let page =
            Page { link: self.link.clone(), session, folder: self.folder.clone(), name: name.to_owned() };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await?;
        }
        page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": HELPERS })).await?;
        page.go(url).await?;
        Ok(page)
    }

    /// What pages wrote to their consoles, with uncaught exceptions.
    pub fn console(&self) -> Vec<String> {
        self.link.console.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.reader.abort();
        let console = self.console().join("\n");
        let _ = std::fs::write(
            self.folder.join(format!("console-{}.log", self.child.id().unwrap_or(0))),
            console,
        );
        // Chromium is many processes: its group is ours, we started it.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

impl Page {
    /// Goes to an address and waits until its document is complete.
    pub async fn go(&self, url: &str) -> Result<(), Error> {
        // An address that differs in its fragment only would not load anew.
        self.call("Page.navigate", json!({ "url": "about:blank" })).await?;
        self.call("Page.navigate", json!({ "url": url })).await?;
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'").await
    }

    /// Loads the same address anew.
    pub async fn reload(&self) -> Result<(), Error> {
        self.eval("window.stale = true").await?;
        self.call("Page.reload", json!({})).await?;
        self.until("!window.stale && document.readyState === 'complete'").await
    }

    /// The value of an expression; a promise is waited for.
    pub async fn eval(&self, expression: &str) -> Result<Value, Error> {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", params).await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            let text = exception["exception"]["description"].as_str().or_else(|| exception["text"].as_str());
            return Err(Error::Browser(format!("{}: {expression}", text.unwrap_or("an exception"))));
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true. It may fail meanwhile: a page that is loading has half of everything.
    pub async fn until(&self, expression: &str) -> Result<(), Error> {
        let script = format!("window.tried(() => ({expression}))");
        let wait = async {
            loop {
                // A navigation ends a script half way: begin again in the new document.
                match self.eval(&script).await {
                    Ok(Value::Bool(true)) => return,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        if tokio::time::timeout(crate::HUNG, wait).await.is_ok() {
            return Ok(());
        }
        let _ = self.screenshot("hung").await;
        let about = self.eval("window.about()").await.unwrap_or_default();
        Err(Error::Browser(format!("{}: never came true: {expression}\nthe page: {about}", self.name)))
    }

    /// Waits for an element to be there and enabled, and clicks it.
    pub async fn click(&self, testid: &str) -> Result<(), Error> {
        self.until(&format!("byId('{testid}') && !byId('{testid}').disabled")).await?;
        self.eval(&format!("byId('{testid}').click()")).await.map(|_| ())
    }

    /// Puts text into an input, as typing would.
    pub async fn type_text(&self, testid: &str, text: &str) -> Result<(), Error> {
        self.until(&format!("byId('{testid}')")).await?;
        self.eval(&format!("byId('{testid}').focus(), byId('{testid}').select?.()")).await?;
        self.call("Input.insertText", json!({ "text": text })).await.map(|_| ())
    }

    /// Keeps a picture of the tab among the artefacts.
    pub async fn screenshot(&self, what: &str) -> Result<(), Error> {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let bytes = decode_base64(answer["data"].as_str().unwrap_or_default());
        Ok(std::fs::write(self.folder.join(format!("{}-{what}.png", self.name)), bytes)?)
    }

    /// Keeps text among the artefacts.
    pub fn note(&self, what: &str, text: &str) -> Result<(), Error> {
        Ok(std::fs::write(self.folder.join(format!("{}-{what}.txt", self.name)), text)?)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.link.call(Some(&self.session), method, params).await
    }
}

impl Link {
    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Error> {
        let mut command = json!({ "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let (reply, answer) = oneshot::channel();
        let gone = || Error::Browser(format!("{method}: the browser is gone"));
        self.commands.send((command, Some(reply))).await.map_err(|_| gone())?;
        match must("an answer of the browser", answer).await? {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Error::Browser(format!("{method}: {error}"))),
            Err(_) => Err(gone()),
        }
    }
}

fn protocol(error: tokio_tungstenite::tungstenite::Error) -> Error {
    Error::Browser(error.to_string())
}

/// Carries commands to the browser and replies back, by their numbers.
async fn serve(
    socket: Socket,
    mut queue: mpsc::Receiver<(Value, Option<Reply>)>,
    console: Arc<Mutex<Vec<String>>>,
) {
    let (mut out, mut inbound) = socket.split();
    let mut waiting: HashMap<u64, Reply> = HashMap::new();
    let mut number = 0;
    loop {
        tokio::select! {
            command = queue.recv() => {
                let Some((mut command, reply)) = command else { return };
                number += 1;
                command["id"] = number.into();
                if let Some(reply) = reply {
                    waiting.insert(number, reply);
                }
                if out.send(Message::text(command.to_string())).await.is_err() {
                    return;
                }
            }
            frame = inbound.next() => {
                let Some(Ok(frame)) = frame else { return };
                let Message::Text(text) = frame else { continue };
                let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
                if let Some(reply) = message["id"].as_u64().and_then(|id| waiting.remove(&id)) {
                    let error = message.get("error").map(|e| e["message"].to_string());
                    // Whoever asked may have given up.
                    let _ = reply.send(error.map_or_else(|| Ok(message["result"].clone()), Err));
                } else if let Some(line) = console_line(&message) {
                    console.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(line);
                }
            }
        }
    }
}

fn console_line(message: &Value) -> Option<String> {
    let params = &message["params"];
    match message["method"].as_str()? {
        "Runtime.consoleAPICalled" => {
            let words = params["args"].as_array()?.iter().map(|a| {
                a["value"]
                    .as_str()
                    .or_else(|| a["description"].as_str())
                    .map_or_else(|| a["value"].to_string(), str::to_owned)
            });
            Some(format!("{}: {}", params["type"].as_str()?, words.collect::<Vec<_>>().join(" ")))
        }
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            let text = details["exception"]["description"].as_str().or_else(|| details["text"].as_str())?;
            Some(format!("exception: {text}"))
        }
        "Log.entryAdded" => {
            let entry = &params["entry"];
            Some(format!(
                "{}: {} {}",
                entry["level"].as_str()?,
                entry["text"].as_str()?,
                entry["url"].as_str().unwrap_or("")
            ))
        }
        _ => None,
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads() {
        assert_eq!(decode_base64("a2FuYW1l"), b"kaname");
        assert_eq!(decode_base64("aGk="), b"hi");
        assert_eq!(decode_base64(""), b"");
    }

    #[test]
    fn console_lines_are_told() {
        let thrown = json!({"method": "Runtime.exceptionThrown",
            "params": {"exceptionDetails": {"exception": {"description": "TypeError: x"}}}});
        assert_eq!(console_line(&thrown).as_deref(), Some("exception: TypeError: x"));
        assert_eq!(console_line(&json!({"method": "Page.loadEventFired"})), None);
    }
}
