//! No orphan, ever: whoever is killed, five seconds later nothing of the server is left.
//!
//! Processes are found by a mark in their environment (`/proc`), which nothing below can take off, and not by name.
#![cfg(target_os = "linux")]

use harness::stage::Stage;
use harness::{process, tools, wait};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MARK: &str = "PORTREEVE_ORPHANS";
/// The client's program, in the environment of this test's own.
const CLIENT: &str = "PORTREEVE_ORPHANS_CLIENT";
const LIMIT: Duration = Duration::from_secs(5);

/// A server with every kind of child: one that forks, one that forks twice, one in a session of its own, one
/// in a group of its own, ones that are deaf to requests, a chain of grandchildren, one without pipes.
const FAMILY: &str = r#"
    trap '' TERM INT HUP
    sleep 600 &
    ( sh -c 'trap "" TERM HUP INT; sleep 600 & wait' & )
    setsid sh -c 'trap "" TERM HUP; sleep 600 & wait' &
    setsid sh -c 'setsid sleep 600 & exit 0'
    sh -c 'sh -c "sh -c \"sleep 600 & wait\" & wait" & wait' &
    sh -c 'exec <&- >&- 2>&-; trap "" TERM; sleep 600 & wait' &
    sleep 0.3
    echo up > "$READY"
    while read -r line; do :; done
    sleep 600
"#;
/// At least so many processes it is.
const FAMILY_SIZE: usize = 12;

/// Every process with that mark, but for zombies.
fn marked(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARK}={mark}");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    })
    .collect()
}

fn named(pids: &BTreeSet<u32>) -> Vec<String> {
    let name = |pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("{pid} {}", name.trim())
    };
    pids.iter().map(name).collect()
}

/// A client, its guard, and what the guard started.
struct Client {
    mark: String,
    process: Child,
    guard: u32,
}

impl Client {
    fn start(stage: &Stage, mark: &str) -> Self {
        let ready = stage.folder().join(format!("{mark}.ready"));
        let entry = stage.entry("family").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "orphans::the_client_that_is_killed", "--nocapture"]);
        command.env(CLIENT, entry.to_string()).env(MARK, mark).env("READY", &ready);
        command.env("HOME", &stage.machine.home).current_dir(&stage.project);
        // In a process group of its own, as a terminal would put it.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let process = command.spawn().unwrap();
        wait::until("the family is up", Duration::from_secs(20), || {
            ready.exists() && marked(mark).len() >= FAMILY_SIZE
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}", named(&marked(mark))));
        let guard = std::fs::read_to_string(ready.with_extension("guard")).unwrap().parse().unwrap();
        Self { mark: mark.to_owned(), process, guard }
    }

    /// Nothing of the server in time, whoever is dead.
    fn leaves_nobody(&mut self, how: &str) {
        // The client itself is no orphan: it is ours.
        let client = self.process.id();
        let left = || {
            let mut left = marked(&self.mark);
            left.remove(&client);
            left
        };
        let gone = wait::until("nobody is left", LIMIT, || left().is_empty());
        assert!(gone.is_ok(), "{how}: after {LIMIT:?} there are {:?}", named(&left()));
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Started by the tests below as the client: it starts the guard, and holds its pipes until it is killed.
#[test]
fn the_client_that_is_killed() {
    let Ok(entry) = std::env::var(CLIENT) else { return };
    let entry: Value = serde_json::from_str(&entry).unwrap();
    let mut guard = Command::new(entry["command"].as_str().unwrap());
    guard.args(entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()));
    let mut guard =
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ready = std::env::var_os("READY").unwrap();
    std::fs::write(Path::new(&ready).with_extension("guard"), guard.id().to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(600));
    let _ = guard.wait();
}

fn stage() -> Stage {
    let policy = "[defaults]\nmode = \"monitor\"\nheal = true\n";
    let family = json!({"command": "sh", "args": ["-c", FAMILY]});
    Stage::governed_with(policy, &json!({ "family": family })).unwrap()
}

fn keepers(mark: &str) -> Vec<u32> {
    let is_keeper = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "portreeve-keep")
    };
    marked(mark).into_iter().filter(is_keeper).collect()
}

