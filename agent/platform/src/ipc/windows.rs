//! Named pipes.

use super::{IpcError, Peer, take_resident_lock};
use crate::layout::{Kind, Layout};
use crate::windows_user;
use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, IntoRawHandle};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::System::Pipes::GetNamedPipeClientProcessId;

/// Read and write, but not `FILE_CREATE_PIPE_INSTANCE`: who may dial may not listen.
const DIAL: u32 = 0x0012_019B;
const OVERLAPPED: u32 = 0x4000_0000;

#[derive(Debug)]
pub(super) enum Stream {
    Resident(NamedPipeServer),
    Dialled(NamedPipeClient),
}

#[derive(Debug)]
pub(super) struct Listener {
    next: NamedPipeServer,
    pipe: PathBuf,
    access: String,
    _lock: File,
}

impl Listener {
    pub(super) fn bind(layout: &Layout) -> Result<Self, IpcError> {
        let lock = take_resident_lock(layout)?;
        let pipe = layout.socket();
        let io = |source| IpcError::Io { doing: "listen on", path: pipe.clone(), source };
        // SDDL: SYSTEM, administrators and we do everything; signed-in users dial a machine's
        // resident. The owner is what a client believes us by, so it is named: by default it would
        // be a group.
        let ourselves = windows_user::own_sid().map_err(io)?;
        let dial = if layout.kind == Kind::System { format!("(A;;0x{DIAL:x};;;AU)") } else { String::new() };
        let access = format!("O:{ourselves}D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;{ourselves}){dial}");
        let next = instance(&pipe, &access, true).map_err(|source| IpcError::Io {
            doing: "listen on",
            path: pipe.clone(),
            source,
        })?;
        Ok(Self { next, pipe, access, _lock: lock })
    }

    pub(super) async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        self.next.connect().await?;
        let following = instance(&self.pipe, &self.access, false)?;
        let connected = std::mem::replace(&mut self.next, following);
        let pid = client_of(&connected);
        let user = pid.and_then(windows_user::of_process).unwrap_or_default();
        Ok((Stream::Resident(connected), Peer { uid: None, user, pid }))
    }
}

#[expect(unsafe_code, reason = "the pipe's access list")]
fn instance(pipe: &Path, access: &str, first: bool) -> io::Result<NamedPipeServer> {
    let access = windows_user::AccessList::parse(access)?;
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first).reject_remote_clients(true);
    // SAFETY: the attributes and what they point to live in `access` until after the call.
    unsafe { options.create_with_security_attributes_raw(pipe, access.attributes()) }
}

#[expect(unsafe_code, reason = "asks who dialled")]
fn client_of(pipe: &NamedPipeServer) -> Option<u32> {
    let mut pid = 0;
    // SAFETY: the handle is open, and the number is written before it is read.
    let told = unsafe { GetNamedPipeClientProcessId(pipe.as_raw_handle(), &raw mut pid) };
    (told != 0).then_some(pid)
}

#[expect(unsafe_code, reason = "hands an open pipe over to tokio")]
pub(super) async fn connect(layout: &Layout) -> Result<Stream, IpcError> {
    let path = layout.socket();
    let file = dial(&path).await.map_err(|source| IpcError::Io {
        doing: "reach the resident at",
        path: path.clone(),
        source,
    })?;
    if !windows_user::is_owned_by_administrator_or_self(&file) {
        return Err(IpcError::Impostor { socket: path, user: "another user".to_owned() });
    }
    // SAFETY: the handle is that of a pipe opened for overlapped use, and nobody else's any more.
    let client = unsafe { NamedPipeClient::from_raw_handle(file.into_raw_handle()) };
    client.map(Stream::Dialled).map_err(|source| IpcError::Io { doing: "use", path, source })
}

async fn dial(path: &Path) -> io::Result<File> {
    let mut attempts = 0;
    loop {
        let opened = std::fs::OpenOptions::new().access_mode(DIAL).custom_flags(OVERLAPPED).open(path);
        match opened {
            // Between two clients there is a moment without a free instance.
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) && attempts < 50 => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            opened => return opened,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Resident(pipe) => Pin::new(pipe).poll_read(cx, buf),
            Self::Dialled(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Resident(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            Self::Dialled(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Resident(pipe) => Pin::new(pipe).poll_flush(cx),
            Self::Dialled(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Resident(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Self::Dialled(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
