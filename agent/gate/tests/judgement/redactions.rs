//! What policy takes out never passes: neither on, nor into the record; and it is judged without it.

use crate::stage::{POLICY, Stage, rules};
use gate::{EntryKind, Fate, Release};
use policy::Outcome;
use serde_json::Value;

const REDACTIONS: &str = r#"
[[redact]]
name = "no-passwords"
fields = ["**.password"]
patterns = ['hunter\d+']

[[redact]]
name = "lists-only"
tools = ["list_*"]
in = "results"
patterns = ["listed"]
with = "-"

[[grants]]
name = "the-rest"
roles = ["staff"]
servers = ["files"]
prompts = ["*"]
resources = ["*"]
client-features = ["*"]
"#;

fn stage() -> Stage {
    Stage::under(rules(&format!("{POLICY}{REDACTIONS}"), 7))
}

fn to_server(release: Release) -> String {
    let Release::ToServer(bytes) = release else { panic!("not to the server: {release:?}") };
    String::from_utf8(bytes.into_bytes()).unwrap()
}

fn to_client(release: Release) -> String {
    let Release::ToClient(bytes) = release else { panic!("not to the client: {release:?}") };
    String::from_utf8(bytes.into_bytes()).unwrap()
}

/// Nothing on record says it.
fn assert_unsaid(stage: &Stage, secret: &str) {
    for entry in &stage.book.entries {
        assert!(!format!("{entry:?}").contains(secret), "{entry:?}");
    }
}

#[test]
fn arguments_leave_and_are_recorded_without_what_is_taken_out() {
    let mut stage = stage();
    let sent = to_server(stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/work/hunter22", "n":1.50,"password":"x y z"}}}"#,
    ));
    assert_eq!(
        sent,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/work/[redacted]", "n":1.50,"password":"[redacted]"}}}"#
    );
    let entry = stage.last();
    assert_eq!(entry.redacted, 2);
    let EntryKind::Call { arguments: Some(arguments), .. } = &entry.kind else { panic!("{entry:?}") };
    assert!(arguments.get().contains("/work/[redacted]"), "{arguments}");
    assert_unsaid(&stage, "hunter22");
}

#[test]
fn results_reach_the_client_without_what_is_taken_out() {
    let mut stage = stage();
    stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_x","arguments":{}}}"#,
    );
    let heard = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"listed hunter2"}]}}"#,
    ));
    assert_eq!(
        heard,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"- [redacted]"}]}}"#
    );
    assert_eq!(stage.last().redacted, 2);
    assert!(matches!(stage.last().kind, EntryKind::Outcome { fate: Fate::Ok, .. }));
    stage.client(
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read_file","arguments":{}}}"#,
    );
    let same = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"listed"}]}}"#;
    assert_eq!(to_client(stage.server(same)), same, "the rule is of other tools");
    assert_eq!(stage.last().redacted, 0);
}

#[test]
fn what_is_judged_is_what_is_forwarded() {
    let mut stage = stage();
    // Only below /work may be written to; what the rule takes out cannot bring it there.
    let refused = to_client(stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_file","arguments":{"path":"hunter2/work/x"}}}"#,
    ));
    assert!(refused.contains("writing-at-work"), "{refused}");
    assert_unsaid(&stage, "hunter2");
}

