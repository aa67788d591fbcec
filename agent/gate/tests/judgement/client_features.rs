//! What a server asks of the client: in requests of its own, and inside its answers.

use crate::stage::{POLICY, Stage, call, error, heard, modern, parsed, result, rules, to_client, to_server};
use gate::{EntryKind, Fate, Release};
use policy::Outcome;
use serde_json::{Value, json};

const SAMPLING: &str =
    r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"messages":[],"_meta":{}}}"#;

fn elicit(id: u64, mode: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{{{mode}"message":"m","requestedSchema":{{}}}}}}"#
    )
}

/// The error that the server was answered with.
#[track_caller]
fn told_server(release: &Release) -> Value {
    let Release::ToServer(bytes) = release else { panic!("{release:?}") };
    serde_json::from_slice(bytes).expect("what the server hears is JSON")
}

#[test]
fn what_policy_lets_a_server_ask_reaches_the_client_and_is_on_record_until_it_is_answered() {
    let mut stage = Stage::new();
    for (id, asked, method, rule) in [
        (1, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#.to_owned(), "roots/list", "knowing-folders"),
        (2, elicit(2, ""), "elicitation/create", "forms"),
        (3, elicit(3, r#""mode":"form","#), "elicitation/create", "forms"),
    ] {
        assert_eq!(stage.server(&asked), to_client(&asked));
        let EntryKind::Call { outcome, rule: by, .. } = &stage.last().kind else { panic!() };
        assert_eq!((*outcome, by.as_str(), stage.last().method.as_str()), (Outcome::Allowed, rule, method));
        let answer = result(id, r#"{"action":"accept"}"#);
        assert_eq!(stage.client(&answer), to_server(&answer));
        assert!(matches!(stage.last().kind, EntryKind::Outcome { fate: Fate::Ok, .. }));
        assert_eq!(stage.client(&answer), Release::Nothing, "answered already");
        assert_eq!(stage.malformed().len(), usize::try_from(id).unwrap());
    }
}

#[test]
fn what_policy_does_not_let_a_server_ask_is_answered_with_an_error_and_never_seen() {
    let mut stage = Stage::new();
    let answer = told_server(&stage.server(SAMPLING));
    assert_eq!(answer["id"], "s");
    assert_eq!(answer["error"]["code"], -32003);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("\"sampling\"") && !message.contains("alice"), "{message}");
    let EntryKind::Call { outcome, arguments, .. } = &stage.last().kind else { panic!() };
    assert_eq!((*outcome, parsed(arguments.as_deref())), (Outcome::Refused, json!({"messages": []})));
    assert_eq!(stage.client(&result(1, "{}")), Release::Nothing);
    let late = r#"{"jsonrpc":"2.0","id":"s","result":{"content":"sampled"}}"#;
    assert_eq!(stage.client(late), Release::Nothing, "the client was never asked");

    let url = elicit(5, r#""mode":"url","url":"https://evil.example","#);
    assert_eq!(told_server(&stage.server(&url))["id"], 5);
}

/// A client that does not mind the missing id would show the form, or sample.
#[test]
fn sampling_or_elicitation_asked_for_by_a_notification() {
    for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
        let mut stage = Stage::new();
        let told = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"message":"m"}}}}"#);
        assert_eq!(stage.server(&told), Release::Nothing, "{method}");
        assert_eq!(stage.malformed(), ["call-without-id"]);
    }
}

/// A client that does not mind case would open the address.
#[test]
fn elicitation_with_a_lookalike_of_its_mode_passes_for_a_form() {
    for key in ["Mode", "MODE", "mode\\u0000", " mode"] {
        let mut stage = Stage::new();
        let asked = elicit(5, &format!(r#""{key}":"url","url":"https://evil.example","#));
        assert_eq!(told_server(&stage.server(&asked))["id"], 5, "{key}");
        let mut stage = Stage::new();
        calling(&mut stage);
        let inside = format!(
            r#"{{"a":{{"method":"elicitation/create","params":{{"{key}":"url","url":"https://evil.example"}}}}}}"#
        );
        assert!(heard(&stage.server(&inputs(&inside))).get("error").is_some(), "{key}");
    }
}

#[test]
fn in_monitor_mode_a_server_asks_and_would_be_refused() {
    let mut stage = Stage::under(rules(&POLICY.replace("\"enforce\"", "\"monitor\""), 7));
    assert_eq!(stage.server(SAMPLING), to_client(SAMPLING));
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::WouldRefuse, .. }));
}

#[test]
fn a_request_of_the_servers_that_cannot_be_recorded_is_not_passed_on() {
    let mut stage = Stage::new();
    stage.book.full = Some("full");
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    assert_eq!(told_server(&stage.server(asked))["id"], 1);
    stage.book.full = None;
    assert_eq!(stage.client(&result(1, "{}")), Release::Nothing, "nobody can answer what was never asked");
    assert_eq!(stage.server(asked), to_client(asked), "and the id is free");
    stage.book.full = Some("full");
    let answer = told_server(&stage.client(&result(1, r#"{"roots":["file:///secret"]}"#)));
    assert_eq!(answer["id"], 1);
    assert!(answer.get("result").is_none(), "{answer}");
}

#[test]
fn a_server_ends_its_own_request_and_the_late_answer_goes_nowhere() {
    let mut stage = Stage::new();
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    assert_eq!(stage.server(asked), to_client(asked));
    let ended = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(stage.server(ended), to_client(ended));
    assert!(matches!(stage.last().kind, EntryKind::Outcome { fate: Fate::Cancelled, .. }));
    assert_eq!(stage.client(&result(1, "{}")), Release::Nothing);
    assert_eq!(stage.malformed(), [""; 0]);
}

#[test]
fn what_a_dead_server_asked_is_closed_in_the_record() {
    let mut stage = Stage::new();
    let _ = stage.server(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
    assert_eq!(stage.server_dies("gone"), [Release::Nothing]);
    assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, fate: Fate::Lost, .. }));
}

#[test]
fn other_requests_of_the_servers_pass() {
    let mut stage = Stage::new();
    for (id, method) in [(1, "ping"), (3, "tasks/get")] {
        let asked = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"taskId":"t"}}}}"#);
        assert_eq!(stage.server(&asked), to_client(&asked));
        assert_eq!(stage.client(&result(id, "{}")), to_server(&result(id, "{}")));
    }
    assert!(stage.book.entries.is_empty());
}

