//! Whoever does not read slows down whoever writes to it, and nobody else; bytes are counted, not time.

use crate::client::{POLICY, World, eventually, misbehaving};
use crate::web::{Said, Web};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const MIB: usize = 1024 * 1024;
/// What the guard may take in before it stops reading: two of the longest messages, pipes, buffers.
const MOST_TAKEN: usize = 80 * MIB;

/// A guard whose output nobody reads.
struct Unread {
    process: Child,
}

impl Unread {
    fn start(world: &World, server: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg("--root").arg(world.root()).args(["wrap", "--name", "entry", "--policy"]);
        command.arg(world.policy()).args(server).env("MISBEHAVE_PID", world.pid_file());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self { process: command.spawn().unwrap() }
    }

    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Writes the same line for as long as it is taken; how many bytes that were once no more is.
    fn taken(&mut self, line: String, most: usize) -> usize {
        let taken = Arc::new(AtomicUsize::new(0));
        let (count, mut stdin) = (Arc::clone(&taken), self.process.stdin.take().unwrap());
        std::thread::spawn(move || {
            while count.load(Ordering::Relaxed) < most && stdin.write_all(line.as_bytes()).is_ok() {
                count.fetch_add(line.len(), Ordering::Relaxed);
            }
            // The pipe stays open: its end would be the client's.
            std::mem::forget(stdin);
        });
        settled(|| taken.load(Ordering::Relaxed))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A count, once it has not changed for a while.
fn settled(count: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (count(), 0);
    eventually("the count settles", || {
        std::thread::sleep(Duration::from_millis(50));
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same >= 20
    });
    last
}

/// A client that reads no answers cannot make the guard hold them all.
#[test]
fn a_client_sends_refused_calls_and_never_reads() {
    let world = World::new();
    let mut guard = Unread::start(&world, &["--", misbehaving().to_str().unwrap()]);
    let wipe = json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "wipe", "arguments": {"x": "y".repeat(1000)}}});
    let mut line = wipe.to_string();
    line.insert_str(1, "\"id\":1,");
    let taken = guard.taken(format!("{line}\n"), 64 * MIB);
    assert!(taken < 8 * MIB, "{taken} bytes were taken");
    assert!(guard.memory() < 64 * MIB, "{}", guard.memory());
    // The others go on: the server is there, and the end is heard.
    crate::client::signal(guard.process.id(), "TERM");
    let mut ended = false;
    eventually("it still ends when asked", || {
        ended = guard.process.try_wait().unwrap().is_some();
        ended
    });
}

#[test]
fn a_client_that_reads_slowly_slows_its_local_server_and_fills_no_memory() {
    let world = World::new();
    let mut guard = Unread::start(&world, &["--", misbehaving().to_str().unwrap()]);
    let echo = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "flood"}});
    std::fs::write(world.policy(), POLICY).unwrap();
    guard.process.stdin.as_mut().unwrap().write_all(format!("{echo}\n").as_bytes()).unwrap();
    let said = world.pid_file().with_extension("said");
    let count = || std::fs::read_to_string(&said).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    eventually("the flood has begun", || count() > 0);
    let held = settled(count);
    assert!(held < 16 * MIB, "{held} bytes were taken of a server whose client reads nothing");
    assert!(guard.memory() < 64 * MIB, "{}", guard.memory());
    // Who reads gets on.
    let mut stdout = guard.process.stdout.take().unwrap();
    let (send, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut chunk = vec![0; MIB];
        while stdout.read(&mut chunk).is_ok_and(|bytes| bytes > 0) {
            if send.send(()).is_err() {
                return;
            }
        }
    });
    eventually("the server gets on", || count() > held + 16 * MIB);
    drop(read);
}

#[test]
fn a_server_that_does_not_read_slows_its_client_and_fills_no_memory() {
    let world = World::new();
    let mut guard = Unread::start(&world, &["--", misbehaving().to_str().unwrap()]);
    let deaf = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "deaf"}});
    guard.process.stdin.as_mut().unwrap().write_all(format!("{deaf}\n").as_bytes()).unwrap();
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x", "params": {"long": "y".repeat(MIB)}});
    let taken = guard.taken(format!("{note}\n"), 256 * MIB);
    assert!(taken < MOST_TAKEN, "{taken} bytes were taken");
    assert!(guard.memory() < MOST_TAKEN + 64 * MIB, "{}", guard.memory());
}

#[test]
fn a_client_that_reads_slowly_slows_its_remote_server_and_fills_no_memory() {
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    let web = Web::serve(move |asked, stream| {
        if asked.json()["method"] != "tools/call" {
            return Said::new("202 Accepted", &[("Content-Length", "0")], "");
        }
        let Said(head) = Said::events("");
        stream.write_all(&head).unwrap();
        let note =
            json!({"jsonrpc": "2.0", "method": "notifications/x", "params": {"long": "y".repeat(MIB)}});
        let event = format!("data: {note}\n\n");
        while count.load(Ordering::Relaxed) < 512 * MIB && stream.write_all(event.as_bytes()).is_ok() {
            count.fetch_add(event.len(), Ordering::Relaxed);
        }
        Said(Vec::new())
    });
    let world = World::new();
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    let mut guard = Unread::start(&world, &["--http", &web.url]);
    let stdin = guard.process.stdin.as_mut().unwrap();
    for id in 1..=4 {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo"}});
        stdin.write_all(format!("{call}\n").as_bytes()).unwrap();
    }
    eventually("the streams have begun", || said.load(Ordering::Relaxed) > 0);
    let held = settled(|| said.load(Ordering::Relaxed));
    assert!(held < 64 * MIB, "{held} bytes were taken of a server whose client reads nothing");
    assert!(guard.memory() < 64 * MIB, "{}", guard.memory());
}

/// It takes every connection and no byte of a body: what is on its way to it is bounded, and the calls that find no
/// room are answered at once.
#[test]
fn a_remote_server_that_does_not_read_fills_no_memory_and_the_client_is_told() {
    const FIT: usize = 64 / 4;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Its backlog takes the connections; nobody ever reads from them.
    let world = World::new();
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", &address)).unwrap();
    let mut guard = Unread::start(&world, &["--http", &format!("http://{address}/mcp")]);
    let stdout = guard.process.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
    });

    let mut stdin = guard.process.stdin.take().unwrap();
    let long = "y".repeat(4 * MIB);
    for id in 1..=FIT + 2 {
        let params = json!({"name": "echo", "_meta": {"long": long}});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        stdin.write_all(format!("{call}\n").as_bytes()).unwrap();
    }
    for id in [FIT + 1, FIT + 2] {
        let answer = told.recv_timeout(3 * crate::client::PATIENCE).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(answer["id"] == id && message.contains(&format!("{FIT} requests unanswered")), "{answer}");
    }
    assert!(guard.memory() < 128 * MIB, "{}", guard.memory());
    drop(listener);
}
