//! Batches, which only 2025-03-26 has: each message is judged as if it came alone.

use crate::stage::{Stage, call, heard, result, to_client, to_server};
use gate::{EntryKind, Release};
use policy::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A session on which the server settled on this version.
fn settled(version: &str) -> Stage {
    let mut stage = Stage::new();
    let hello =
        r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#;
    assert_eq!(stage.client(hello), to_server(hello));
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":"i","result":{{"protocolVersion":"{version}","capabilities":{{}}}}}}"#
    );
    assert_eq!(stage.server(&answer), to_client(&answer));
    stage
}

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

#[test]
fn a_batch_of_which_nothing_is_refused_goes_on_as_it_came() {
    let mut stage = settled("2025-03-26");
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
    let batch = format!(" [ {} ,{PING},  {progress}] ", call(1, "read_file", "{}"));
    assert_eq!(stage.client_batch(&batch), [to_server(&batch), Release::Nothing]);
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::Allowed, .. }));
    let answers =
        format!(r#"[{}, {{"jsonrpc":"2.0","id":"p","result":{{}}}}]"#, result(1, r#"{"content":[]}"#));
    assert_eq!(stage.server_batch(&answers), [Release::Nothing, to_client(&answers)]);
    assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, .. }));
}

#[test]
fn what_is_refused_in_a_batch_is_answered_in_one_array_and_the_rest_goes_on_in_one() {
    let mut stage = settled("2025-03-26");
    let (first, second) = (call(1, "read_file", r#"{"n":1.0}"#), call(4, "list_x", "{}"));
    let batch = format!(
        r#"[{first}, {}, 5, {{"id":9}}, {second},{}]"#,
        call(2, "delete_file", "{}"),
        call(3, "format_disk", "{}")
    );
    let [on, back] = stage.client_batch(&batch);
    assert_eq!(on, to_server(&format!("[{first},{second}]")));
    let back = heard(&back);
    let told: Vec<_> =
        back.as_array().unwrap().iter().map(|one| (&one["id"], &one["error"]["code"])).collect();
    let code = |code: i64| json!(code);
    assert_eq!(
        told,
        [
            (&json!(2), &code(-32003)),
            (&json!(null), &code(-32600)),
            (&json!(9), &code(-32600)),
            (&json!(3), &code(-32003))
        ]
    );
    let calls = stage.book.entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Call { .. }));
    assert_eq!(calls.count(), 4, "each is on record");
}

