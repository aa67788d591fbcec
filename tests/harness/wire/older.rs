//! The older HTTP with server-sent events (2024-11-05), from the client's side.

use super::Wire;
use super::exchange::{Answer, Url, send};
use anyhow::{Context, Result, ensure};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(super) struct Older {
    stream: TcpStream,
    messages: Url,
    heard: Receiver<String>,
    exchanges: Vec<String>,
}

impl Older {
    pub(super) fn dial(url: &str) -> Result<Self> {
        let url = Url::read(url)?;
        let stream = send("GET", &url, &[("accept".into(), "text/event-stream".into())], None)?;
        let answer = Answer::read(stream.try_clone()?)?;
        let exchanges = vec![format!("GET -> {} {}", answer.status, answer.content_type())];
        ensure!(answer.status == 200, "the stream was answered by {exchanges:?}");
        let (sender, heard) = channel();
        let (name_endpoint, endpoint) = channel();
        std::thread::spawn(move || {
            answer.events(|event| match (event.name.as_str(), event.data) {
                ("endpoint", Some(data)) => drop(name_endpoint.send(data)),
                ("" | "message", Some(data)) => drop(sender.send(data)),
                _ => {}
            });
        });
        let named = endpoint.recv_timeout(Duration::from_secs(20)).context("no endpoint was named")?;
        Ok(Self { stream, messages: url.join(&named)?, heard, exchanges })
    }
}

impl Wire for Older {
    fn send(&mut self, message: &str) -> Result<()> {
        let headers = [("content-type".into(), "application/json".into())];
        let answer = Answer::read(send("POST", &self.messages, &headers, Some(message))?)?;
        self.exchanges.push(format!("POST -> {}", answer.status));
        Ok(())
    }

    fn heard(&self) -> &Receiver<String> {
        &self.heard
    }

    fn exchanges(&self) -> Vec<String> {
        self.exchanges.clone()
    }

    fn leave(self: Box<Self>) {}
}

impl Drop for Older {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
