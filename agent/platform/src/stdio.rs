//! This process's own stdin, stdout and stderr as streams of the event loop.
//!
//! Clients give pipes or sockets; those are watched by the event loop itself, which saves a helper
//! thread's hop in each direction. Files, terminals and other systems go by way of tokio's threads.
//! The descriptors are left as blocking as they were given: others may share them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Our stdin.
#[derive(Debug)]
pub struct Input(Way<os::Watched, tokio::io::Stdin>);

/// Our stdout.
pub type Output = Writing<tokio::io::Stdout>;

/// Our stderr.
pub type ErrorOutput = Writing<tokio::io::Stderr>;

/// One of the two that are written to.
#[derive(Debug)]
pub struct Writing<T>(Way<os::Watched, T>);

#[derive(Debug)]
enum Way<W, T> {
    Watched(W),
    Threaded(T),
}

/// Needs a runtime to be watched by.
pub fn input() -> Input {
    Input(os::Watched::stdin().map_or_else(|| Way::Threaded(tokio::io::stdin()), Way::Watched))
}

/// Needs a runtime to be watched by.
pub fn output() -> Output {
    Writing(os::Watched::stdout().map_or_else(|| Way::Threaded(tokio::io::stdout()), Way::Watched))
}

/// Needs a runtime to be watched by.
pub fn error_output() -> ErrorOutput {
    Writing(os::Watched::stderr().map_or_else(|| Way::Threaded(tokio::io::stderr()), Way::Watched))
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Way::Watched(watched) => Pin::new(watched).poll_read(cx, buf),
            Way::Threaded(stdin) => Pin::new(stdin).poll_read(cx, buf),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Writing<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Way::Watched(watched) => Pin::new(watched).poll_write(cx, bytes),
            Way::Threaded(threaded) => Pin::new(threaded).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Way::Watched(watched) => Pin::new(watched).poll_flush(cx),
            Way::Threaded(threaded) => Pin::new(threaded).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Way::Watched(watched) => Pin::new(watched).poll_shutdown(cx),
            Way::Threaded(threaded) => Pin::new(threaded).poll_shutdown(cx),
        }
    }
}

