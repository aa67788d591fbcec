//! Unix sockets.

use super::{IpcError, Peer, take_resident_lock};
use crate::layout::{Kind, Layout};
use crate::{account, files};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

pub(super) type Stream = UnixStream;

#[derive(Debug)]
pub(super) struct Listener {
    inner: UnixListener,
    socket: PathBuf,
    _lock: File,
}

impl Listener {
    pub(super) fn bind(layout: &Layout) -> Result<Self, IpcError> {
        let lock = take_resident_lock(layout)?;
        let socket = layout.socket();
        if let Some(folder) = socket.parent().filter(|folder| *folder != layout.run) {
            files::private_folder(folder)?;
        }
        let mode = if layout.kind == Kind::System { 0o666 } else { 0o600 };
        // Under another name until its mode is right: nobody dials it earlier.
        let unready = socket.with_extension("next");
        let io = |doing, path: &Path| {
            let path = path.to_path_buf();
            move |source| IpcError::Io { doing, path, source }
        };
        remove_if_there(&unready).map_err(io("remove", &unready))?;
        let listener = UnixListener::bind(&unready).map_err(io("listen on", &unready))?;
        fs::set_permissions(&unready, Permissions::from_mode(mode))
            .map_err(io("set the mode of", &unready))?;
        fs::rename(&unready, &socket).map_err(io("name", &socket))?;
        Ok(Self { inner: listener, socket, _lock: lock })
    }

    pub(super) async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        let (stream, _) = self.inner.accept().await?;
        let peer = peer_of(&stream)?;
        Ok((stream, peer))
    }
}

impl Drop for Listener {
    /// While the lock is still held, so never a successor's socket.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn peer_of(stream: &UnixStream) -> io::Result<Peer> {
    let credentials = stream.peer_cred()?;
    Ok(Peer {
        uid: Some(credentials.uid()),
        user: account::name_of(credentials.uid()),
        pid: credentials.pid().and_then(|pid| u32::try_from(pid).ok()),
    })
}

pub(super) async fn connect(layout: &Layout) -> Result<Stream, IpcError> {
    let socket = layout.socket();
    let io = |doing| {
        let path = socket.clone();
        move |source| IpcError::Io { doing, path, source }
    };
    if socket.parent() != Some(layout.run.as_path()) {
        refuse_squatter(&socket)?;
    }
    let stream = UnixStream::connect(&socket).await.map_err(io("reach the resident at"))?;
    let resident = stream.peer_cred().map_err(io("see who listens on"))?.uid();
    if resident != 0 && resident != rustix::process::geteuid().as_raw() {
        return Err(IpcError::Impostor { socket, user: account::name_of(resident) });
    }
    Ok(stream)
}

/// In the shared temporary folder anybody may have made the folder first.
fn refuse_squatter(socket: &Path) -> Result<(), IpcError> {
    let Some(found) = socket.parent().and_then(|folder| fs::symlink_metadata(folder).ok()) else {
        return Ok(());
    };
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if ours && found.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    Err(IpcError::Impostor { socket: socket.to_path_buf(), user: account::name_of(found.uid()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(root: &Path) -> Layout {
        let layout = Layout::under(root).unwrap();
        layout.create().unwrap();
        layout
    }

    #[tokio::test]
    async fn what_a_killed_resident_left_behind_is_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = trial(scratch.path());
        // A socket file with nobody behind it, and no lock: what SIGKILL leaves.
        drop(std::os::unix::net::UnixListener::bind(layout.socket()).unwrap());
        drop(std::os::unix::net::UnixListener::bind(layout.socket().with_extension("next")).unwrap());
        let _listener = Listener::bind(&layout).unwrap();
        connect(&layout).await.unwrap();
    }

    #[tokio::test]
    async fn attack_another_user_holds_the_residents_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let mut layout = trial(scratch.path());
        layout.kind = Kind::System;
        let mode = || fs::metadata(layout.resident_lock()).unwrap().mode() & 0o777;
        // Whoever can open it can hold it: nobody else may, nor where an older version let them.
        drop(Listener::bind(&layout).unwrap());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(layout.resident_lock(), Permissions::from_mode(0o644)).unwrap();
        drop(Listener::bind(&layout).unwrap());
        assert_eq!(mode(), 0o600);
        assert_eq!(fs::metadata(&layout.run).unwrap().mode() & 0o022, 0, "its folder is ours alone");
    }

    #[tokio::test]
    async fn only_a_system_wide_socket_is_open_to_everybody() {
        let scratch = tempfile::tempdir().unwrap();
        let mut layout = trial(scratch.path());
        for (kind, expected) in [(Kind::Root, 0o600), (Kind::System, 0o666)] {
            layout.kind = kind;
            let _listener = Listener::bind(&layout).unwrap();
            assert_eq!(fs::metadata(layout.socket()).unwrap().mode() & 0o777, expected);
        }
    }

    #[tokio::test]
    async fn a_root_too_deep_for_a_socket_path_works_through_a_private_short_one() {
        let scratch = tempfile::tempdir().unwrap();
        let layout = trial(&scratch.path().join("d".repeat(120)));
        let short = layout.socket();
        let folder = short.parent().unwrap().to_path_buf();
        {
            let _listener = Listener::bind(&layout).unwrap();
            assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
            connect(&layout).await.unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
            assert!(matches!(connect(&layout).await, Err(IpcError::Impostor { .. })));
        }
        fs::remove_dir(&folder).unwrap();
    }
}
