//! A local server that dies: what the client notices of it, and what is kept of its last words.

use crate::client::{Guard, World, eventually, message_of, pid_in, signal, text_of};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// A server that tells what it hears, and may be broken.
struct Stage {
    world: World,
    guard: Guard,
}

impl Stage {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(more: &[(&str, &str)]) -> Self {
        let world = World::new();
        let path = |name: &str| world.path().join(name).to_str().unwrap().to_owned();
        let (heard, broken, other) = (path("heard"), path("broken"), path("other"));
        let own: [(&str, &str); 3] =
            [("MISBEHAVE_HEARD", &heard), ("MISBEHAVE_BROKEN", &broken), ("MISBEHAVE_CAPABILITIES", &other)];
        let guard = world.guard_misbehaving_with(&[&own, more].concat());
        Self { world, guard }
    }

    fn begun() -> Self {
        let mut stage = Self::new();
        stage.guard.initialize();
        stage
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.path().join(name)
    }

    /// Every line that some process of the server heard.
    fn heard(&self, method: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.file("heard")).unwrap_or_default();
        let is = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["method"] == method;
        text.lines().filter(is).map(str::to_owned).collect()
    }

    fn die(&mut self, id: u32) {
        let answer = self.guard.call(id, "die", &json!({}));
        assert!(message_of(&answer).contains("exit status: 3"), "{answer}");
    }

    fn status(&self) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg("--root").arg(self.world.root()).args(["--json", "status", "--server", "entry"]);
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))[0].clone()
    }

    /// What `doctor` and plain `status` say of the machine, and the exit code of `doctor`.
    fn asked(&self) -> (Option<i32>, String) {
        let run = |verb: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
            command.arg("--root").arg(self.world.root()).arg(verb);
            command.env("HOME", self.world.path()).env("USERPROFILE", self.world.path()).output().unwrap()
        };
        let (doctor, status) = (run("doctor"), run("status"));
        let said = [doctor.stdout, status.stdout].concat();
        (doctor.status.code(), String::from_utf8(said).unwrap())
    }

    fn is_told_to_fail(&self, why: &str) {
        let (code, said) = self.asked();
        assert_eq!(code, Some(4), "{said}");
        assert_eq!(said.matches(why).count(), 2, "by doctor and by status: {said}");
        assert!(said.contains("1 server does not work; `portreeve status --server entry`"), "{said}");
    }
}

#[test]
fn a_dead_server_is_started_again_by_the_next_call_and_hears_the_clients_own_words() {
    let mut stage = Stage::begun();
    let died = stage.guard.call(1, "die", &json!({}));
    assert!(message_of(&died).ends_with("is not repeated, and the next call starts it again."), "{died}");
    stage.guard.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#);
    let next = stage.guard.next();
    assert_eq!(next["id"], 2, "the first that the client hears: {next}");
    assert!(text_of(&next).contains("tools/call"));
    let (begun, initialized) = (stage.heard("initialize"), stage.heard("notifications/initialized"));
    assert!(begun.len() == 2 && begun[0] == begun[1], "{begun:?}");
    assert!(initialized.len() == 2 && initialized[0] == initialized[1], "{initialized:?}");
    assert_eq!(stage.heard("tools/call").len(), 2, "nothing is sent twice");
    eventually("both turns are on record", || stage.world.records_of("restart").len() == 2);
    let turns = stage.world.records_of("restart");
    assert_eq!((&turns[0]["phase"], &turns[0]["exit"]), (&json!("ended"), &json!(3)));
    assert!(turns[0]["why"].as_str().unwrap().contains("exit status: 3"), "{}", turns[0]);
    assert_eq!((&turns[1]["phase"], &turns[1]["exit"]), (&json!("begun-anew"), &Value::Null));
    let fates: Vec<_> = stage.world.records_of("outcome").iter().map(|o| o["fate"].clone()).collect();
    assert_eq!(fates, ["lost", "ok"]);
    assert!(stage.guard.leave().success());
}

#[test]
fn a_new_process_hears_the_log_level_and_the_subscriptions_again() {
    let mut stage = Stage::begun();
    stage.guard.ask(1, "logging/setLevel", &json!({"level": "debug"}));
    stage.guard.ask(2, "resources/subscribe", &json!({"uri": "r:kept"}));
    stage.guard.ask(3, "resources/subscribe", &json!({"uri": "r:left"}));
    stage.guard.ask(4, "resources/unsubscribe", &json!({"uri": "r:left"}));
    stage.die(5);
    stage.guard.say(r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"echo"}}"#);
    assert_eq!(stage.guard.next()["id"], 6, "the answers it had already are not given again");
    assert_eq!(stage.heard("logging/setLevel").len(), 2);
    let subscribed = stage.heard("resources/subscribe");
    assert_eq!(subscribed.len(), 3);
    assert_eq!(subscribed[0], subscribed[2]);
}

#[test]
fn a_server_killed_between_two_calls_is_not_missed() {
    let mut stage = Stage::begun();
    for round in 0..2 {
        let server = pid_in(&stage.world.pid_file());
        signal(server, "KILL");
        let again = || stage.status()["process"].is_null();
        eventually("the guard has seen it", again);
        assert_eq!(stage.guard.call(round, "echo", &json!({})).get("error"), None);
        assert_ne!(pid_in(&stage.world.pid_file()), server);
    }
}

