//! stdio to HTTP: every line of the client's is a POST of its own, every body a line.

use crate::record::Desk;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::fs::File;
use std::io::Write;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

type Poster = Client<HttpConnector, Full<Bytes>>;

pub async fn run(record: &str, url: &str) -> Result<()> {
    let mut desk = Desk::open(record)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let poster: Poster = Client::builder(TokioExecutor::new()).build(connector);
    let mut input = pipe::OpenOptions::new().open_receiver("/proc/self/fd/0")?;
    let mut lines = Vec::new();
    loop {
        if input.read_buf(&mut lines).await? == 0 {
            return Ok(());
        }
        while let Some(end) = memchr::memchr(b'\n', &lines) {
            let line: Vec<u8> = lines.drain(..=end).collect();
            if desk.passes(&line)? {
                let (poster, url) = (poster.clone(), url.to_owned());
                tokio::spawn(async move {
                    // Whoever waits for an answer that never comes notices.
                    let _ = post(&poster, &url, line).await;
                });
            }
        }
    }
}

async fn post(poster: &Poster, url: &str, line: Vec<u8>) -> Result<()> {
    let request = Request::post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::new(Bytes::from(line)))?;
    let body = poster.request(request).await?.into_body().collect().await?.to_bytes();
    if body.is_empty() {
        return Ok(());
    }
    let mut answer = Vec::from(body);
    answer.push(b'\n');
    let mut output = File::options().write(true).open("/proc/self/fd/1")?;
    Ok(output.write_all(&answer)?)
}