#[test]
fn attack_an_address_in_an_error_that_answers_nothing() {
    let mut stage = Stage::new();
    let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32042,"message":"sign in","data":{"elicitations":[{"mode":"url","url":"http://evil.example","elicitationId":"1","message":"m"}]}}}"#;
    assert_eq!(stage.server(error), Release::Nothing);
    assert_eq!(stage.malformed(), ["inputs-unasked"]);
    let plain = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
    assert_eq!(stage.server(plain), to_client(plain));
}

#[test]
fn attack_the_server_asks_by_a_method_that_policy_denies() {
    let mut stage = Stage::new();
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"vendor/wipe","params":{}}"#;
    assert!(matches!(stage.server(asked), Release::ToServer(_)), "it is told that this is not asked");
    assert!(matches!(&stage.last().kind, EntryKind::Call { rule, .. } if rule == "no-wiping"));
    let other = r#"{"jsonrpc":"2.0","id":2,"method":"sampling/createMessage2","params":{}}"#;
    assert_eq!(stage.server(other), to_client(other));
    assert!(matches!(&stage.last().kind, EntryKind::Call { rule, .. } if rule == "default-methods"));
    assert_eq!(stage.client(&result(2, "{}")), to_server(&result(2, "{}")));
    assert!(matches!(stage.last().kind, EntryKind::Outcome { .. }));
}

fn calling(stage: &mut Stage) {
    let text = modern("1", "tools/call", r#""name":"read_file","arguments":{}"#);
    assert_eq!(stage.client(&text), to_server(&text));
}

fn inputs(requests: &str) -> String {
    result(1, &format!(r#"{{"resultType":"input_required","inputRequests":{requests},"requestState":"x"}}"#))
}

#[test]
fn an_answer_that_asks_what_it_may_goes_on_as_it_came() {
    let mut stage = Stage::new();
    calling(&mut stage);
    let answer = inputs(
        r#"{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"mode":"form","message":"m"}}}"#,
    );
    assert_eq!(stage.server(&answer), to_client(&answer));
    let methods: Vec<_> = stage.book.entries.iter().map(|entry| entry.method.as_str()).collect();
    let asked = ["roots/list", "roots/list", "elicitation/create", "elicitation/create"];
    assert_eq!(methods.len(), 6);
    assert!(asked.iter().all(|method| methods.contains(method)), "{methods:?}");
}

#[test]
fn an_answer_that_asks_for_something_refused_is_withheld() {
    for requests in [
        r#"{"a":{"method":"sampling/createMessage","params":{"messages":["planted"]}}}"#,
        r#"{"ok":{"method":"roots/list"},"a":{"method":"sampling/createMessage","params":{}}}"#,
        r#"{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://evil.example"}}}"#,
        r#"{"a":{"method":"vendor/ask"}}"#,
    ] {
        let mut stage = Stage::new();
        calling(&mut stage);
        let release = stage.server(&inputs(requests));
        let (code, message) = error(&release, &json!(1));
        assert_eq!(code, 40300, "{requests}");
        assert!(message.starts_with("Portreeve withheld the answer to the tool \"read_file\""), "{message}");
        assert!(!heard(&release).to_string().contains("planted"));
        assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, fate: Fate::Error, .. }));
        assert!(
            stage
                .book
                .entries
                .iter()
                .any(|entry| { matches!(&entry.kind, EntryKind::Call { outcome: Outcome::Refused, .. }) })
        );
        assert_eq!(stage.server(&result(1, "{}")), Release::Nothing, "it is over");
    }
}

#[test]
fn inputs_that_cannot_be_read_are_withheld() {
    for requests in ["[]", "7", r#"{"a":{"method":"Roots/List"}}"#, r#"{"a":{"Method":"roots/list"}}"#] {
        let mut stage = Stage::new();
        calling(&mut stage);
        assert_eq!(error(&stage.server(&inputs(requests)), &json!(1)).0, -32603, "{requests}");
        assert_eq!(stage.malformed(), ["unreadable-inputs"]);
    }
}

#[test]
fn an_error_that_sends_the_developer_to_an_address_is_judged_as_elicitation() {
    let required = |elicitations: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32042,"message":"m","data":{{"elicitations":{elicitations}}}}}}}"#
        )
    };
    let mut stage = Stage::new();
    let _ = stage.client(&call(1, "read_file", "{}"));
    let (code, message) =
        error(&stage.server(&required(r#"[{"mode":"url","url":"https://evil.example"}]"#)), &json!(1));
    assert_eq!(code, -32003, "{message}");
    assert!(message.contains("\"elicitation\""), "{message}");

    let open = POLICY.replace(r#"when = '!(context.args has mode) || context.args.mode == "form"'"#, "");
    let mut stage = Stage::under(rules(&open, 7));
    let _ = stage.client(&call(1, "read_file", "{}"));
    let answer = required(r#"[{"mode":"url","url":"https://acme.example"}]"#);
    assert_eq!(stage.server(&answer), to_client(&answer));
}
