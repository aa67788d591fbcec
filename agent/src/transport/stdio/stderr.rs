//! A local server's stderr: passed on to the client as it comes, and its end kept.
//!
//! The server never waits for whoever reads our stderr: what nobody takes is left out, and counted,
//! beyond a bound. Where our stderr is a terminal the server gets it itself (it may ask whether it is
//! one), and nothing is kept.
//!
//! What passes and what is kept is as the server said it: the file is the user's alone. Secrets and what
//! policy takes out are masked where it is shown (`portreeve status --server`) or quoted.

use platform::files;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

/// Kept of it: the file has at least this much where it was said, and at most twice as much.
pub const KEPT_BYTES: u64 = 64 * 1024;
/// Not yet taken by the client.
const MOST_WAITING: usize = 256 * 1024;
/// Its last words, for the sentence about its end.
const LAST_WORDS: usize = 1024;
const CHUNK: usize = 8 * 1024;

/// The end of what was said.
#[derive(Debug, Clone, Default)]
pub struct LastWords(Arc<Mutex<VecDeque<u8>>>);

impl LastWords {
    fn hear(&self, bytes: &[u8]) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(&bytes[bytes.len().saturating_sub(LAST_WORDS)..]);
        let over = last.len().saturating_sub(LAST_WORDS);
        last.drain(..over);
    }

    /// In one line; empty where nothing was said.
    pub fn said(&self) -> String {
        let bytes: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        // It goes to the client and on record, in a sentence of ours.
        let text = gate::shown_text(&String::from_utf8_lossy(&bytes), &[]);
        let whole: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        whole[whole.len().saturating_sub(3)..].join(" | ")
    }
}

/// Passes on and keeps, until the stream ends and everything was taken.
pub fn pass_on(from: ChildStderr, kept_in: Option<PathBuf>, last: LastWords) -> JoinHandle<()> {
    tokio::spawn(async move {
        let kept = Kept { path: kept_in, file: None, bytes: 0, last };
        pump(from, platform::stdio::error_output(), kept).await;
    })
}

/// Is our stderr one that the server should have itself?
pub fn is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal()
}

async fn pump(mut from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, mut kept: Kept) {
    let mut chunk = vec![0; CHUNK].into_boxed_slice();
    let mut waiting = Waiting { to: Some(to), bytes: VecDeque::new(), left_out: 0 };
    let mut open = true;
    while open || !waiting.bytes.is_empty() {
        tokio::select! {
            read = from.read(&mut chunk), if open => match read {
                Ok(0) | Err(_) => open = false,
                Ok(bytes) => {
                    kept.keep(&chunk[..bytes]);
                    waiting.put(&chunk[..bytes]);
                }
            },
            () = waiting.take_some(), if !waiting.bytes.is_empty() => {}
        }
    }
    if let Some(mut to) = waiting.to {
        let _ = to.flush().await;
    }
}

/// What the client has not taken yet.
struct Waiting<W> {
    /// `None` once the client has closed it.
    to: Option<W>,
    bytes: VecDeque<u8>,
    left_out: usize,
}

impl<W: AsyncWrite + Unpin> Waiting<W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.to.is_none() {
            return;
        }
        if self.bytes.len() + bytes.len() > MOST_WAITING {
            self.left_out += bytes.len();
        } else {
            self.bytes.extend(bytes);
        }
    }

    /// Safe to drop: what was written is known when it was.
    async fn take_some(&mut self) {
        let Some(to) = &mut self.to else { return };
        match to.write(self.bytes.as_slices().0).await {
            Ok(0) | Err(_) => {
                self.to = None;
                self.bytes.clear();
            }
            Ok(taken) => drop(self.bytes.drain(..taken)),
        }
        if self.bytes.is_empty() && self.left_out > 0 {
            let note = format!("\n[portreeve: {} bytes of stderr were not taken in time]\n", self.left_out);
            self.left_out = 0;
            self.bytes.extend(note.as_bytes());
        }
    }
}

/// The file, in two halves: the older one goes when the newer one is full.
struct Kept {
    path: Option<PathBuf>,
    file: Option<File>,
    bytes: u64,
    last: LastWords,
}

impl Kept {
    fn keep(&mut self, said: &[u8]) {
        self.last.hear(said);
        let Some(path) = &self.path else { return };
        if self.bytes >= KEPT_BYTES {
            self.file = None;
            self.bytes = 0;
            let _ = std::fs::rename(path, path.with_extension("stderr-before"));
        }
        if self.file.is_none() {
            self.file = files::append_private(path).ok();
        }
        if let Some(file) = &mut self.file
            && file.write_all(said).is_ok()
        {
            self.bytes += said.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn kept(path: Option<PathBuf>) -> (Kept, LastWords) {
        let last = LastWords::default();
        (Kept { path, file: None, bytes: 0, last: last.clone() }, last)
    }

    #[tokio::test]
    async fn bytes_pass_as_they_are_without_any_line_end() {
        let (kept, last) = kept(None);
        let (mut to, mut heard) = tokio::io::duplex(16);
        let said = b"progress 1%\rprogress 2%\xff\xfe".to_vec();
        let pumping = pump(said.as_slice(), &mut to, kept);
        let mut bytes = vec![0; said.len()];
        let ((), read) = tokio::join!(pumping, heard.read_exact(&mut bytes));
        assert_eq!((read.unwrap(), &bytes), (said.len(), &said));
        assert!(last.said().contains("progress 2%"));
    }

    #[tokio::test]
    async fn a_server_fills_a_stderr_that_nobody_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, _) = kept(Some(folder.path().join("s.stderr")));
        let (to, heard) = tokio::io::duplex(1024);
        let (from, mut server) = tokio::io::duplex(1024);
        let pumping = tokio::spawn(pump(from, to, kept));
        let line = [b'x'; 999];
        for _ in 0..3000 {
            // It would stand here for ever if it had to wait for the reader.
            tokio::time::timeout(Duration::from_secs(20), server.write_all(&line)).await.unwrap().unwrap();
        }
        drop(server);
        let mut told = String::new();
        let mut heard = heard;
        tokio::time::timeout(Duration::from_secs(20), heard.read_to_string(&mut told))
            .await
            .unwrap()
            .unwrap();
        pumping.await.unwrap();
        assert!(told.len() <= MOST_WAITING + 2048, "{}", told.len());
        assert!(told.contains("bytes of stderr were not taken in time"));
        let on_disk: u64 =
            std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert!((KEPT_BYTES..=2 * KEPT_BYTES + 2 * CHUNK as u64).contains(&on_disk), "{on_disk}");
    }

    #[test]
    fn last_words_are_quoted_without_secrets() {
        let last = LastWords::default();
        last.hear(b"no access with token=ghp_012345678901234567890123456789abcdef\n");
        assert!(last.said().starts_with("no access") && !last.said().contains("ghp_"), "{}", last.said());
    }

    #[tokio::test]
    async fn a_client_that_closes_its_end_harms_nobody() {
        let (kept, last) = kept(None);
        let (to, heard) = tokio::io::duplex(16);
        drop(heard);
        let said = [b"a\n".repeat(10_000), b"the end\n".to_vec()].concat();
        pump(said.as_slice(), to, kept).await;
        assert_eq!(last.said(), "a | a | the end");
    }
}