#[test]
fn every_call_that_the_dead_process_had_is_answered() {
    let mut stage = Stage::begun();
    for id in 1..=3 {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "hang"}});
        stage.guard.say(&call.to_string());
    }
    stage.guard.say(r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"die"}}"#);
    let answered: Vec<_> = (0..4).map(|_| stage.guard.next()).collect();
    assert!(answered.iter().all(|answer| message_of(answer).contains("ended")), "{answered:?}");
    assert_eq!(stage.guard.call(5, "echo", &json!({})).get("error"), None);
}

#[test]
fn a_client_answers_the_dead_process_and_the_new_one_never_hears_of_it() {
    let mut stage = Stage::begun();
    stage.guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}"#);
    assert_eq!(stage.guard.next()["method"], "ping");
    stage.die(2);
    assert_eq!(stage.guard.call(3, "echo", &json!({})).get("error"), None);
    stage.guard.say(r#"{"jsonrpc":"2.0","id":77,"result":{}}"#);
    assert_eq!(stage.guard.call(4, "echo", &json!({})).get("error"), None);
    assert!(!std::fs::read_to_string(stage.file("heard")).unwrap().contains("77"));
}

#[test]
fn a_server_dies_at_each_start() {
    let mut stage = Stage::begun();
    std::fs::write(stage.file("broken"), "").unwrap();
    stage.die(1);
    let answer = stage.guard.call(2, "echo", &json!({}));
    for part in ["ended 4 times now, each within", "not started again", "there is no key", "/mcp"] {
        assert!(message_of(&answer).contains(part), "{part}: {answer}");
    }
    assert_eq!(stage.guard.wait().code(), Some(9), "as the server");
    stage.is_told_to_fail("it has ended 4 times now, each within 10 s of its start");
    assert_eq!(stage.world.records_of("outcome")[1]["fate"], "lost");
}

#[test]
fn a_server_that_was_mended_in_time_goes_on() {
    let mut stage = Stage::begun();
    std::fs::write(stage.file("broken"), "").unwrap();
    stage.die(1);
    stage.guard.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#);
    eventually("one start has failed", || {
        stage.status()["stderr"].as_array().is_some_and(|lines| lines.contains(&json!("there is no key")))
    });
    std::fs::remove_file(stage.file("broken")).unwrap();
    assert_eq!(stage.guard.answer(2).get("error"), None);
    let (code, said) = stage.asked();
    assert!(code == Some(0) && !said.contains("does not work"), "it works again: {said}");
}

#[test]
fn another_server_in_the_place_of_the_dead_one_is_not_passed_off_as_it() {
    let mut stage = Stage::begun();
    std::fs::write(stage.file("other"), "").unwrap();
    stage.die(1);
    let answer = stage.guard.call(2, "echo", &json!({}));
    assert!(message_of(&answer).contains("capabilities are others"), "{answer}");
    assert_eq!(stage.guard.wait().code(), Some(1));
    assert_eq!(stage.heard("tools/call").len(), 1, "it never saw the call");
}

#[test]
fn a_server_that_ends_at_its_start_ends_the_guard_with_its_code_and_its_words() {
    let here = std::env::current_exe().unwrap();
    let mut stage = Stage::with(&[("MISBEHAVE_BROKEN", here.to_str().unwrap())]);
    assert_eq!(stage.guard.wait().code(), Some(9));
    assert!(stage.guard.complaints().contains("there is no key"));
    let status = stage.status();
    assert_eq!((&status["guarded"], &status["stderr"]), (&json!(false), &json!(["there is no key"])));
    stage.is_told_to_fail("before it had taken up the conversation");
}

#[test]
fn a_conversation_of_2026_goes_on_with_a_new_process_and_no_word_before_it() {
    let mut stage = Stage::with(&[("MISBEHAVE_MODERN", "1")]);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let call = |tool: &str| json!({"name": tool, "arguments": {}, "_meta": meta});
    assert_eq!(stage.guard.ask(1, "tools/call", &call("echo")).get("error"), None);
    stage.guard.ask(2, "tools/call", &call("die"));
    assert_eq!(stage.guard.ask(3, "tools/call", &call("echo")).get("error"), None);
    assert!(stage.heard("initialize").is_empty());
    assert_eq!(stage.status()["protocol"], "2026-07-28");
}

#[test]
fn what_the_server_says_on_stderr_reaches_the_client_as_it_is_and_is_kept_for_its_owner() {
    let mut stage = Stage::begun();
    stage.guard.call(1, "stderr", &json!({}));
    eventually("it is kept", || stage.status()["stderr"] == json!(["half a line"]));
    let status = stage.status();
    assert_eq!((&status["protocol"], &status["server"]), (&json!("2025-11-25"), &json!("misbehaving 1")));
    assert_eq!((&status["guarded"], &status["restarts"]), (&json!(true), &json!(0)));
    assert_eq!(status["pid"], pid_in(&stage.world.pid_file()));
    #[cfg(unix)]
    for file in std::fs::read_dir(stage.world.root().join("guard-spool/servers")).unwrap().flatten() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
    stage.guard.close_stdin();
    stage.guard.wait();
    assert_eq!(stage.guard.complaints().matches("half a line").count(), 1);
}

#[test]
fn the_status_of_a_server_nobody_guards_names_those_that_are() {
    let stage = Stage::begun();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.arg("--root").arg(stage.world.root()).args(["status", "--server", "nobody"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("nobody") && said.contains("entry"), "{said}");
}
