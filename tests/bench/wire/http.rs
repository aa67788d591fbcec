//! Over HTTP/1.1: a connection of its own for each call in flight, kept open.

use crate::speech::{self, Call};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const SMALL: usize = 100;

pub struct Http {
    address: String,
    /// Path, and the headers that every request has.
    path: String,
    headers: String,
    last_id: AtomicU64,
    connection: Connection,
}

struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
    session: Option<String>,
}

impl Http {
    /// Connects to a URL of the form `http://ADDRESS/PATH`; `headers` are whole lines.
    pub fn new(url: &str, headers: &str) -> Result<Self> {
        let (address, path) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("an http:// URL")?;
        Ok(Self {
            address: address.to_owned(),
            path: format!("/{path}"),
            headers: headers.to_owned(),
            last_id: AtomicU64::new(0),
            connection: Connection::open(address)?,
        })
    }

    pub fn greet(&mut self) -> Result<()> {
        let Self { address, path, connection, .. } = self;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{}", self.headers);
        let status = connection.exchange(&head, &speech::initialize())?;
        let answer = speech::message_in(&connection.answer);
        ensure!(
            status == 200 && answer.windows(8).any(|part| part == b"\"result\""),
            "status {status} to initialize: {}",
            speech::shown(&connection.answer)
        );
        self.headers.push_str("MCP-Protocol-Version: 2025-06-18\r\n");
        if let Some(session) = &connection.session {
            self.headers.extend(["Mcp-Session-Id: ", session, "\r\n"]);
        }
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{}", self.headers);
        let status = connection.exchange(&head, &speech::initialized())?;
        ensure!(matches!(status, 200 | 202 | 204), "status {status} to notifications/initialized");
        Ok(())
    }

    fn head(&self) -> String {
        format!("POST {} HTTP/1.1\r\nHost: {}\r\n{}", self.path, self.address, self.headers)
    }

    pub fn call(&mut self, call: &Call, size: usize) -> Result<&[u8]> {
        let head = self.head();
        self.connection.call(&head, &self.last_id, call, size)
    }

    /// A thread for each call in flight.
    pub fn at_once(&mut self, call: &Call, in_flight: usize, limit: Duration) -> Result<f64> {
        let connections: Vec<_> =
            (0..in_flight).map(|_| Connection::open(&self.address)).collect::<Result<_>>()?;
        let (head, ids) = (self.head(), &self.last_id);
        let head = head.as_str();
        let rate = std::thread::scope(|scope| {
            let started = Instant::now();
            let flights: Vec<_> = connections
                .into_iter()
                .map(|mut connection| {
                    scope.spawn(move || -> Result<u32> {
                        let mut answered = 0;
                        while started.elapsed() < limit {
                            speech::glance(connection.call(head, ids, call, SMALL)?, SMALL)?;
                            answered += 1;
                        }
                        Ok(answered)
                    })
                })
                .collect();
            let mut answered = 0;
            for flight in flights {
                let done = flight.join().map_err(|_| anyhow::anyhow!("a flight broke off"))?;
                answered += done?;
            }
            anyhow::Ok(f64::from(answered) / started.elapsed().as_secs_f64())
        });
        // Whoever takes long for these may have closed the one that was idle meanwhile.
        self.connection = Connection::open(&self.address)?;
        rate
    }
}

/// One POST of JSON on a connection of its own: its status and what it answers.
pub fn post(
    address: &str,
    path: &str,
    headers: &str,
    body: &serde_json::Value,
) -> Result<(u16, serde_json::Value)> {
    let mut connection = Connection::open(address)?;
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}");
    let status = connection.exchange(&head, body.to_string().as_bytes())?;
    Ok((status, serde_json::from_slice(&connection.answer).unwrap_or_default()))
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream = BufReader::with_capacity(64 * 1024, stream);
        Ok(Self { stream, request: Vec::new(), answer: Vec::new(), session: None })
    }

    fn call(&mut self, head: &str, ids: &AtomicU64, call: &Call, size: usize) -> Result<&[u8]> {
        let mut body = Vec::with_capacity(256);
        call.write(ids.fetch_add(1, Ordering::Relaxed) + 1, size, &mut body);
        let status = self.exchange(head, &body)?;
        ensure!(status == 200, "status {status}: {}", speech::shown(&self.answer));
        Ok(&self.answer)
    }

    /// One POST; its status, and the body in `answer`.
    fn exchange(&mut self, head: &str, body: &[u8]) -> Result<u16> {
        self.request.clear();
        write!(
            self.request,
            "{head}Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.request)?;
        self.answer.clear();
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line)? > 0, "the connection was closed");
        let status =
            line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                "mcp-session-id" => self.session = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        if chunked {
            self.chunks()?;
        } else {
            self.extend(length)?;
        }
        Ok(status)
    }

    fn chunks(&mut self) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).with_context(|| format!("not a chunk: {line:?}"))?;
            self.extend(size)?;
            line.clear();
            self.stream.read_line(&mut line)?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn extend(&mut self, bytes: usize) -> Result<()> {
        let before = self.answer.len();
        self.answer.resize(before + bytes, 0);
        Ok(self.stream.read_exact(self.answer.get_mut(before..).unwrap_or_default())?)
    }
}