#[cfg(unix)]
mod os {
    use rustix::fs::{FileType, Mode, OFlags, fstat, open};
    use rustix::net::{RecvFlags, SendFlags, recv, send};
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};
    use tokio::io::unix::AsyncFd;
    use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
    use tokio::net::unix::pipe::{Receiver, Sender};

    #[derive(Debug)]
    pub(super) enum Watched {
        /// Reopened: a description of its own, whose being non-blocking nobody else sees.
        PipeIn(Receiver),
        PipeOut(Sender),
        /// Never waited in: each call says so by a flag of its own.
        Socket(AsyncFd<OwnedFd>),
    }

    impl Watched {
        pub(super) fn stdin() -> Option<Self> {
            Self::reading(std::io::stdin().as_fd()).ok()
        }

        pub(super) fn stdout() -> Option<Self> {
            Self::writing(std::io::stdout().as_fd()).ok()
        }

        pub(super) fn stderr() -> Option<Self> {
            Self::writing(std::io::stderr().as_fd()).ok()
        }

        pub(super) fn reading(fd: BorrowedFd<'_>) -> io::Result<Self> {
            match kind(fd)? {
                FileType::Fifo => Receiver::from_owned_fd(reopened(fd, OFlags::RDONLY)?).map(Self::PipeIn),
                FileType::Socket => Self::socket(fd, Interest::READABLE),
                _ => Err(io::ErrorKind::Unsupported.into()),
            }
        }

        pub(super) fn writing(fd: BorrowedFd<'_>) -> io::Result<Self> {
            match kind(fd)? {
                FileType::Fifo => Sender::from_owned_fd(reopened(fd, OFlags::WRONLY)?).map(Self::PipeOut),
                FileType::Socket => Self::socket(fd, Interest::WRITABLE),
                _ => Err(io::ErrorKind::Unsupported.into()),
            }
        }

        #[expect(unsafe_code, reason = "tokio has no safe way to watch a descriptor")]
        fn socket(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
            let own = fd.try_clone_to_owned()?;
            // SAFETY: the descriptor is our own copy, open for as long as the `AsyncFd` owns it, and
            // always the same one; nothing takes it out again.
            let watched = unsafe { AsyncFd::register_with_interest(own, interest) };
            Ok(Self::Socket(watched?))
        }
    }

    fn kind(fd: BorrowedFd<'_>) -> io::Result<FileType> {
        Ok(FileType::from_raw_mode(fstat(fd)?.st_mode))
    }

    /// Linux makes a new description here; elsewhere there is no such path, and threads do it. A named
    /// pipe is left alone: reopened after its writers went, it would never be seen to end.
    fn reopened(fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if !std::fs::read_link(&path)?.to_string_lossy().starts_with("pipe:") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?)
    }

    impl AsyncRead for Watched {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let socket = match &mut *self {
                Self::PipeIn(pipe) => return Pin::new(pipe).poll_read(cx, buf),
                Self::PipeOut(_) => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
                Self::Socket(socket) => socket,
            };
            loop {
                let mut ready = ready!(socket.poll_read_ready(cx))?;
                let room = buf.initialize_unfilled();
                let wanted = room.len();
                let outcome = ready.try_io(|socket| Ok(recv(socket.get_ref(), room, RecvFlags::DONTWAIT)?.0));
                let Ok(outcome) = outcome else { continue };
                let bytes = outcome?;
                if bytes < wanted {
                    // All there was: the next look waits for news instead of asking once more.
                    ready.clear_ready();
                }
                buf.advance(bytes);
                return Poll::Ready(Ok(()));
            }
        }
    }

    impl AsyncWrite for Watched {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let socket = match &mut *self {
                Self::PipeOut(pipe) => return Pin::new(pipe).poll_write(cx, bytes),
                Self::PipeIn(_) => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
                Self::Socket(socket) => socket,
            };
            loop {
                let mut ready = ready!(socket.poll_write_ready(cx))?;
                // A far end that is gone is an error, not a signal: Rust's start-up ignores SIGPIPE.
                let sent = ready.try_io(|socket| Ok(send(socket.get_ref(), bytes, SendFlags::DONTWAIT)?));
                if let Ok(outcome) = sent {
                    return Poll::Ready(outcome);
                }
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::io::{Read, Write};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        const MESSAGE: usize = 3 * 1024 * 1024;

        /// Both directions with more than any buffer holds, and the end.
        async fn exchange(
            (reader, mut far_writer): (impl AsFd, impl Write + Send + 'static),
            (writer, mut far_reader): (impl AsFd, impl Read + Send + 'static),
        ) {
            let mut input = Watched::reading(reader.as_fd()).unwrap();
            let sender = std::thread::spawn(move || far_writer.write_all(&vec![7; MESSAGE]).unwrap());
            let mut heard = Vec::new();
            input.read_to_end(&mut heard).await.unwrap();
            sender.join().unwrap();
            assert_eq!(heard, vec![7; MESSAGE]);

            let mut output = Watched::writing(writer.as_fd()).unwrap();
            let receiver = std::thread::spawn(move || {
                let mut bytes = vec![0; MESSAGE];
                far_reader.read_exact(&mut bytes).unwrap();
                bytes
            });
            output.write_all(&vec![8; MESSAGE]).await.unwrap();
            output.flush().await.unwrap();
            assert_eq!(receiver.join().unwrap(), vec![8; MESSAGE]);
        }

        #[tokio::test]
        async fn sockets_are_watched_and_stay_blocking_for_others() {
            let (near_in, far_in) = std::os::unix::net::UnixStream::pair().unwrap();
            let (near_out, far_out) = std::os::unix::net::UnixStream::pair().unwrap();
            let shared = near_out.try_clone().unwrap();
            exchange((near_in, far_in), (near_out, far_out)).await;
            assert!(!rustix::fs::fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK));
        }

        #[cfg(target_os = "linux")]
        #[tokio::test]
        async fn pipes_are_watched_and_stay_blocking_for_others() {
            let (near_in, far_in) = io::pipe().unwrap();
            let (far_out, near_out) = io::pipe().unwrap();
            let shared = near_out.try_clone().unwrap();
            exchange((near_in, far_in), (near_out, far_out)).await;
            assert!(!rustix::fs::fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK));
        }

        #[cfg(target_os = "linux")]
        #[tokio::test]
        async fn what_a_writer_left_behind_is_read_to_its_end() {
            for left in [&b""[..], b"last words"] {
                let (reader, mut writer) = io::pipe().unwrap();
                writer.write_all(left).unwrap();
                drop(writer);
                let mut heard = Vec::new();
                let mut input = Watched::reading(reader.as_fd()).unwrap();
                let ended =
                    tokio::time::timeout(std::time::Duration::from_secs(10), input.read_to_end(&mut heard));
                ended.await.expect("the end is seen").unwrap();
                assert_eq!(heard, left);
            }
        }

        #[tokio::test]
        async fn a_file_is_left_to_threads() {
            let file = tempfile::tempfile().unwrap();
            assert!(Watched::reading(file.as_fd()).is_err() && Watched::writing(file.as_fd()).is_err());
        }
    }
}

#[cfg(windows)]
mod os {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// Anonymous pipes cannot be watched on Windows.
    #[derive(Debug)]
    pub(super) enum Watched {}

    impl Watched {
        pub(super) fn stdin() -> Option<Self> {
            None
        }
        pub(super) fn stdout() -> Option<Self> {
            None
        }
        pub(super) fn stderr() -> Option<Self> {
            None
        }
    }

    impl AsyncRead for Watched {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            match *self {}
        }
    }

    impl AsyncWrite for Watched {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            match *self {}
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self {}
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self {}
        }
    }
}