#[test]
fn whoever_is_killed_nothing_of_the_server_is_left() {
    let mut stage = stage();
    for (round, killed) in [
        &["client"][..],
        &["guard"],
        &["client", "guard"],
        &["guard", "resident"],
        &["client", "resident"],
        &["client", "guard", "resident"],
        &["resident", "guard", "client"],
    ]
    .iter()
    .enumerate()
    {
        let mut client = Client::start(&stage, &format!("killed-{round}"));
        for who in *killed {
            match *who {
                "client" => process::signal(client.process.id(), "KILL").unwrap(),
                "guard" => process::signal(client.guard, "KILL").unwrap(),
                _ => stage.machine.kill_resident(),
            }
        }
        client.leaves_nobody(&killed.join(", "));
        if !stage.machine.resident_runs() {
            stage.machine.start_resident().unwrap();
        }
    }
}

#[test]
fn a_killed_resident_takes_no_server_with_it() {
    let mut stage = stage();
    let mut client = Client::start(&stage, "resident");
    let before = marked("resident");
    stage.machine.kill_resident();
    stage.machine.start_resident().unwrap();
    assert_eq!(marked("resident"), before);
    process::signal(client.guard, "KILL").unwrap();
    client.leaves_nobody("guard");
}

#[test]
fn the_ends_that_clients_choose_leave_nobody_either() {
    let stage = stage();
    for ending in ["TERM", "INT"] {
        let mut client = Client::start(&stage, &format!("asked-{ending}"));
        process::signal(client.guard, ending).unwrap();
        client.leaves_nobody(ending);
    }
    // As a terminal that closes, or `timeout --signal KILL`: the whole process group at once.
    let mut client = Client::start(&stage, "group");
    let group = format!("-{}", client.process.id());
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
    client.leaves_nobody("the process group");
}

#[test]
fn an_attacker_kills_one_of_the_keepers() {
    let stage = stage();
    for which in [0, 1] {
        let mark = format!("keeper-{which}");
        let mut client = Client::start(&stage, &mark);
        let keepers = keepers(&mark);
        assert_eq!(keepers.len(), 2);
        process::signal(keepers[which], "KILL").unwrap();
        // The guard itself goes on or ends; its server's family does not.
        let family = wait::until("the family is gone", LIMIT, || {
            let left = marked(&mark);
            left.iter().all(|pid| [client.process.id(), client.guard].contains(pid))
        });
        assert!(family.is_ok(), "{:?}", named(&marked(&mark)));
        process::signal(client.guard, "KILL").unwrap();
        client.leaves_nobody("keeper");
    }
}

#[test]
fn the_guard_and_one_keeper_are_killed_in_one_instant() {
    let stage = stage();
    for which in [0, 1] {
        let mark = format!("both-{which}");
        let mut client = Client::start(&stage, &mark);
        let keeper = keepers(&mark)[which].to_string();
        let both = ["-KILL", &client.guard.to_string(), &keeper];
        assert!(Command::new("kill").args(both).status().unwrap().success());
        client.leaves_nobody("guard and keeper");
    }
}

#[test]
fn a_door_that_is_killed_or_stopped_leaves_none_of_its_servers() {
    for ending in ["KILL", "TERM"] {
        let (folder, mark) = (tempfile::tempdir().unwrap(), format!("door-{ending}"));
        let (policy, ready) = (folder.path().join("p.toml"), folder.path().join("ready"));
        std::fs::write(&policy, "[defaults]\nmode = \"monitor\"\n").unwrap();
        let mut command = Command::new(tools::program("portreeve").unwrap());
        command.arg("--root").arg(folder.path().join("root")).args([
            "serve",
            "--client-auth",
            "none",
            "--policy",
        ]);
        command.arg(&policy).args(["--", "sh", "-c", FAMILY]).env(MARK, &mark).env("READY", &ready);
        let log = folder.path().join("log");
        let mut door = process::Running::start("the door", &mut command, &log, true).unwrap();
        let said = door.line(Duration::from_secs(20)).unwrap();
        let at = said.rsplit("http://").next().unwrap().trim_end_matches("/mcp").to_owned();
        // The family answers nobody; it is enough that it was started.
        let mut client = TcpStream::connect(&at).unwrap();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}).to_string();
        let length = body.len();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {at}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        client.write_all(format!("{head}{body}").as_bytes()).unwrap();
        wait::until("the family is up", Duration::from_secs(20), || {
            ready.exists() && marked(&mark).len() >= FAMILY_SIZE
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}; {}", named(&marked(&mark)), door.log()));
        process::signal(door.id(), ending).unwrap();
        let gone = wait::until("nobody is left", LIMIT, || {
            door.ended();
            marked(&mark).is_empty()
        });
        assert!(gone.is_ok(), "{ending}: after {LIMIT:?} there are {:?}", named(&marked(&mark)));
    }
}
