//! Linux: every server under its keepers.

use super::keeper;
use std::io;
use std::process::ExitStatus;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;
use tokio::process::{Child, Command};

type Spawned = io::Result<Child>;

struct Order {
    command: Command,
    runtime: tokio::runtime::Handle,
    answer: mpsc::SyncSender<Spawned>,
}

/// One thread that spawns everything and never ends: the kernel tells a child of the death of the
/// *thread* that made it, and the threads of a runtime come and go.
static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    let spawn_all = move || {
        for mut order in inbox {
            let _entered = order.runtime.enter();
            let _ = order.answer.send(order.command.spawn());
        }
    };
    // Without the thread the inbox is dropped, and every order is answered with an error.
    let _ = std::thread::Builder::new().name("spawner".into()).stack_size(256 * 1024).spawn(spawn_all);
    orders
});

#[derive(Debug)]
pub(super) struct Tree {
    /// What the keeper needs to ask, and then to kill.
    patience: Duration,
}

#[expect(unsafe_code, reason = "code between fork and exec")]
pub(super) fn spawn(mut command: Command, grace: Duration) -> io::Result<(Child, Tree)> {
    let guard = rustix::process::getpid();
    // SAFETY: the closure runs in the forked child and keeps to system calls and its own stack: it
    // neither allocates nor takes a lock (see `keeper`).
    unsafe {
        command.pre_exec(move || keeper::stand_between(guard, grace));
    }
    let runtime = tokio::runtime::Handle::current();
    let (answer, spawned) = mpsc::sync_channel(1);
    let gone = |_| io::Error::other("the thread that starts servers is gone");
    SPAWNER.send(Order { command, runtime, answer }).map_err(|_| gone(mpsc::RecvError))?;
    Ok((spawned.recv().map_err(gone)??, Tree { patience: keeper::longest(grace) }))
}

impl Tree {
    pub(super) async fn end(&mut self, child: &mut Child, _grace: Duration) -> io::Result<ExitStatus> {
        self.abandon(child);
        // A keeper that somebody has stopped does not answer; its server dies with it.
        if let Ok(ended) = tokio::time::timeout(self.patience, child.wait()).await {
            return ended;
        }
        child.start_kill()?;
        child.wait().await
    }

    #[expect(clippy::unused_self, reason = "the same signature on every system")]
    pub(super) fn abandon(&self, child: &Child) {
        let keeper = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(keeper) = keeper {
            // Not waited for yet, so the id is still its own; if it has ended there is nothing to do.
            let _ = rustix::process::kill_process(keeper, rustix::process::Signal::TERM);
        }
    }
}

pub(super) fn raise_open_files() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(hard)
}

#[cfg(test)]
mod tests {
    use crate::process::{Kept, is_alive, started};
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    use tokio::process::Command;

    const GRACE: Duration = Duration::from_millis(300);

