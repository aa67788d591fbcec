//! One HTTP/1.1 request over a connection of its own, and its answer read as it comes.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Where requests go: `host:port`, and the path with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) host: String,
    pub(super) path: String,
}

impl Url {
    pub(super) fn read(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no http address"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self { host: host.to_owned(), path: if path.is_empty() { "/".into() } else { path.into() } })
    }

    /// An address named by the server: whole, or a path of its own.
    pub(super) fn join(&self, named: &str) -> Result<Self> {
        if named.starts_with("http://") {
            return Self::read(named);
        }
        let path = if named.starts_with('/') { named.to_owned() } else { format!("/{named}") };
        Ok(Self { host: self.host.clone(), path })
    }
}

/// The head of an answer, and a body still to be read.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

/// Sends a request; its connection can be closed by the clone that comes with it.
pub(super) fn send(
    method: &str,
    url: &Url,
    headers: &[(String, String)],
    body: Option<&str>,
) -> Result<TcpStream> {
    let mut stream =
        TcpStream::connect(&url.host).with_context(|| format!("cannot connect to {}", url.host))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", url.path, url.host);
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if let Some(body) = body {
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    head.push_str(body.unwrap_or_default());
    stream.write_all(head.as_bytes())?;
    Ok(stream)
}

impl Answer {
    /// Reads the head.
    pub(super) fn read(stream: TcpStream) -> Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("not an HTTP answer: {line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let find = |wanted: &str| {
            headers
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value): &(String, String)| value.as_str())
        };
        let left = if find("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            Left::Chunked(0)
        } else {
            find("content-length").and_then(|value| value.parse().ok()).map_or(Left::UntilClosed, Left::Bytes)
        };
        Ok(Self { status, headers, body: Body { reader, left } })
    }

    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The type without its parameters, `-` where there is none.
    pub(super) fn content_type(&self) -> &str {
        self.header("content-type").and_then(|value| value.split(';').next()).unwrap_or("-").trim()
    }

    pub(super) fn text(mut self) -> Result<String> {
        let mut text = String::new();
        self.body.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Every event until the stream ends.
    pub(super) fn events(self, mut each: impl FnMut(Event)) {
        let mut event = Event::default();
        let mut data: Vec<String> = Vec::new();
        for line in BufReader::new(self.body).lines() {
            let Ok(line) = line else { return };
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" if line.is_empty() => {
                    event.data = (!data.is_empty()).then(|| std::mem::take(&mut data).join("\n"));
                    each(std::mem::take(&mut event));
                }
                "event" => event.name = value,
                "data" => data.push(value),
                "id" => event.id = Some(value),
                "retry" => event.retry = value.parse().ok(),
                _ => {}
            }
        }
    }
}

/// One event as it came.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: Option<String>,
    pub(super) id: Option<String>,
    pub(super) retry: Option<u64>,
}

struct Body {
    reader: BufReader<TcpStream>,
    left: Left,
}

enum Left {
    Bytes(usize),
    /// Of the chunk that is being read.
    Chunked(usize),
    UntilClosed,
    Nothing,
}

impl Body {
    fn next_chunk(&mut self) -> Result<usize> {
        let mut size = String::new();
        self.reader.read_line(&mut size)?;
        if size.trim().is_empty() {
            size.clear(); // the end of the chunk before
            self.reader.read_line(&mut size)?;
        }
        let Some(size) = size.trim().split(';').next().filter(|size| !size.is_empty()) else {
            bail!("the chunks ended early");
        };
        Ok(usize::from_str_radix(size, 16)?)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if matches!(self.left, Left::Chunked(0)) {
            self.left = match self.next_chunk() {
                Ok(0) => Left::Nothing,
                Ok(size) => Left::Chunked(size),
                Err(error) => return Err(std::io::Error::other(error)),
            };
        }
        match &mut self.left {
            Left::Nothing => Ok(0),
            Left::UntilClosed => self.reader.read(buffer),
            Left::Bytes(left) | Left::Chunked(left) => {
                let most = buffer.len().min(*left);
                let read = self.reader.read(&mut buffer[..most])?;
                *left -= read;
                Ok(read)
            }
        }
    }
}
