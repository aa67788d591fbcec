//! In front of a server that is a child process.

use crate::client::{World, eventually, is_running, message_of, pid_in, signal, text_of};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STUBBORN: (&str, &str) = ("MISBEHAVE_STUBBORN", "1");

#[test]
fn an_allowed_call_reaches_the_server_byte_for_byte() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let odd = r#"{ "id":7 ,"jsonrpc":"2.0","method":"tools\/call","params":{"x-new":[1.10,1e3,12345678901234567890123],"name":"echo","arguments":{"b":1,"a":"\u00e4"}} }"#;
    guard.say(odd);
    assert_eq!(text_of(&guard.answer(7)), odd);
    assert!(guard.leave().success());
}

#[test]
fn a_refused_call_is_answered_in_four_parts_and_never_leaves() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let answer = guard.call(1, "wipe", &json!({}));
    assert_eq!(answer["error"]["code"], -32003);
    for part in ["wipe", "misbehaving", "No rule of", "you@localhost (all)", "security@acme.example"] {
        assert!(message_of(&answer).contains(part), "{part}: {answer}");
    }
    assert_eq!(answer["error"]["data"]["portreeve"]["rule"], "default");
    guard.leave();
    let calls = world.records_of("call");
    assert_eq!((calls.len(), &calls[0]["decision"]), (1, &json!("refused")));
    assert!(world.records_of("outcome").is_empty(), "what never left has no outcome");
}

#[test]
fn the_same_tool_passes_with_one_argument_and_is_refused_with_another() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    assert!(guard.call(1, "echo", &json!({"path": "/home/x"})).get("result").is_some());
    let refused = guard.call(2, "echo", &json!({"path": "/etc/shadow"}));
    for part in ["no-secrets", "System files are not for models.", "ops@acme.example"] {
        assert!(message_of(&refused).contains(part), "{part}: {refused}");
    }
}

#[test]
fn the_client_is_shown_only_what_it_may_call() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let list = guard.ask(1, "tools/list", &json!({}));
    let names: Vec<_> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"echo") && !names.contains(&"wipe"), "{names:?}");
    guard.leave();
    assert_eq!(world.records_of("listed")[0]["hidden"], 1);
}

#[test]
fn a_call_is_on_record_before_the_server_sees_it() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    for round in 0..20 {
        let answer = guard.call(round, "recorded", &json!({"mark": format!("mark-{round}-of-20")}));
        assert_eq!(text_of(&answer), "on record");
    }
}

#[test]
fn a_record_says_who_what_where_and_when() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    guard.ask(
        1,
        "tools/call",
        &json!({"name": "echo", "arguments": {"n": 1}, "_meta": {"claudecode/toolUseId": "toolu_1"}}),
    );
    guard.leave();
    let records = world.records();
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["started", "call", "outcome", "stopped"]);
    let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let (call, outcome) = (&records[1], &records[2]);
    assert_eq!(call["member"], "you@localhost");
    assert_eq!(call["client"]["name"], "test");
    assert_eq!(call["server"]["entry"], "entry");
    assert_eq!(call["server"]["catalogue"], "misbehaving");
    assert!(call["server"]["identity"].as_str().unwrap().starts_with("exec:"));
    assert_eq!(call["arguments"], json!({"n": 1}));
    assert_eq!(call["tool_use_id"], "toolu_1");
    assert_eq!(call["decision"], "allowed");
    assert_eq!((&outcome["call"], &outcome["fate"]), (&call["call"], &json!("ok")));
    assert!(!call["os_user"].as_str().unwrap().is_empty());
}

#[test]
fn a_server_that_dies_in_a_call_answers_it_with_its_exit_code() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let answer = guard.call(1, "die", &json!({}));
    assert!(message_of(&answer).contains("exit status: 3"), "{answer}");
    eventually("its outcome is on record", || world.records_of("outcome").len() == 1);
    assert_eq!(world.records_of("outcome")[0]["fate"], "lost");
    guard.close_stdin();
    assert_eq!(guard.wait().code(), Some(3), "nobody had it started again");
    assert_eq!(world.records().last().unwrap()["kind"], "stopped");
}

#[test]
fn a_hanging_server_does_not_outlive_its_client() {
    let world = World::new();
    let mut guard = world.guard_misbehaving_with(&[STUBBORN]);
    guard.initialize();
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hang"}}"#);
    let server = pid_in(&world.pid_file());
    eventually("the call is on its way", || world.records_of("call").len() == 1);
    assert!(guard.leave().success());
    eventually("the server is gone", || !is_running(server));
    assert_eq!(world.records_of("outcome")[0]["fate"], "lost");
}

