//! Calls: allowed, refused, refused by argument, would-be-refused, hidden.

use crate::stage::{
    POLICY, Stage, call, compile, error, heard, modern, parsed, result, rules, to_client, to_server,
};
use gate::{EntryKind, Fate, Release};
use policy::{Outcome, Ruleset, Standing};
use serde_json::json;
use std::time::Duration;

#[test]
fn an_allowed_call_goes_out_as_it_came_and_is_closed_by_its_answer() {
    let mut stage = Stage::new();
    let text = r#" {"method" : "tools/call","params":{"arguments":{"path":"/a","n":1.0},"name":"read_file","x":[ ]},"jsonrpc":"2.0","id":"a\u0031"} "#;
    assert_eq!(stage.client(text), to_server(text));
    let EntryKind::Call { number, arguments, outcome, rule, policy_version, .. } = &stage.last().kind else {
        panic!("{:?}", stage.last())
    };
    assert_eq!((*number, *outcome, rule.as_str(), *policy_version), (1, Outcome::Allowed, "reading", 7));
    assert_eq!(parsed(arguments.as_deref()), json!({"n": 1.0, "path": "/a"}));

    stage.wait(Duration::from_millis(1500));
    let answer = r#"{"result":{"content":[],"structuredContent":null},"id":"a1","jsonrpc":"2.0"}"#;
    assert_eq!(stage.server(answer), to_client(answer));
    let EntryKind::Outcome { number, fate, duration_us, bytes } = stage.last().kind else {
        panic!("{:?}", stage.last())
    };
    assert_eq!((number, fate, duration_us, bytes), (1, Fate::Ok, 1_500_000, answer.len() as u64));
    assert_eq!(stage.last().tool.as_deref(), Some("read_file"));
    assert_eq!(stage.book.entries.len(), 2);
}