    /// Deaf to requests, with a child that has left the session and one whose parent is gone: then
    /// the pids of all, one per line, and a line `ready`.
    const STUBBORN_TREE: &str = r#"
        trap '' TERM INT HUP
        echo $$
        setsid sh -c 'trap "" TERM HUP; echo $$; sleep 600 & echo $!; wait' &
        ( sh -c 'echo $$; exec sleep 600' & )
        sleep 0.2; echo ready; wait; sleep 600
    "#;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Pid and start of every process that the tree named.
    async fn named(stdout: impl tokio::io::AsyncRead + Unpin) -> BTreeMap<u32, u64> {
        let mut lines = BufReader::new(stdout).lines();
        let mut found = BTreeMap::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            match line.trim().parse() {
                Ok(pid) => drop(found.insert(pid, started(pid).unwrap())),
                Err(_) if line == "ready" => break,
                Err(_) => {}
            }
        }
        assert_eq!(found.len(), 4, "the tree did not come up: {found:?}");
        found
    }

    async fn all_gone(tree: &BTreeMap<u32, u64>) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while tree.iter().any(|(pid, started)| is_alive(*pid, *started)) {
            assert!(Instant::now() < deadline, "still there: {tree:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn an_orderly_end_takes_the_whole_tree_down() {
        let mut server = Kept::spawn(shell(STUBBORN_TREE), GRACE).unwrap();
        let tree = named(server.stdout.take().unwrap()).await;
        server.end().await.unwrap();
        all_gone(&tree).await;
    }

    #[tokio::test]
    async fn a_dropped_server_takes_the_whole_tree_down() {
        let mut server = Kept::spawn(shell(STUBBORN_TREE), GRACE).unwrap();
        let tree = named(server.stdout.take().unwrap()).await;
        drop(server);
        all_gone(&tree).await;
    }

    #[tokio::test]
    async fn a_killed_guard_takes_the_whole_tree_down() {
        // This test program once more, as the guard: the test below is all that it runs.
        let mut guard = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "process::os::tests::the_guard_to_be_killed"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tree = named(guard.stdout.take().unwrap()).await;
        assert!(tree.iter().all(|(pid, started)| is_alive(*pid, *started)));
        guard.kill().await.unwrap();
        all_gone(&tree).await;
    }

    #[tokio::test]
    #[ignore = "started by the test above"]
    async fn the_guard_to_be_killed() {
        let mut command = shell(STUBBORN_TREE);
        command.stdout(Stdio::inherit());
        let mut server = Kept::spawn(command, GRACE).unwrap();
        server.wait().await.unwrap();
    }

    /// The processes between this one and the server, outermost first.
    fn keepers(server: &Kept) -> [u32; 2] {
        let outer = server.id().unwrap();
        let inner = crate::process::list().into_iter().find(|process| process.parent == Some(outer)).unwrap();
        assert_eq!(inner.name, crate::process::KEEPER);
        [outer, inner.pid]
    }

    fn kill(pid: u32) {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_killed_keeper_leaves_the_tree_to_the_other_one() {
        for which in [0, 1] {
            let mut server = Kept::spawn(shell(STUBBORN_TREE), GRACE).unwrap();
            let tree = named(server.stdout.take().unwrap()).await;
            kill(keepers(&server)[which]);
            server.wait().await.unwrap();
            all_gone(&tree).await;
        }
    }

    #[tokio::test]
    async fn a_signal_to_the_whole_process_group_spares_the_keepers() {
        let server = Kept::spawn(shell("echo $$; exec sleep 600"), GRACE).unwrap();
        let ours = rustix::process::getpgrp();
        for keeper in keepers(&server) {
            let keeper = rustix::process::Pid::from_raw(keeper.cast_signed());
            assert_ne!(rustix::process::getpgid(keeper).unwrap(), ours);
        }
    }

    #[tokio::test]
    async fn a_killed_keeper_takes_the_server_with_it() {
        let mut server = Kept::spawn(shell("echo $$; exec sleep 600"), GRACE).unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let pid: u32 = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        let tree = BTreeMap::from([(pid, started(pid).unwrap())]);
        let keeper = rustix::process::Pid::from_raw(server.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(keeper, rustix::process::Signal::KILL).unwrap();
        server.wait().await.unwrap();
        all_gone(&tree).await;
    }

    #[tokio::test]
    async fn the_guard_sees_how_the_server_ended() {
        for (script, code, signal) in [
            ("exit 0", Some(0), None),
            ("exit 7", Some(7), None),
            ("kill -TERM $$", None, Some(libc::SIGTERM)),
            ("kill -KILL $$", None, Some(libc::SIGKILL)),
            ("kill -ABRT $$", None, Some(libc::SIGABRT)),
        ] {
            let mut server = Kept::spawn(shell(script), GRACE).unwrap();
            let status = server.wait().await.unwrap();
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
            assert!(server.id().is_none());
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_by_itself_leaves_nobody_behind() {
        let script = "sleep 600 & echo $!; exit 3";
        let mut server = Kept::spawn(shell(script), GRACE).unwrap();
        let mut said = String::new();
        let mut stdout = server.stdout.take().unwrap();
        let (status, read) = tokio::join!(server.wait(), stdout.read_to_string(&mut said));
        assert_eq!((status.unwrap().code(), read.is_ok()), (Some(3), true));
        let left: u32 = said.trim().parse().unwrap();
        assert_eq!(started(left), None);
    }

    #[tokio::test]
    async fn the_server_keeps_what_the_client_gave_the_guard() {
        let script =
            "pwd; echo $MARK; cut -d ' ' -f 5,6 /proc/self/stat; cat; ls -l /proc/self/fd | grep -c socket";
        let mut command = shell(script);
        command.current_dir("/usr").env("MARK", "kept");
        let mut server = Kept::spawn(command, GRACE).unwrap();
        drop(server.stdin.take());
        let mut said = String::new();
        server.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let ours: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').skip(2).take(2).collect();
        let expected = format!("/usr\nkept\n{} {}\n0\n", ours[0], ours[1]);
        assert_eq!(said, expected, "folder, environment, process group and session, no foreign descriptors");
    }

    #[tokio::test]
    async fn signals_reach_the_server_unmasked() {
        let mut server = Kept::spawn(shell("grep SigBlk /proc/self/status"), GRACE).unwrap();
        let mut said = String::new();
        server.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "SigBlk:\t0000000000000000\n");
    }
}