/// `printf '…' | portreeve wrap -- npx …`: everything is said before the server has begun.
#[test]
fn what_was_asked_before_the_end_of_input_is_still_answered() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"printf","version":"1"}}}"#);
    guard.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#);
    guard.close_stdin();
    assert_eq!(text_of(&guard.answer(1)), "at last");
    assert!(guard.wait().success());
    assert_eq!(world.records_of("outcome")[0]["fate"], "ok");
}

#[test]
fn a_signal_ends_the_guard_at_once_even_while_a_server_may_still_answer() {
    let world = World::new();
    let mut guard = world.guard_misbehaving_with(&[STUBBORN]);
    guard.initialize();
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hang"}}"#);
    eventually("the call is on its way", || world.records_of("call").len() == 1);
    guard.close_stdin();
    let signalled = Instant::now();
    signal(guard.id(), "TERM");
    guard.wait();
    assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());
    assert_eq!(world.records_of("outcome")[0]["fate"], "lost");
}

#[test]
fn half_a_line_is_recorded_and_not_forwarded() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let answer = guard.call(1, "half-line", &json!({}));
    assert!(message_of(&answer).contains("ended"), "{answer}");
    guard.close_stdin();
    guard.wait();
    let cut = world.records_of("malformed");
    assert_eq!((&cut[0]["code"], &cut[0]["from_client"]), (&json!("cut-short"), &json!(false)));
}

#[test]
fn what_is_no_message_is_dropped_and_the_session_goes_on() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    assert_eq!(text_of(&guard.call(1, "noise", &json!({}))), "after the noise");
    assert_eq!(guard.call(2, "echo", &json!({})).get("error"), None);
}

#[test]
fn a_line_of_64_mib_is_refused_and_the_session_goes_on() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let answer = guard.call(1, "huge", &json!({}));
    assert!(answer.get("error").is_some(), "{}", &answer.to_string()[..200]);
    assert_eq!(guard.call(2, "echo", &json!({})).get("error"), None);
}

#[test]
fn a_clients_line_of_64_mib_never_reaches_the_server() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    guard.say_bytes(
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":""#,
    );
    let chunk = vec![b'x'; 1024 * 1024];
    (0..64).for_each(|_| guard.say_bytes(&chunk));
    guard.say_bytes(b"\"}}}\n");
    assert!(guard.answer(1).get("error").is_some());
    assert_eq!(guard.call(2, "echo", &json!({})).get("error"), None);
}

#[test]
fn malformed_client_messages_are_answered_or_dropped_and_never_forwarded() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    for line in [
        "not json",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe"}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"wipe"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","NAME":"wipe"}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"wipe"}}"#,
    ] {
        guard.say(line);
    }
    guard.say_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\xff\"}\n");
    guard.say(r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo"}}"#);
    loop {
        let answer = guard.next();
        if answer["id"] == 9 {
            assert_eq!(answer.get("error"), None, "the session goes on");
            break;
        }
        assert!(answer.get("error").is_some(), "{answer}");
    }
    guard.leave();
    assert_eq!(world.records_of("call").len(), 1, "nothing else was a call");
    assert_eq!(world.records_of("malformed").len(), 6);
}

/// `-0` is the integer 0 to some readers and a fraction to others: two could take one call for two.
#[test]
fn id_of_minus_zero_is_refused_and_never_reaches_the_server() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    guard.say(r#"{"jsonrpc":"2.0","id":-0,"method":"tools/call","params":{"name":"echo"}}"#);
    let refused = guard.next();
    assert!(refused["id"].is_null() && message_of(&refused).contains("id"), "{refused}");
    assert_eq!(refused.get("result"), None);
    // The next one is answered: nothing else came of it, and nothing waits for it.
    assert_eq!(guard.call(0, "echo", &json!({})).get("error"), None);
    guard.leave();
    let calls = world.records_of("call");
    assert_eq!((calls.len(), &calls[0]["decision"]), (1, &json!("allowed")));
    assert_eq!(world.records_of("malformed").len(), 1);
}

#[test]
fn a_command_that_is_not_there_is_named_to_every_request() {
    let world = World::new();
    let mut guard = world.guard(&["--", "/no/such/server", "--flag"], &[]);
    for method in ["server/discover", "initialize"] {
        let answer = guard.ask(method, method, &json!({}));
        assert!(message_of(&answer).contains("/no/such/server"), "{answer}");
    }
    guard.close_stdin();
    assert_eq!(guard.wait().code(), Some(127));
    assert!(guard.complaints().contains("/no/such/server"));
}