#[test]
fn the_fate_of_a_call_is_what_its_answer_says() {
    let error = |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"x"}}}}"#);
    for (answer, expected) in [
        (result(1, r#"{"content":[]}"#), Fate::Ok),
        (result(1, r#"{"content":[],"isError":false}"#), Fate::Ok),
        (result(1, r#"{"content":[],"isError":true}"#), Fate::ToolError),
        (result(1, r#"{"content":[],"isErr\u006fr": true}"#), Fate::ToolError),
        (result(1, r#"{"content":[{"isError":true}]}"#), Fate::Ok),
        (result(1, r#"{"resultType":"input_required","inputRequests":{}}"#), Fate::Ok),
        (error(1), Fate::Error),
    ] {
        let mut stage = Stage::new();
        assert_eq!(stage.client(&call(1, "read_file", "{}")), to_server(&call(1, "read_file", "{}")));
        assert_eq!(stage.server(&answer), to_client(&answer));
        assert!(matches!(stage.last().kind, EntryKind::Outcome { fate, .. } if fate == expected), "{answer}");
        assert_eq!(stage.last().tool_use_id.as_deref(), Some("toolu_1"));
    }
}

#[test]
fn a_refusal_says_what_by_which_rule_why_and_whom_to_ask() {
    let mut stage = Stage::new();
    let release = stage.client(&call(4, "delete_file", r#"{"path":"/work/a"}"#));
    let (code, message) = error(&release, &json!(4));
    assert_eq!(code, -32003);
    for part in [
        "\"delete_file\"",
        "\"files\"",
        "\"no-deleting\"",
        "Deleting files is for admins.",
        "admins@acme.example",
    ] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    let data = &heard(&release)["error"]["data"]["portreeve"];
    assert_eq!(data["rule"], "no-deleting");
    assert_eq!(data["contact"], "admins@acme.example");
    assert_eq!(data["policyVersion"], 7);
    assert_eq!(data["member"], "alice@acme.example");
    let EntryKind::Call { outcome, rule, reason, .. } = &stage.last().kind else {
        panic!("{:?}", stage.last())
    };
    assert_eq!((*outcome, rule.as_str()), (Outcome::Refused, "no-deleting"));
    assert_eq!(reason, "Deleting files is for admins.");
    assert_eq!(stage.book.entries.len(), 1, "a call that never left has no outcome");
}

#[test]
fn the_code_of_a_refusal_is_the_one_of_the_requests_era() {
    let mut stage = Stage::new();
    let request = modern("\"x\"", "tools/call", r#""name":"delete_file","arguments":{}"#);
    assert_eq!(error(&stage.client(&request), &json!("x")).0, 40300);
    assert_eq!(error(&stage.client(&call(4, "delete_file", "{}")), &json!(4)).0, -32003);
    assert_eq!(stage.session.client(), Some(("claude-code", "2.1.328")));
}

#[test]
fn the_same_tool_passes_with_one_argument_and_is_refused_with_another() {
    let mut stage = Stage::new();
    let good = call(1, "write_file", r#"{"path":"/work/a.txt"}"#);
    assert_eq!(stage.client(&good), to_server(&good));
    for (id, arguments) in [(2, r#"{"path":"/etc/passwd"}"#), (3, "{}"), (4, r#"{"path":["/work/a"]}"#)] {
        assert_eq!(error(&stage.client(&call(id, "write_file", arguments)), &json!(id)).0, -32003);
    }
    let bare = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"write_file"}}"#;
    assert_eq!(error(&stage.client(bare), &json!(5)).0, -32003);
}

#[test]
fn what_monitor_mode_lets_through_is_recorded_as_would_be_refused() {
    let mut stage = Stage::under(rules(&POLICY.replace("\"enforce\"", "\"monitor\""), 7));
    let text = call(1, "delete_file", "{}");
    assert_eq!(stage.client(&text), to_server(&text));
    let EntryKind::Call { outcome, rule, .. } = &stage.last().kind else { panic!("{:?}", stage.last()) };
    assert_eq!((*outcome, rule.as_str()), (Outcome::WouldRefuse, "no-deleting"));
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
    assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, .. }));
}

#[test]
fn a_hidden_tool_is_unknown_but_an_argument_refused_is_explained() {
    let mut stage = Stage::under(rules(&POLICY.replace("[defaults]", "[defaults]\nhide = true"), 7));
    let (code, message) = error(&stage.client(&call(1, "delete_file", "{}")), &json!(1));
    assert_eq!((code, message.as_str()), (-32602, "Unknown tool: delete_file"));
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::Refused, .. }));
    let (code, message) = error(&stage.client(&call(2, "write_file", r#"{"path":"/etc"}"#)), &json!(2));
    assert_eq!(code, -32003, "{message}");
}

#[test]
fn a_plain_method_that_no_rule_speaks_of_passes_unrecorded() {
    for method in
        ["initialize", "server/discover", "ping", "logging/setLevel", "resources/unsubscribe", "tasks/list"]
    {
        let mut stage = Stage::new();
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
        assert_eq!(stage.client(&text), to_server(&text));
        assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
        assert!(stage.book.entries.is_empty(), "{method}");
    }
}

#[test]
fn a_method_that_a_rule_denies_is_refused_and_as_a_notification_dropped() {
    let mut stage = Stage::new();
    let asked =
        r#"{"jsonrpc":"2.0","id":1,"method":"vendor/wipe","params":{"token":"planted","disk":"all"}}"#;
    let (code, message) = error(&stage.client(asked), &json!(1));
    assert_eq!(code, -32003);
    assert!(message.contains("\"vendor/wipe\"") && message.contains("\"no-wiping\""), "{message}");
    let EntryKind::Call { arguments, outcome, .. } = &stage.last().kind else { panic!() };
    assert_eq!(*outcome, Outcome::Refused);
    assert_eq!(parsed(arguments.as_deref()), json!({"token": "[masked]", "disk": "all"}));

    let told = r#"{"jsonrpc":"2.0","method":"vendor/wiped","params":{}}"#;
    assert_eq!(stage.client(told), Release::Nothing);
    assert_eq!(stage.last().method, "vendor/wiped");
    assert_eq!(stage.book.entries.len(), 2);

    let mut stage = Stage::under(rules(&POLICY.replace("\"enforce\"", "\"monitor\""), 7));
    assert_eq!(stage.client(asked), to_server(asked));
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::WouldRefuse, .. }));
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
    assert!(matches!(&stage.last().kind, EntryKind::Outcome { number: 1, fate: Fate::Ok, .. }));
    assert_eq!(stage.client(told), to_server(told));
}

/// Whoever has left, a policy that is missing, and one that took the server off the member's list.
fn barred() -> [(Ruleset, &'static str); 3] {
    let mut standing = Standing::default();
    standing.suspended_members.insert("alice@acme.example".to_owned());
    let monitor = POLICY.replace("\"enforce\"", "\"monitor\"");
    let elsewhere = POLICY.replace("npm:@modelcontextprotocol/server-filesystem", "npm:other");
    [
        (compile(&monitor, &standing, 9), "member-suspended"),
        (Ruleset::lockdown("The policy is missing."), "lockdown"),
        (rules(&elsewhere, 9), "default"),
    ]
}

const WORDS_OF_THE_SERVER: [&str; 9] = [
    "tools/call",
    "initialize",
    "server/discover",
    "resources/read",
    "resources/subscribe",
    "prompts/get",
    "completion/complete",
    "tasks/result",
    "vendor/run",
];

fn request(id: usize, method: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"review_code","uri":"file:///work/a","ref":{{"name":"review_code"}}}}}}"#
    )
}

#[test]
fn a_running_server_that_policy_takes_away_says_nothing_more_to_the_model() {
    for (rules, rule) in barred() {
        let mut stage = Stage::new();
        assert_eq!(stage.client(&request(0, "resources/read")), to_server(&request(0, "resources/read")));
        let _ = stage.policy_changes_to(rules);
        for (id, method) in (1..).zip(WORDS_OF_THE_SERVER) {
            let release = stage.client(&request(id, method));
            assert_eq!(error(&release, &json!(id)).0, -32003, "{method}");
            assert_eq!(heard(&release)["error"]["data"]["portreeve"]["rule"], rule, "{method}");
            assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::Refused, .. }));
        }
        for (id, method) in (50..).zip(["ping", "tools/list", "prompts/list", "resources/list"]) {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
            assert_eq!(stage.client(&text), to_server(&text), "{method}");
        }
        let asks = r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{}}"#;
        let Release::ToServer(answer) = stage.server(asks) else { panic!("it reached the client") };
        assert!(String::from_utf8(answer.into_bytes()).unwrap().contains(r#""id":"s""#));
        let pings = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
        assert_eq!(stage.server(pings), to_client(pings));
    }
}

#[test]
fn of_a_server_that_was_not_started_even_the_handshake_is_refused_and_says_why() {
    for (rules, rule) in barred() {
        let mut stage = Stage::under(rules);
        let sentence = stage.session.bars(&stage.rules, stage.now()).expect("it is barred");
        stage.session = stage.session.without_server();
        for (id, method) in (1..).zip(WORDS_OF_THE_SERVER.into_iter().chain(["ping", "tools/list"])) {
            let release = stage.client(&request(id, method));
            assert_eq!(error(&release, &json!(id)), (-32003, sentence.clone()), "{method}");
            let EntryKind::Call { outcome, rule: recorded, .. } = &stage.last().kind else {
                panic!("{method}")
            };
            assert_eq!((*outcome, recorded.as_str()), (Outcome::Refused, rule));
            assert_eq!(stage.last().method, method);
            let tool = (method == "tools/call").then_some("review_code");
            assert_eq!(stage.last().tool.as_deref(), tool, "what was to be called is on record by its name");
        }
        assert!(sentence.contains("did not start it"), "{sentence}");
        assert_eq!(sentence.contains(&format!("by the rule {rule:?}")), rule != "default", "{sentence}");
    }
}

#[test]
fn in_monitor_mode_what_is_read_of_an_unlisted_server_would_be_refused_and_passes() {
    let elsewhere = POLICY.replace("npm:@modelcontextprotocol/server-filesystem", "npm:other");
    let mut stage = Stage::under(rules(&elsewhere.replace("\"enforce\"", "\"monitor\""), 7));
    assert_eq!(stage.session.bars(&stage.rules, stage.now()), None);
    assert_eq!(stage.client(&request(1, "initialize")), to_server(&request(1, "initialize")));
    assert_eq!(stage.client(&request(2, "resources/read")), to_server(&request(2, "resources/read")));
    assert!(matches!(&stage.last().kind, EntryKind::Call { outcome: Outcome::WouldRefuse, .. }));
}

#[test]
fn a_refusal_by_no_rule_names_the_member_and_no_rule() {
    let mut stage = Stage::new();
    let release = stage.client(&call(1, "format_disk", "{}"));
    let (_, message) = error(&release, &json!(1));
    assert_eq!(
        message,
        "Portreeve refused the tool \"format_disk\" on the server \"files\": No rule of your organisation's policy \
         lets alice@acme.example (staff) call \"format_disk\" on \"files\". Ask it@acme.example if you need it."
    );
    assert_eq!(heard(&release)["error"]["data"]["portreeve"]["rule"], "default");
}

#[test]
fn a_call_refused_for_its_arguments_is_told_what_they_need() {
    let explained =
        POLICY.replace("like \"/work/*\"'", "like \"/work/*\"'\nreason = \"Only work is for models\"");
    for (policy, why) in [
        (POLICY, "do not meet it. It needs"),
        (&explained, "do not meet it: Only work is for models. It needs"),
    ] {
        let mut stage = Stage::under(rules(policy, 7));
        let (_, message) = error(&stage.client(&call(1, "write_file", r#"{"path":"/etc"}"#)), &json!(1));
        assert_eq!(
            message,
            format!(
                "Portreeve lets you use \"write_file\" on \"files\" only under the rule \"writing-at-work\", and these arguments \
                 {why}: `context.args.path like \"/work/*\"`. Ask it@acme.example if you need it."
            )
        );
    }
}

#[test]
fn the_servers_own_requests_have_ids_of_their_own() {
    let mut stage = Stage::new();
    let from_client = call(1, "read_file", "{}");
    assert_eq!(stage.client(&from_client), to_server(&from_client));
    let asks = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    assert_eq!(stage.server(asks), to_client(asks));
    let roots = result(1, r#"{"roots":[]}"#);
    assert_eq!(stage.client(&roots), to_server(&roots));
    let answer = result(1, r#"{"content":[]}"#);
    assert_eq!(stage.server(&answer), to_client(&answer));
    assert_eq!(stage.book.entries.len(), 4, "two calls, one each way, and their ends");
}

#[test]
fn notifications_pass_both_ways_unrecorded() {
    let mut stage = Stage::new();
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
    ] {
        assert_eq!(stage.client(text), to_server(text));
        assert_eq!(stage.server(text), to_client(text));
    }
    assert!(stage.book.entries.is_empty());
}

#[test]
fn attack_a_method_of_its_own_carries_what_no_record_shows() {
    let mut stage = Stage::new();
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"made/up","params":{"hidden":"needle"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"hidden":"needle"}}"#,
    ] {
        assert_eq!(stage.client(text), to_server(text));
        let EntryKind::Call { arguments, rule, .. } = &stage.last().kind else {
            panic!("a call is on record")
        };
        assert_eq!(rule, "default-methods");
        assert!(arguments.as_ref().is_some_and(|it| it.get().contains("needle")), "{text}");
    }
    assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
    assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, .. }));
}
