//! Batches of 2025-03-26, through the built guard.

use crate::client::{World, eventually, message_of, text_of};
use serde_json::{Value, json};

#[test]
fn a_batch_goes_through_a_guard_in_one_piece_without_what_is_refused() {
    let world = World::new();
    let heard = world.path().join("heard");
    let mut guard = world.guard_misbehaving_with(&[("MISBEHAVE_HEARD", heard.to_str().unwrap())]);
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    guard.ask("hello", "initialize", &hello);

    let call = |id: u32, tool: &str| {
        format!(
            r#"{{"jsonrpc":"2.0", "id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"n":1.0}}}}}}"#
        )
    };
    let whole = format!("[{} ,{}]", call(1, "echo"), call(2, "echo"));
    guard.say(&whole);
    assert!(text_of(&guard.answer(1)).contains("1.0"));
    guard.answer(2);

    guard.say(&format!("[{},{}]", call(3, "echo"), call(4, "wipe")));
    let (mut refused, mut answered) = (Value::Null, Value::Null);
    for _ in 0..2 {
        match guard.next() {
            Value::Array(mut answers) => refused = answers.remove(0),
            answer => answered = answer,
        }
    }
    assert_eq!((&refused["id"], &answered["id"]), (&json!(4), &json!(3)));
    assert!(message_of(&refused).contains("\"wipe\""), "{refused}");
    let lines = std::fs::read_to_string(heard).unwrap();
    let batches: Vec<_> = lines.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(batches, [whole, format!("[{}]", call(3, "echo"))]);
    let calls: Vec<_> = world.records_of("call").iter().map(|call| call["decision"].clone()).collect();
    assert_eq!(calls, ["allowed", "allowed", "allowed", "refused"]);
    eventually("every call has its end on record", || world.records_of("outcome").len() == 3);
    assert!(guard.leave().success());
}

#[test]
fn a_batch_in_another_revision_never_reaches_the_server() {
    let world = World::new();
    let heard = world.path().join("heard");
    let mut guard = world.guard_misbehaving_with(&[("MISBEHAVE_HEARD", heard.to_str().unwrap())]);
    guard.initialize();
    guard.say(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe"}}]"#);
    let refused = guard.next();
    assert!(message_of(&refused).contains("batch"), "{refused}");
    guard.call(2, "echo", &json!({}));
    assert!(!std::fs::read_to_string(heard).unwrap().contains("wipe"));
}
