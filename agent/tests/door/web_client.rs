//! A small HTTP client by hand: a socket, a request as text, an answer read piece by piece. Never waits
//! without an end.

use crate::world::PATIENCE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One answer, its body still to be read.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    from: BufReader<TcpStream>,
    /// Left of the chunk, or of the body.
    left: usize,
    chunked: bool,
    ended: bool,
}

/// One event of a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub kind: Option<String>,
    pub retry: Option<String>,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends these very bytes on a connection of its own.
pub fn send_raw(address: &str, bytes: &[u8]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // A door that has refused already may close in the middle.
    let _ = stream.write_all(bytes);
    BufReader::new(stream)
}

pub fn read_answer(mut from: BufReader<TcpStream>) -> Answer {
    let line = read_line(&mut from);
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {line:?}"));
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut from);
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let found = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let chunked = found("transfer-encoding").is_some_and(|value| value == "chunked");
    let left = found("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    Answer { status, headers, from, left, chunked, ended: !chunked && left == 0 }
}

fn read_line(from: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn is_events(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    pub fn body(mut self) -> String {
        let mut body = Vec::new();
        while let Some(byte) = self.byte() {
            body.push(byte);
        }
        String::from_utf8(body).unwrap()
    }

    /// The message in a plain answer, or the last one of a stream.
    pub fn json(mut self) -> Value {
        if self.is_events() {
            return self.events_to_end().last().expect("a message").json();
        }
        let (status, body) = (self.status, self.body());
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"))
    }

    /// The next event with data or an id; `None` at the end of the stream.
    pub fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => {
                    let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                    if text.is_empty() {
                        if event != Event::default() {
                            return Some(event);
                        }
                        continue;
                    }
                    let (field, value) = text.split_once(':').unwrap_or((&text, ""));
                    let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
                    match field {
                        "id" => event.id = Some(value),
                        "event" => event.kind = Some(value),
                        "retry" => event.retry = Some(value),
                        "data" => event.data.push_str(&value),
                        _ => {}
                    }
                }
                byte => line.push(byte),
            }
        }
    }

    /// The next event that is a message.
    pub fn message(&mut self) -> Value {
        loop {
            let event = self.event().expect("the stream goes on");
            if !event.data.is_empty() {
                return event.json();
            }
        }
    }

    /// All messages to the end of the stream.
    pub fn events_to_end(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.event()).filter(|event| !event.data.is_empty()).collect()
    }

    fn byte(&mut self) -> Option<u8> {
        while self.left == 0 {
            if self.ended || !self.chunked {
                return None;
            }
            let mut size = read_line(&mut self.from);
            if size.is_empty() {
                size = read_line(&mut self.from);
            }
            self.left = usize::from_str_radix(&size, 16).unwrap_or(0);
            self.ended = self.left == 0;
        }
        let mut byte = [0];
        self.from.read_exact(&mut byte).ok()?;
        self.left -= 1;
        Some(byte[0])
    }
}