#[test]
fn a_server_that_ends_before_it_answers_is_told_with_its_last_words() {
    let world = World::new();
    let broken = world.path().join("broken");
    std::fs::write(&broken, "").unwrap();
    for _ in 0..20 {
        let mut guard = world.guard_misbehaving_with(&[("MISBEHAVE_BROKEN", broken.to_str().unwrap())]);
        let answer = guard.ask(1, "initialize", &json!({}));
        for part in ["exit status: 9", "before it had taken up the conversation", "`there is no key`"] {
            assert!(message_of(&answer).contains(part), "{part}: {answer}");
        }
        assert_eq!(guard.wait().code(), Some(9));
    }
}

#[test]
fn a_guard_ends_by_the_code_of_a_server_that_was_killed_as_shells_do() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    signal(pid_in(&world.pid_file()), "KILL");
    assert_eq!(guard.wait().code(), Some(137));
}

#[test]
fn the_record_says_that_the_client_left_where_its_server_ended_with_it() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    assert!(guard.leave().success());
    assert_eq!(world.records_of("stopped")[0]["why"], "the client left");
}

#[test]
fn a_start_that_closes_at_once_leaves_nothing_behind() {
    let world = World::new();
    let guard = world.guard_misbehaving();
    let started = Instant::now();
    assert!(guard.leave().success());
    assert!(started.elapsed() < Duration::from_secs(2), "the server ended by itself");
    eventually("the server is gone", || !is_running(pid_in(&world.pid_file())));
}

#[test]
fn the_end_of_the_guard_is_the_end_of_the_whole_tree() {
    for ending in ["TERM", "INT", "KILL"] {
        let world = World::new();
        let mut guard = world.guard_misbehaving_with(&[STUBBORN]);
        guard.initialize();
        guard.call(1, "family", &json!({}));
        let (server, child) = (pid_in(&world.pid_file()), pid_in(&world.pid_file().with_extension("child")));
        assert!(is_running(server) && is_running(child));
        signal(guard.id(), ending);
        let status = guard.wait();
        assert_eq!(status.code(), (ending != "KILL").then_some(0), "{ending}");
        eventually("the server is gone", || !is_running(server));
        eventually("the server's child is gone", || !is_running(child));
    }
}

#[test]
fn an_audit_log_that_cannot_be_written_stops_calls_and_says_so() {
    let world = World::new();
    // The folder's place is taken by a file.
    std::fs::create_dir_all(world.root()).unwrap();
    std::fs::write(world.root().join("guard-spool"), "").unwrap();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    let refused = guard.call(1, "echo", &json!({}));
    assert!(message_of(&refused).contains("audit log"), "{refused}");
    std::fs::remove_file(world.root().join("guard-spool")).unwrap();
    assert_eq!(guard.call(2, "echo", &json!({})).get("error"), None, "mended without a restart");
    guard.leave();
    let calls = world.records_of("call");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["seq"], 1, "what was not kept has no number: {:?}", calls[0]);
}

#[test]
fn a_server_that_does_not_read_outlives_its_client() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deaf"}}"#);
    let long = "A".repeat(1024 * 1024);
    for id in 2..6 {
        let echo = json!({"name": "echo", "arguments": {"long": long}});
        guard.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": echo}).to_string());
    }
    guard.say(r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"wipe"}}"#);
    let first = guard.next();
    assert!(first["id"] == 6 && message_of(&first).contains("wipe"), "refusals go on: {first}");
    let server = pid_in(&world.pid_file());
    assert!(guard.leave().success());
    eventually("the server is gone", || !is_running(server));
}

#[test]
fn many_calls_at_once_are_all_answered() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    for id in 0..500 {
        guard.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"n":{id}}}}}}}"#
        ));
    }
    let answered: Vec<_> = (0..500).map(|_| guard.next()["id"].as_u64().unwrap()).collect();
    assert_eq!(answered, (0..500).collect::<Vec<_>>());
    guard.leave();
    let records = world.records();
    let seqs: Vec<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=1002).collect::<Vec<_>>());
    let ids: std::collections::BTreeSet<_> =
        records.iter().map(|record: &Value| record["id"].to_string()).collect();
    assert_eq!(ids.len(), records.len());
}
