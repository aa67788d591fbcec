//! Streamable HTTP from the client's side: with a session up to 2025-11-25, without one since 2026-07-28.

use super::Wire;
use super::exchange::{Answer, Event, Url, send};
use anyhow::Result;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two attempts to pick up a stream, where the server names no other time.
const RESUME_DELAY: Duration = Duration::from_millis(500);

pub(super) struct Streamable {
    shared: Arc<Shared>,
    heard: Receiver<String>,
}

struct Shared {
    url: Url,
    to_client: Sender<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<String>,
    version: Option<String>,
    /// Connections by the request they carry; the stream of what comes unasked under none.
    open: HashMap<Option<u64>, TcpStream>,
    exchanges: Vec<String>,
}

impl Streamable {
    pub(super) fn new(url: &str) -> Result<Self> {
        let (to_client, heard) = channel();
        let shared = Shared { url: Url::read(url)?, to_client, state: Mutex::default() };
        Ok(Self { shared: Arc::new(shared), heard })
    }
}

impl Wire for Streamable {
    fn send(&mut self, message: &str) -> Result<()> {
        let json: Value = serde_json::from_str(message).unwrap_or_default();
        let asked = json.get("method").is_some_and(|_| json["id"].is_u64()) || json.is_array();
        let what = json["method"].as_str().unwrap_or(if json.is_array() { "a batch" } else { "an answer" });
        let stream = send("POST", &self.shared.url, &self.shared.headers(&json), Some(message))?;
        let id = json["id"].as_u64().filter(|_| asked);
        if asked {
            self.shared.state().open.insert(id, stream.try_clone()?);
        }
        let (shared, what) = (Arc::clone(&self.shared), what.to_owned());
        if !asked {
            shared.take(stream, &what, None);
            if what == "notifications/initialized" {
                let shared = Arc::clone(&self.shared);
                std::thread::spawn(move || shared.listen());
            }
            return Ok(());
        }
        std::thread::spawn(move || shared.take(stream, &what, id));
        Ok(())
    }

    fn hang_up(&mut self, id: u64) -> bool {
        let stream = self.shared.state().open.remove(&Some(id));
        stream.is_some_and(|stream| stream.shutdown(Shutdown::Both).is_ok())
    }

    fn heard(&self) -> &Receiver<String> {
        &self.heard
    }

    fn exchanges(&self) -> Vec<String> {
        self.shared.state().exchanges.clone()
    }

    fn leave(self: Box<Self>) {
        if self.shared.state().session.is_some() {
            let headers = self.shared.headers(&Value::Null);
            if let Ok(stream) = send("DELETE", &self.shared.url, &headers, None)
                && let Ok(answer) = Answer::read(stream)
            {
                self.shared.note("DELETE", &answer);
            }
        }
    }
}

impl Drop for Streamable {
    fn drop(&mut self) {
        for stream in self.shared.state().open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: &str, answer: &Answer) {
        let line = format!("{what} -> {} {}", answer.status, answer.content_type());
        self.state().exchanges.push(line);
    }

    /// What the revision of this message asks for.
    fn headers(&self, message: &Value) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if !message.is_null() {
            add("accept", "application/json, text/event-stream");
            add("content-type", "application/json");
        }
        let params = &message["params"];
        if let Some(version) = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str() {
            add("mcp-protocol-version", version);
            add("mcp-method", message["method"].as_str().unwrap_or_default());
            let name = params["name"].as_str().or(params["uri"].as_str());
            if let Some(name) = name.filter(|_| message["method"] != "completion/complete") {
                add("mcp-name", name);
            }
            return headers;
        }
        let state = self.state();
        if let Some(session) = &state.session {
            add("mcp-session-id", session);
        }
        if let Some(version) = &state.version {
            add("mcp-protocol-version", version);
        }
        headers
    }

    fn headers_to_listen(&self) -> Vec<(String, String)> {
        let mut headers = self.headers(&Value::Null);
        headers.push(("accept".to_owned(), "text/event-stream".to_owned()));
        headers
    }

    /// Reads the answer to a POST to its end.
    fn take(&self, stream: TcpStream, what: &str, id: Option<u64>) {
        let Ok(answer) = Answer::read(stream) else { return };
        self.note(what, &answer);
        if let Some(session) = answer.header("mcp-session-id") {
            self.state().session = Some(session.to_owned());
        }
        if answer.content_type() != "text/event-stream" {
            if let Ok(text) = answer.text() {
                self.hear(text);
            }
        } else if let Some(id) = id {
            self.follow(answer, id);
        } else {
            answer.events(|event| self.hear(event.data.unwrap_or_default()));
        }
        if id.is_some() {
            self.state().open.remove(&id);
        }
    }

    /// A stream that carries the answer to `id`; picked up again where the server dropped it before.
    fn follow(&self, mut answer: Answer, id: u64) {
        let (mut answered, mut last, mut pause) = (false, None, RESUME_DELAY);
        loop {
            answer.events(|event: Event| {
                last = event.id.filter(|id| !id.is_empty()).or(last.take());
                pause = event.retry.map_or(pause, Duration::from_millis);
                let Some(data) = event.data.filter(|data| !data.is_empty()) else { return };
                let json: Value = serde_json::from_str(&data).unwrap_or_default();
                answered |= json["id"] == id && json.get("method").is_none();
                self.hear(data);
            });
            let Some(last) = last.clone().filter(|_| !answered) else { return };
            std::thread::sleep(pause);
            let mut headers = self.headers_to_listen();
            headers.push(("last-event-id".to_owned(), last));
            let Ok(stream) = send("GET", &self.url, &headers, None) else { return };
            let Ok(again) = Answer::read(stream) else { return };
            self.note("GET to resume", &again);
            if again.status != 200 {
                return;
            }
            answer = again;
        }
    }

    /// The stream of what the server says unasked.
    fn listen(&self) {
        let Ok(stream) = send("GET", &self.url, &self.headers_to_listen(), None) else { return };
        if let Ok(own) = stream.try_clone() {
            self.state().open.insert(None, own);
        }
        let Ok(answer) = Answer::read(stream) else { return };
        self.note("GET", &answer);
        if answer.status == 200 {
            answer.events(|event| self.hear(event.data.unwrap_or_default()));
        }
    }

    fn hear(&self, text: String) {
        if text.trim().is_empty() {
            return;
        }
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(version) = json["result"]["protocolVersion"].as_str() {
            self.state().version = Some(version.to_owned());
        }
        // Nobody listens any more once the client left.
        let _ = self.to_client.send(text);
    }
}
