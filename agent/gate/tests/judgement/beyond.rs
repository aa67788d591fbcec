//! What a client says beyond what a method is there for: a server may act on it, so it is on record.

use crate::stage::{POLICY, Stage, call, compile, modern, result, to_client, to_server};
use gate::{EntryKind, Release};
use policy::Standing;

/// Everything on record says it somewhere.
fn recorded(stage: &Stage) -> String {
    format!("{:?}", stage.book.entries)
}

#[test]
fn attack_a_plain_method_carries_what_no_record_shows() {
    let long = "needle-".repeat(200);
    let own = |id: &str, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0",{id}"method":"{method}","params":{params}}}"#)
    };
    let hidden = r#"{"hidden":"needle"}"#;
    let requests = [
        own(r#""id":1,"#, "ping", hidden),
        own(r#""id":1,"#, "ping", r#"{"_meta":{"hidden":"needle"}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","hidden":{"a":["needle"]}}"#.to_owned(),
        own(r#""id":1,"#, "logging/setLevel", r#"{"level":"info","hidden":"needle"}"#),
        own(r#""id":1,"#, "logging/setLevel", &format!(r#"{{"level":"{long}"}}"#)),
        own(r#""id":1,"#, "tools/list", &format!(r#"{{"cursor":"{long}"}}"#)),
        own(r#""id":1,"#, "prompts/list", hidden),
        own(r#""id":1,"#, "tasks/update", r#"{"taskId":"t","inputResponses":{"a":"needle"}}"#),
        own(r#""id":1,"#, "tasks/result", r#"{"taskId":"t","hidden":"needle"}"#),
        own(r#""id":1,"#, "completion/complete", r#"{"ref":{"type":"x"},"argument":{"value":"needle"}}"#),
        own(r#""id":1,"#, "resources/unsubscribe", r#"{"uri":"file:///work/a","hidden":"needle"}"#),
        own(
            r#""id":1,"#,
            "initialize",
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"},"hidden":"needle"}"#,
        ),
        modern("1", "server/discover", r#""hidden":"needle""#),
        modern("1", "subscriptions/listen", r#""notifications":{"toolsListChanged":true},"hidden":"needle""#),
        own(r#""id":1,"#, "tools/call", r#"{"name":"read_file","arguments":{},"hidden":"needle"}"#),
        own(r#""id":1,"#, "tools/call", r#"{"name":"read_file","_meta":{"hidden":"needle"}}"#),
        own(r#""id":1,"#, "resources/read", r#"{"uri":"file:///work/a","_meta":{"hidden":"needle"}}"#),
        own("", "notifications/initialized", hidden),
        own("", "notifications/roots/list_changed", hidden),
        own("", "notifications/progress", &format!(r#"{{"progressToken":1,"message":"{long}"}}"#)),
        own("", "notifications/cancelled", r#"{"requestId":9,"hidden":"needle"}"#),
        own("", "notifications/message", r#"{"level":"info","data":"needle"}"#),
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"needle"}}"#.to_owned(),
    ];
    for text in requests {
        let mut stage = Stage::new();
        assert_eq!(stage.client(&text), to_server(&text), "it passes all the same");
        assert!(recorded(&stage).contains("needle"), "{text}");
        stage.book.entries.clear();
        let mut stage = Stage::new();
        stage.book.full = Some("full");
        assert!(!matches!(stage.client(&text), Release::ToServer(_)), "no record, no release: {text}");
    }
}

#[test]
fn what_was_said_beyond_is_masked_and_bounded() {
    let mut stage = Stage::new();
    let filler = "x".repeat(100_000);
    let _ = stage.client(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"password":"planted-1","key":"ghp_0123456789abcdefABCDEF","filler":"{filler}"}}}}"#
    ));
    let EntryKind::Call { beyond: Some(beyond), .. } = &stage.last().kind else { panic!() };
    assert!(beyond.get().contains("password") && beyond.get().len() < 70_000);
    assert!(!beyond.get().contains("planted-1") && !beyond.get().contains("ghp_0123"), "{beyond}");
}

#[test]
fn what_clients_mostly_say_needs_no_record() {
    let mut stage = Stage::new();
    for text in [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"progressToken":2}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/list","params":{"cursor":"2"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4,"reason":"timeout"}}"#,
        &modern("5", "tools/list", ""),
    ] {
        let _ = stage.client(text);
    }
    assert!(stage.book.entries.is_empty(), "{:?}", stage.book.entries);
    let _ = stage.client(&call(6, "read_file", "{}"));
    let EntryKind::Call { beyond, .. } = &stage.last().kind else { panic!() };
    assert!(beyond.is_none(), "{beyond:?}");
}

/// The answer to what was recorded ends it.
#[test]
fn a_recorded_handshake_or_list_has_its_end_on_record() {
    for (method, answer) in [
        ("initialize", r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#),
        ("tools/list", r#"{"tools":[]}"#),
        ("ping", "{}"),
    ] {
        let mut stage = Stage::new();
        let _ = stage.client(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"hidden":"needle"}}}}"#
        ));
        assert_eq!(stage.server(&result(1, answer)), to_client(&result(1, answer)));
        assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, .. }), "{method}");
    }
}

#[test]
fn attack_a_barred_server_is_still_told_by_plain_methods_and_notifications() {
    let standing =
        Standing { suspended_members: ["alice@acme.example".to_owned()].into(), ..Standing::default() };
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"hidden":"needle"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"hidden":"needle"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"hidden":"needle"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"hidden":"needle"}}"#,
    ] {
        let mut stage = Stage::under(compile(POLICY, &standing, 7));
        assert!(!matches!(stage.client(text), Release::ToServer(_)), "{text}");
        assert!(recorded(&stage).contains("needle") && recorded(&stage).contains("Refused"), "{text}");
    }
    let mut stage = Stage::under(compile(POLICY, &standing, 7));
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(stage.client(ping), to_server(ping));
}