#[test]
fn attack_a_secret_in_a_name_is_refused_or_withheld_and_never_passes() {
    let mut stage = stage();
    let refused = to_client(stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"hunter2":1}}}"#,
    ));
    assert!(refused.contains("redaction") && !refused.contains("hunter2"), "{refused}");
    let EntryKind::Call { outcome, rule, .. } = &stage.last().kind else { panic!("{:?}", stage.last()) };
    assert_eq!((*outcome, rule.as_str()), (Outcome::Refused, "redaction"));
    stage.client(
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read_file","arguments":{}}}"#,
    );
    let withheld =
        to_client(stage.server(r#"{"jsonrpc":"2.0","id":2,"result":{"structuredContent":{"hunter2":1}}}"#));
    let answer: Value = serde_json::from_str(&withheld).unwrap();
    assert_eq!((&answer["id"], answer["error"].is_object()), (&Value::from(2), true), "{withheld}");
    assert_unsaid(&stage, "hunter2");
    // The id is free again.
    stage.client(
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read_file","arguments":{}}}"#,
    );
    assert!(matches!(stage.last().kind, EntryKind::Call { outcome: Outcome::Allowed, .. }));
}

#[test]
fn notices_questions_and_their_answers_are_redacted() {
    let mut stage = stage();
    let notice = to_client(stage.server(
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"password":"p","text":"hunter2"}}}"#,
    ));
    assert!(notice.contains(r#"{"password":"[redacted]","text":"[redacted]"}"#), "{notice}");
    let EntryKind::Redacted { messages: 1, from_client: false } = stage.last().kind else {
        panic!("it left no record: {:?}", stage.book.entries)
    };
    assert_eq!((stage.last().method.as_str(), stage.last().redacted), ("notifications/message", 2));
    let question = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{"message":"Is it hunter2?","requestedSchema":{"type":"object"}}}"#,
    ));
    assert!(question.contains(r#""Is it [redacted]?""#), "{question}");
    assert_eq!(stage.last().redacted, 1);
    let answer = to_server(
        stage
            .client(r#"{"jsonrpc":"2.0","id":"s1","result":{"action":"accept","content":{"password":"p"}}}"#),
    );
    assert!(answer.contains(r#"{"password":"[redacted]"}"#), "{answer}");
    stage.server(
        r#"{"jsonrpc":"2.0","id":"s2","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}"#,
    );
    let told = to_server(
        stage.client(r#"{"jsonrpc":"2.0","id":"s2","result":{"action":"accept","content":{"hunter2":"p"}}}"#),
    );
    assert!(told.contains("\"error\"") && !told.contains("hunter2"), "{told}");
    assert_unsaid(&stage, "hunter2");
}

#[test]
fn attack_a_flood_of_notices_with_secrets_neither_fills_the_record_nor_hides_in_it() {
    let mut stage = stage();
    for _ in 0..100 {
        let _ = stage.server(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"hunter2"}}"#);
        let _ = stage.client(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"hunter2"}}"#);
    }
    let _ = stage.server(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"well"}}"#);
    let counted = |stage: &Stage, client: bool| {
        let told = stage.book.entries.iter().filter_map(|entry| match entry.kind {
            EntryKind::Redacted { messages, from_client } if from_client == client => {
                Some((messages, entry.redacted))
            }
            _ => None,
        });
        told.fold((0, 0, 0), |(entries, sum, places), (messages, redacted)| {
            (entries + 1, sum + messages, places + redacted)
        })
    };
    assert_eq!(counted(&stage, false), (7, 64, 64));
    let _ = stage.server_dies("it left");
    for client in [false, true] {
        assert_eq!(counted(&stage, client), (8, 100, 100), "the rest is told at the end");
    }
    assert_unsaid(&stage, "hunter2");
}

#[test]
fn the_result_of_a_task_is_redacted_as_its_tool_is() {
    let mut stage = stage();
    stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_x","arguments":{},"task":{}}}"#,
    );
    stage.server(r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t1","status":"working"}}}"#);
    stage.client(r#"{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"t1"}}"#);
    let result = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"listed hunter2"}]}}"#,
    ));
    assert!(result.contains(r#""- [redacted]""#), "{result}");
    stage.client(r#"{"jsonrpc":"2.0","id":3,"method":"tasks/result","params":{"taskId":"unknown"}}"#);
    let unknown = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"listed hunter2"}]}}"#,
    ));
    assert!(
        unknown.contains(r#""- [redacted]""#),
        "a task that nobody saw made is under every rule: {unknown}"
    );
}

#[test]
fn lists_and_the_handshake_stay_as_they_are() {
    let mut stage = stage();
    stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"hunter2","version":"1"}}}"#);
    let hello = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"hunter2","version":"1"}}}"#,
    ));
    assert!(hello.contains("hunter2"), "{hello}");
    stage.client(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#);
    let list = to_client(stage.server(
        r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"read_file","description":"hunter2","inputSchema":{"type":"object"}}]}}"#,
    ));
    assert!(list.contains("hunter2"), "{list}");
}

#[test]
fn attack_a_secret_in_what_no_tool_is_asked_for() {
    const SECRETS: &str = "[[redact]]\nname = \"s\"\nsecrets = true\n";
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let mut stage = Stage::under(rules(&format!("{POLICY}{SECRETS}"), 7));
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"T"},"x":"T"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"x":"T"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"x":"T"}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","x":"T"}"#,
    ] {
        let sent = to_server(stage.client(&text.replace('T', &token)));
        assert!(sent.contains("[redacted]"), "{sent}");
    }
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"},"x":"T"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"x":"T"}}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"read_file"}],"x":"T"}}"#,
    ] {
        let heard = to_client(stage.server(&text.replace('T', &token)));
        assert!(heard.contains("[redacted]"), "{heard}");
    }
    assert_unsaid(&stage, &token);
}

#[test]
fn who_is_refused_by_a_redaction_is_told_whom_to_ask() {
    let mut stage = stage();
    let refused = to_client(stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"hunter2":1}}}"#,
    ));
    assert!(refused.contains("Ask it@acme.example"), "{refused}");
}

/// An auditor has to know which of both it was.
#[test]
fn attack_what_was_forwarded_in_clear_looks_taken_out_in_the_record() {
    let mut stage = stage();
    stage.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"password":"x","api_key":"y"}}}"#,
    );
    let EntryKind::Call { arguments: Some(arguments), .. } = &stage.last().kind else { panic!() };
    assert_eq!(arguments.get(), r#"{"password":"[redacted]","api_key":"[masked]"}"#);
}

#[test]
fn a_message_of_a_batch_is_redacted_as_one_that_came_alone() {
    let mut stage = stage();
    stage.client(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#);
    stage.server(
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#,
    );
    let sent = to_server(stage.client(
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"hunter2"}}},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
    ));
    assert!(sent.contains("[redacted]") && sent.contains("ping") && !sent.contains("hunter2"), "{sent}");
    assert_unsaid(&stage, "hunter2");
}
