//! No record, no release.

use crate::stage::{POLICY, Stage, call, error, parsed, result, rules, to_client, to_server};
use gate::{EntryKind, Release};
use serde_json::json;

#[test]
fn a_call_that_cannot_be_recorded_is_not_sent() {
    for tool in ["read_file", "delete_file"] {
        let mut stage = Stage::new();
        stage.book.full = Some("the audit log's disk is full");
        let (code, message) = error(&stage.client(&call(1, tool, "{}")), &json!(1));
        assert_eq!(code, -32003);
        assert!(
            message.contains("could not record") && message.contains("therefore it was not sent"),
            "{message}"
        );
        assert!(message.contains("the audit log's disk is full"), "{message}");
    }
}

#[test]
fn a_result_that_cannot_be_recorded_is_withheld() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "read_file", "{}"));
    stage.book.full = Some("the audit log's disk is full");
    let release = stage.server(&result(1, r#"{"content":[{"type":"text","text":"the file's text"}]}"#));
    let (_, message) = error(&release, &json!(1));
    assert!(message.contains("was made, but its result is withheld"), "{message}");
    assert!(!message.contains("the file's text"), "{message}");
}

#[test]
fn a_list_that_cannot_be_recorded_is_withheld() {
    let mut stage = Stage::new();
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    stage.book.full = Some("the audit log's disk is full");
    let release = stage.server(&result(1, r#"{"tools":[{"name":"read_file"}]}"#));
    let (_, message) = error(&release, &json!(1));
    assert!(!message.contains("read_file"), "{message}");
}

#[test]
fn a_call_that_was_held_back_leaves_no_trace() {
    let mut stage = Stage::new();
    stage.book.full = Some("full");
    let _ = stage.client(&call(1, "read_file", "{}"));
    stage.book.full = None;
    assert_eq!(stage.server(&result(1, "{}")), Release::Nothing, "nobody can answer what was never sent");
    assert_eq!(stage.malformed(), ["unasked-response"]);
    assert_eq!(stage.client(&call(1, "read_file", "{}")), to_server(&call(1, "read_file", "{}")));
    assert!(matches!(stage.last().kind, EntryKind::Call { number: 2, .. }));
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
}

#[test]
fn a_held_back_call_is_not_lost_when_the_server_dies() {
    let mut stage = Stage::new();
    stage.book.full = Some("full");
    let _ = stage.client(&call(1, "read_file", "{}"));
    stage.book.full = None;
    assert_eq!(stage.server_dies("gone"), [], "its client has its answer");
    assert!(stage.book.entries.is_empty());
}

#[test]
fn what_came_together_is_recorded_by_one_write() {
    let mut stage = Stage::new();
    let calls: Vec<String> = (1..=3).map(|id| call(id, "read_file", "{}")).collect();
    let ping = r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#;
    let releases = stage.client_together(&[&calls[0], &calls[1], ping, &calls[2]]);
    assert_eq!(releases, [&calls[0], &calls[1], ping, &calls[2]].map(to_server));
    assert_eq!((stage.book.writes, stage.book.entries.len()), (1, 3));
}

#[test]
fn of_what_came_together_only_that_is_held_back_which_cannot_be_recorded() {
    let mut stage = Stage::new();
    stage.book.room = Some(2);
    let calls: Vec<String> = (1..=3).map(|id| call(id, "read_file", "{}")).collect();
    let releases = stage.client_together(&calls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(releases[..2], [to_server(&calls[0]), to_server(&calls[1])]);
    assert_eq!(error(&releases[2], &json!(3)).0, -32003);
    assert_eq!(stage.book.entries.len(), 2, "each stands on record once");
    assert_eq!(stage.server(&result(3, "{}")), Release::Nothing, "it was never sent");
}

#[test]
fn a_call_that_came_with_its_cancellation_ends_on_record_only_where_it_began() {
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    for (room, kept) in [(None, 2), (Some(0), 0)] {
        let mut stage = Stage::new();
        stage.book.room = room;
        let _ = stage.client_together(&[&call(1, "read_file", "{}"), cancel]);
        assert_eq!(stage.book.entries.len(), kept);
    }
}

#[test]
fn secrets_are_masked_in_the_record_and_only_there() {
    let mut stage = Stage::new();
    let text = call(
        1,
        "read_file",
        r#"{"path":"/a","api_key":"planted-1","note":"use ghp_0123456789abcdefABCDEF now","n":[{"Password":"planted-2"}]}"#,
    );
    assert_eq!(stage.client(&text), to_server(&text));
    let EntryKind::Call { arguments: Some(arguments), .. } = &stage.last().kind else { panic!() };
    let expected = json!({
        "path": "/a", "api_key": "[masked]", "note": "use [masked] now", "n": [{"Password": "[masked]"}],
    });
    assert_eq!(parsed(Some(arguments)), expected);
}

#[test]
fn a_refusal_does_not_repeat_a_secret_argument() {
    let mut stage = Stage::under(rules(POLICY, 7));
    let release = stage.client(&call(1, "delete_file", r#"{"token":"planted-3"}"#));
    let Release::ToClient(bytes) = release else { panic!() };
    assert!(!String::from_utf8_lossy(&bytes).contains("planted-3"));
}

#[test]
fn attack_a_secret_as_a_name_stands_in_the_record() {
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for text in [
        call(1, token, "{}"),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{{"name":"{token}"}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"vendor/{token}"}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","{token}":1,"{token}":2}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":"{token}","result":{{}}}}"#),
    ] {
        let mut stage = Stage::new();
        let _ = stage.client(&text);
        let recorded = format!("{:?}", stage.book.entries);
        assert!(recorded.contains("[masked]") && !recorded.contains(token), "{recorded}");
    }
}