#[test]
fn a_list_in_a_batch_of_answers_is_filtered() {
    let mut stage = settled("2025-03-26");
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let batch = format!("[{list},{PING}]");
    let _ = stage.client_batch(&batch);
    let pong = r#"{"jsonrpc":"2.0","id":"p","result":{}}"#;
    let answers = format!("[{},{pong}]", result(1, r#"{"tools":[{"name":"read_file"},{"name":"run"}]}"#));
    let shown = format!("[{},{pong}]", result(1, r#"{"tools":[{"name":"read_file"}]}"#));
    assert_eq!(stage.server_batch(&answers), [Release::Nothing, to_client(&shown)]);
}

#[test]
fn a_servers_batch_may_ask_and_answer_at_once() {
    let mut stage = settled("2025-03-26");
    let _ = stage.client(&call(1, "read_file", "{}"));
    let roots = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    let sampling = r#"{"jsonrpc":"2.0","id":2,"method":"sampling/createMessage","params":{}}"#;
    let [to_server, on] =
        stage.server_batch(&format!("[{roots},{sampling},{}]", result(1, r#"{"content":[]}"#)));
    assert_eq!(on, to_client(&format!("[{roots},{}]", result(1, r#"{"content":[]}"#))));
    let Release::ToServer(bytes) = to_server else { panic!("{to_server:?}") };
    let answers: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((answers[0]["id"].as_u64(), answers.as_array().unwrap().len()), (Some(2), 1));
}

#[test]
fn a_part_that_cannot_be_recorded_is_held_back_and_the_rest_is_not() {
    let mut stage = settled("2025-03-26");
    stage.book.full = Some("full");
    let [on, back] = stage.client_batch(&format!("[{},{PING}]", call(1, "read_file", "{}")));
    assert_eq!(on, to_server(&format!("[{PING}]")));
    assert_eq!(heard(&back)[0]["id"], 1);
}

/// One of the things that may stand in a batch.
#[test]
fn attack_an_array_where_none_was_agreed_leaves_no_call_open() {
    let mut stage = settled("2025-11-25");
    for id in [2, 3, 4] {
        let _ = stage.client(&call(id, "read_file", "{}"));
    }
    let asked = r#"{"jsonrpc":"2.0","id":"s1","method":"roots/list"}"#;
    let array = format!("[{},{asked},{},{}]", result(2, "{}"), result(99, "{}"), result(4, "{}"));
    let [Release::EachToClient(answers), Release::ToServer(told)] = stage.server_batch(&array) else {
        panic!("not answered one by one")
    };
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["id"], &told["error"]["code"]), (&json!(null), &json!(-32600)), "the server asked too");
    let answers: Vec<Value> = answers.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [2, 4]);
    for answer in &answers {
        assert!(answer["error"]["message"].as_str().unwrap().contains("no batches were agreed"), "{answer}");
    }
    assert_eq!(stage.malformed(), ["batch"]);
    let EntryKind::Malformed { message, from_client, .. } = &stage.last().kind else { panic!("no record") };
    assert!(message.contains("this one holds 4 messages") && !from_client, "{message}");
    let errors = stage
        .book
        .entries
        .iter()
        .filter(|entry| matches!(entry.kind, EntryKind::Outcome { fate: gate::Fate::Error, .. }));
    assert_eq!(errors.count(), 2);
    // The third is still open, and the ids of the others are free.
    assert_eq!(stage.server(&result(3, "{}")), crate::stage::to_client(&result(3, "{}")));
    assert!(matches!(stage.client(&call(2, "read_file", "{}")), Release::ToServer(_)));
}

#[test]
fn attack_an_array_that_is_no_batch_leaves_the_calls_in_it_open() {
    let (one, two) = (result(2, "{}"), result(3, "{}"));
    for version in ["2025-11-25", "2025-03-26"] {
        for array in [
            format!("[[{one}],[[{two}]]]"),
            format!("[{}{one},{two}]", "{},".repeat(1000)),
            format!(r#"[{one},{two},{{"a":1,"a":2}}]"#),
            format!("[{one},{two}"),
        ] {
            let mut stage = settled(version);
            for id in [2, 3] {
                let _ = stage.client(&call(id, "read_file", "{}"));
            }
            let [Release::EachToClient(answers), _] = stage.server_batch(&array) else { panic!("{array}") };
            let ids: Vec<Value> =
                answers.iter().map(|it| serde_json::from_slice::<Value>(it).unwrap()["id"].clone()).collect();
            assert_eq!(ids, [2, 3], "{array}");
            assert_eq!(stage.server(&one), Release::Nothing, "it was answered");
        }
    }
}

#[test]
fn attack_an_array_from_the_client_leaves_its_requests_without_an_answer() {
    let (one, two) = (call(2, "read_file", "{}"), call(3, "read_file", "{}"));
    for array in [format!("[{one},{two},{one}]"), format!("[[{one}],[[{two}]]]")] {
        let mut stage = settled("2025-11-25");
        let [Release::EachToClient(answers), Release::Nothing] = stage.client_batch(&array) else {
            panic!("{array}")
        };
        let ids: Vec<Value> =
            answers.iter().map(|it| serde_json::from_slice::<Value>(it).unwrap()["id"].clone()).collect();
        assert_eq!(ids, [2, 3], "{array}");
        assert_eq!(stage.book.entries.len(), 1, "none of them is a call: {:?}", stage.book.entries);
    }
}

#[test]
fn an_array_that_answers_nothing_reaches_nobody_and_is_on_record() {
    let mut stage = settled("2025-06-18");
    let told = stage.server_batch(r#"[{"jsonrpc":"2.0","method":"notifications/message","params":{}}]"#);
    assert_eq!(told, [Release::Nothing, Release::Nothing]);
    assert_eq!(stage.malformed(), ["batch"]);
}

fn part() -> impl Strategy<Value = String> {
    let id = 0u64..4;
    prop_oneof![
        id.clone().prop_map(|id| call(id, "read_file", "{}")),
        id.clone().prop_map(|id| call(id, "delete_file", "{}")),
        id.clone().prop_map(|id| result(id, "{}")),
        id.prop_map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#)),
        Just(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#.to_owned()),
        Just(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":7}}"#.to_owned()),
        Just("\"text\"".to_owned()),
    ]
}

/// What left in one array, message by message.
fn told(release: &Release) -> Vec<Value> {
    match release {
        Release::ToServer(bytes) | Release::ToClient(bytes) => serde_json::from_slice(bytes).unwrap(),
        Release::EachToClient(_) | Release::Nothing => Vec::new(),
    }
}

proptest! {
    #[test]
    fn a_batch_does_what_its_messages_do_alone(parts in prop::collection::vec(part(), 1..8), from_client: bool) {
        let (mut whole, mut alone) = (settled("2025-03-26"), settled("2025-03-26"));
        for stage in [&mut whole, &mut alone] {
            let _ = stage.client(&call(2, "read_file", "{}"));
            let _ = stage.server(r#"{"jsonrpc":"2.0","id":3,"method":"roots/list"}"#);
        }
        let batch = format!("[{}]", parts.join(","));
        let left = if from_client { whole.client_batch(&batch) } else { whole.server_batch(&batch) };
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        for part in &parts {
            match if from_client { alone.client(part) } else { alone.server(part) } {
                Release::ToServer(bytes) => to_server.push(serde_json::from_slice::<Value>(&bytes).unwrap()),
                Release::ToClient(bytes) => to_client.push(serde_json::from_slice::<Value>(&bytes).unwrap()),
                Release::EachToClient(_) | Release::Nothing => {}
            }
        }
        prop_assert_eq!(told(&left[0]), to_server);
        prop_assert_eq!(told(&left[1]), to_client);
        prop_assert_eq!(format!("{:?}", whole.book.entries), format!("{:?}", alone.book.entries));
    }
}

/// Attack: in every other revision an array is read by some servers and by no judge.
#[test]
fn batch_in_another_revision_hides_a_call() {
    let batch = format!("[{}]", call(1, "delete_file", "{}"));
    for version in ["2024-11-05", "2025-06-18", "2025-11-25", "2025-03-26 ", "2026-07-28"] {
        let mut stage = settled(version);
        let [told, nothing] = stage.client_batch(&batch);
        assert_eq!(heard(&told)["error"]["data"]["portreeve"]["reason"], "batch", "{version}");
        assert_eq!(nothing, Release::Nothing);
        assert_eq!(
            stage.server_batch(&format!("[{}]", result(1, "{}"))),
            [Release::Nothing, Release::Nothing]
        );
    }
}

/// Attack: the client claims the revision with batches; what counts is what the server settled on.
#[test]
fn client_claims_the_revision_with_batches() {
    let mut stage = Stage::new();
    let _ = stage.client(
        r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#,
    );
    let [told, _] = stage.client_batch(&format!("[{PING}]"));
    assert_eq!(heard(&told)["error"]["data"]["portreeve"]["reason"], "batch");
}

#[test]
fn batch_that_is_empty_nested_or_begins_a_session() {
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    for (batch, reason) in [
        ("[]".to_owned(), "empty-batch"),
        (format!("[[{PING}]]"), "nested-batch"),
        (format!("[{PING},[]]"), "nested-batch"),
        (format!("[{}0]", "0,".repeat(1000)), "long-batch"),
        (format!("[{PING}] []"), "trailing-data"),
        (r#"[{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}]"#.to_owned(), "duplicate-key"),
    ] {
        let mut stage = settled("2025-03-26");
        let [told, nothing] = stage.client_batch(&batch);
        assert_eq!(heard(&told)["error"]["data"]["portreeve"]["reason"], reason);
        assert_eq!(nothing, Release::Nothing);
    }
    let mut stage = settled("2025-03-26");
    let [on, told] = stage.client_batch(&format!("[{hello},{PING}]"));
    assert_eq!(on, to_server(&format!("[{PING}]")));
    assert_eq!(heard(&told)[0]["error"]["data"]["portreeve"]["reason"], "initialize-in-batch");
}

/// Attack: two messages of one batch share an id, so that one answer is taken for both.
#[test]
fn same_id_twice_in_one_batch() {
    let mut stage = settled("2025-03-26");
    let one = call(1, "read_file", "{}");
    let [on, told] = stage.client_batch(&format!("[{one},{one}]"));
    assert_eq!(on, to_server(&format!("[{one}]")));
    assert_eq!(heard(&told)[0]["id"], json!(null));
    assert_eq!(stage.malformed(), ["id-in-use"]);
}
