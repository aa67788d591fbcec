//! `portreeve serve` as a command: what it takes, says, and leaves behind.

use crate::client::talking;
use crate::world::{World, eventually, is_running, signal};
use serde_json::{Value, json};
use std::process::Output;

fn run(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let Output { status, stdout, .. } = world.command().arg("serve").args(args).output().unwrap();
    let said = String::from_utf8(stdout).unwrap();
    (status.code(), serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said:?}")))
}

#[test]
fn attack_a_door_without_a_credential_for_everybody() {
    let world = World::new();
    let (policy, server) = (world.policy(), talking());
    let (policy, server) = (policy.to_str().unwrap(), server.to_str().unwrap());
    for args in [
        &["--client-auth", "none", "--", server][..],
        &["--client-auth", "none", "--listen", "0.0.0.0:0", "--policy", policy, "--", server],
    ] {
        let (code, said) = run(&world, args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(said["error"].as_str().unwrap().contains("loopback"), "{said}");
    }
    let door = world.door(&["--client-auth", "none"]);
    assert_eq!(door.hello["credential"], Value::Null);
    assert_eq!(door.session().call("echo", &json!({})).status, 200);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let world = World::new();
    let door = world.door(&[]);
    let (policy, server) = (world.policy(), talking());
    let args =
        ["--listen", &door.address, "--policy", policy.to_str().unwrap(), "--", server.to_str().unwrap()];
    let (code, said) = run(&world, &args);
    assert_eq!(code, Some(1));
    assert!(said["error"].as_str().unwrap().contains(&door.address), "{said}");
}

#[cfg(unix)]
#[test]
fn a_program_that_is_not_there_is_said_at_the_start() {
    let world = World::new();
    let mut command = world.command();
    command.args(["serve", "--policy", world.policy().to_str().unwrap(), "--", "/typo/in/program"]);
    let mut door = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(door.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    door.kill().unwrap();
    door.wait().unwrap();
    let hello: Value = serde_json::from_str(&line).unwrap();
    assert!(hello["warning"].as_str().unwrap().starts_with("there is no program `/typo/in/"), "{hello}");
}

#[cfg(unix)]
#[test]
fn a_credential_comes_from_a_file_that_nobody_else_reads() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let file = world.path().join("token");
    std::fs::write(&file, "a-credential-of-my-own\n").unwrap();
    let (policy, server) = (world.policy(), talking());
    let named = ["--client-token-file", file.to_str().unwrap()];
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let rest = ["--policy", policy.to_str().unwrap(), "--", server.to_str().unwrap()];
    let (code, said) = run(&world, &[&named[..], &rest].concat());
    assert_eq!((code, said.to_string().contains("chmod 600")), (Some(2), true), "{said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let door = world.door(&named);
    assert_eq!(door.hello["credential"], Value::Null, "it is not told again");
    let shown = |bearer: &str| door.request("GET", "/mcp", &[("Authorization", bearer)], "").status;
    assert_eq!((shown("Bearer a-credential-of-my-own"), shown("Bearer a-credential-of-my-owl")), (400, 401));
}

#[test]
fn a_door_that_is_asked_to_end_leaves_nothing_behind() {
    let world = World::new();
    let mut door = world.door(&[]);
    let session = door.session();
    let _listening = session.get(None);
    let _asking = session.call("ask", &json!({}));
    door.ask(1, "tools/list", json!({}));
    let servers = world.pids();
    assert_eq!(servers.len(), 2);
    assert!(door.leave().success());
    for server in servers {
        assert!(!is_running(server));
    }
    assert_eq!(world.records_of("stopped").len(), 2);
    assert_eq!(world.records_of("outcome").last().unwrap()["fate"], "lost");
}

#[test]
fn a_killed_door_leaves_no_server() {
    let world = World::new();
    let door = world.door(&[]);
    door.session();
    let server = world.pids()[0];
    signal(door.id(), "KILL");
    eventually("the server is gone", || !is_running(server));
}

#[test]
fn a_credential_is_in_no_record_and_no_log() {
    let world = World::new();
    let mut door = world.door(&[]);
    let credential = door.credential.clone().unwrap();
    let session = door.session();
    assert!(text(&session.call("echo", &json!({}))).is_some_and(|header| !header.contains(&credential)));
    door.request("GET", "/mcp", &[("Authorization", "Bearer prv_guessed")], "");
    door.leave();
    for file in walk(world.path()) {
        let content = std::fs::read(&file).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&content).contains(&credential), "{}", file.display());
    }
}

fn text(answer: &crate::web_client::Answer) -> Option<&str> {
    answer.header("content-type")
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found
        .flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] })
        .collect()
}
