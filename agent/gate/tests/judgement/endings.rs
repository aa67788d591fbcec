//! How requests end other than by an answer.

use crate::stage::{Stage, call, error, result, to_client, to_server};
use gate::{EntryKind, Fate, Release};
use serde_json::json;
use std::time::Duration;

const CANCEL: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"x"}}"#;

#[test]
fn a_cancelled_call_is_over_and_its_late_answer_goes_nowhere() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "read_file", "{}"));
    stage.wait(Duration::from_micros(30));
    assert_eq!(stage.client(CANCEL), to_server(CANCEL));
    let EntryKind::Outcome { number, fate, duration_us, bytes } = stage.last().kind else {
        panic!("{:?}", stage.last())
    };
    assert_eq!((number, fate, duration_us, bytes), (1, Fate::Cancelled, 30, 0));
    assert_eq!(stage.server(&result(1, "{}")), Release::Nothing);
    assert_eq!(stage.book.entries.len(), 2, "a late answer is nothing to record");
}

#[test]
fn cancelling_what_is_not_open_passes_unrecorded() {
    let mut stage = Stage::new();
    assert_eq!(stage.client(CANCEL), to_server(CANCEL));
    assert!(stage.book.entries.is_empty());
}

#[test]
fn the_handshake_cannot_be_cancelled() {
    let mut stage = Stage::new();
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#);
    assert_eq!(stage.client(CANCEL), to_server(CANCEL));
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
}

#[test]
fn when_the_server_dies_every_open_request_is_answered() {
    let mut stage = Stage::new();
    let _ = stage.client(&call(12, "read_file", "{}"));
    let _ = stage.client(&call(11, "list_dir", "{}"));
    let _ = stage.client(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    let _ = stage.client(&call(13, "delete_file", "{}"));
    let before = stage.book.entries.len();
    let told = stage.server_dies("it exited with status 1");
    assert_eq!(told.len(), 3);
    for (release, id, what) in [
        (&told[0], json!("p"), "\"ping\""),
        (&told[1], json!(12), "\"read_file\""),
        (&told[2], json!(11), "\"list_dir\""),
    ] {
        let (code, message) = error(release, &id);
        assert_eq!(code, -32603);
        assert!(message.contains(what) && message.contains("it exited with status 1"), "{message}");
    }
    let fates: Vec<_> = stage.book.entries[before..].iter().map(|entry| &entry.kind).collect();
    assert!(
        matches!(
            fates[..],
            [
                EntryKind::Outcome { number: 1, fate: Fate::Lost, .. },
                EntryKind::Outcome { number: 2, fate: Fate::Lost, .. }
            ]
        ),
        "{fates:?}"
    );
    assert_eq!(stage.server_dies("again"), [], "nothing is answered twice");
}

#[test]
fn a_broken_answer_ends_its_call_with_an_error() {
    for (answer, code) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#, "duplicate-key"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}"#, "not-json"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#, "result-and-error"),
    ] {
        let mut stage = Stage::new();
        let _ = stage.client(&call(1, "read_file", "{}"));
        assert_eq!(error(&stage.server(answer), &json!(1)).0, -32603);
        assert_eq!(stage.malformed(), [code]);
        let outcome = &stage.book.entries[1].kind;
        assert!(matches!(outcome, EntryKind::Outcome { number: 1, fate: Fate::Error, .. }), "{outcome:?}");
    }
}

#[test]
fn a_huge_answer_ends_its_call_with_an_error() {
    for (start, end) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"text":""#, r#""}}"#),
        (r#"{"result":{"text":""#, r#""},"jsonrpc":"2.0","id":1}"#),
    ] {
        let mut stage = Stage::new();
        let _ = stage.client(&call(1, "read_file", "{}"));
        let line = format!("{start}{}{end}\n", "a".repeat(40 << 20));
        let mut splitter = mcp::Splitter::new(mcp::frame::MAX_MESSAGE_BYTES);
        line.as_bytes().chunks(65_536).for_each(|chunk| splitter.feed(chunk));
        let release = stage.server_line(splitter.next_line().expect("the line is over"));
        let (code, message) = error(&release, &json!(1));
        assert_eq!(code, -32603);
        assert!(message.contains("up to 33554432 are taken"), "{message}");
        assert_eq!(stage.malformed(), ["oversize"]);
        assert!(matches!(stage.book.entries[1].kind, EntryKind::Outcome { fate: Fate::Error, .. }));
    }
}
