//! The local socket: a stream between the resident and whoever runs on the same machine, with the
//! word of the operating system on who that is. A Unix socket, or a named pipe on Windows.
//!
//! Bytes only; what is said over it is the agent's affair.

use crate::layout::Layout;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(unix)]
#[path = "ipc/unix.rs"]
mod os;
#[cfg(windows)]
#[path = "ipc/windows.rs"]
mod os;

/// Who is at the other end, by the kernel's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Absent on Windows.
    pub uid: Option<u32>,
    /// The user's name; empty where the system would not tell.
    pub user: String,
    pub pid: Option<u32>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum IpcError {
    #[error("another resident is running (it holds {})", lock.display())]
    AnotherResident { lock: PathBuf },
    /// Somebody else's program sits where our resident should.
    #[error("{} is held by {user}, neither the administrator nor this user", socket.display())]
    Impostor { socket: PathBuf, user: String },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] crate::files::FileError),
}

impl IpcError {
    /// No resident is running: records wait, nothing is wrong with the machine.
    pub fn is_absent(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), NotFound | ConnectionRefused))
    }
}

/// The resident's end. There is at most one per layout.
#[derive(Debug)]
pub struct Listener(os::Listener);

impl Listener {
    /// Takes the layout's socket. What a dead resident left behind is replaced. Everybody on the
    /// machine may dial a system-wide resident, only its own user any other.
    ///
    /// # Errors
    /// A resident lives already, or the socket cannot be made.
    pub fn bind(layout: &Layout) -> Result<Self, IpcError> {
        os::Listener::bind(layout).map(Self)
    }

    /// Waits for the next to dial. Safe to drop and call again.
    ///
    /// # Errors
    /// Of this one connection (it may be gone already); the listener goes on.
    pub async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Stream(stream), peer))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Stream(os::Stream);

impl Stream {
    /// Dials the layout's resident, and believes it only if it runs as the administrator or as
    /// this user.
    ///
    /// # Errors
    /// None is there ([`IpcError::is_absent`]), or it is not ours.
    pub async fn connect(layout: &Layout) -> Result<Self, IpcError> {
        os::connect(layout).await.map(Self)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The one thing of each layout that tells a living resident from a dead one: the system lets go of
/// the lock when the holder ends, however it ends. Whoever could open the file could hold it for ever
/// and there would be no resident, so nobody else may; its folder is ours alone to write in.
fn take_resident_lock(layout: &Layout) -> Result<std::fs::File, IpcError> {
    let path = layout.resident_lock();
    let io = |doing| {
        let path = path.clone();
        move |source| IpcError::Io { doing, path, source }
    };
    crate::files::make_private(&path)?;
    let file = std::fs::OpenOptions::new().write(true).open(&path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(IpcError::AnotherResident { lock: path }),
        Err(std::fs::TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn trial(root: &std::path::Path) -> Layout {
        let layout = Layout::under(root).unwrap();
        layout.create().unwrap();
        layout
    }

    #[tokio::test]
    async fn both_ends_talk_and_the_peer_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = trial(scratch.path());
        let mut listener = Listener::bind(&layout).unwrap();
        let dialled = async {
            let mut stream = Stream::connect(&layout).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            answer
        };
        let answered = async {
            let (mut stream, peer) = listener.accept().await.unwrap();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            (asked, peer)
        };
        let (answer, (asked, peer)) = tokio::join!(dialled, answered);
        assert_eq!((&asked, &answer), (b"ping", b"pong"));
        assert_eq!(peer.pid, Some(std::process::id()));
        assert_eq!(peer.user, crate::account::own_name());
    }

    #[tokio::test]
    async fn a_second_resident_is_refused_while_the_first_lives() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = trial(scratch.path());
        let first = Listener::bind(&layout).unwrap();
        let refused = Listener::bind(&layout).unwrap_err();
        assert!(refused.to_string().starts_with("another resident is running"), "{refused}");
        drop(first);
        Listener::bind(&layout).unwrap();
    }

    #[tokio::test]
    async fn no_resident_is_absence_not_failure() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = trial(scratch.path());
        assert!(Stream::connect(&layout).await.unwrap_err().is_absent());
        drop(Listener::bind(&layout).unwrap());
        assert!(Stream::connect(&layout).await.unwrap_err().is_absent());
    }
}
