//! Resources, prompts and their completion: the same policy as for tools.

use crate::stage::{POLICY, Stage, error, heard, modern, parsed, result, rules, to_client, to_server};
use gate::{EntryKind, Fate, Release};
use policy::Outcome;
use serde_json::{Value, json};

fn ask(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The outcome, rule and arguments of the last call on record.
#[track_caller]
fn recorded(stage: &Stage) -> (Outcome, String, Value) {
    let EntryKind::Call { outcome, rule, arguments, .. } = &stage.last().kind else {
        panic!("{:?}", stage.last())
    };
    assert_eq!(stage.last().tool, None, "only a tool is recorded as one");
    (*outcome, rule.clone(), parsed(arguments.as_deref()))
}

#[test]
fn a_resource_is_read_and_subscribed_by_its_uri() {
    for method in ["resources/read", "resources/subscribe"] {
        let mut stage = Stage::new();
        let allowed = ask(1, method, r#"{"uri":"file:\/\/\/work/a.txt","_meta":{"progressToken":1}}"#);
        assert_eq!(stage.client(&allowed), to_server(&allowed));
        let uri = json!({"uri": "file:///work/a.txt"});
        assert_eq!(recorded(&stage), (Outcome::Allowed, "work-files".to_owned(), uri));
        assert_eq!(stage.server(&result(1, "{}")), to_client(&result(1, "{}")));
        assert!(matches!(stage.last().kind, EntryKind::Outcome { number: 1, fate: Fate::Ok, .. }));

        let (code, message) =
            error(&stage.client(&ask(2, method, r#"{"uri":"file:///work/secret/key"}"#)), &json!(2));
        assert_eq!(code, -32003);
        assert_eq!(
            message,
            "Portreeve refused the resource \"file:///work/secret/key\" on the server \"files\" by the rule \
             \"no-secrets\": Secrets are for people. Ask it@acme.example if you need it."
        );
        assert_eq!(recorded(&stage).0, Outcome::Refused);
        let (_, message) =
            error(&stage.client(&ask(3, method, r#"{"uri":"file:///etc/passwd"}"#)), &json!(3));
        assert!(message.contains("\"file:///etc/passwd\""), "{message}");
        assert_eq!(recorded(&stage).1, "default");
    }
}

#[test]
fn a_prompt_is_judged_by_its_name_and_arguments() {
    let mut stage = Stage::new();
    let review = ask(1, "prompts/get", r#"{"name":"review_code","arguments":{"lang":"rust"}}"#);
    assert_eq!(stage.client(&review), to_server(&review));
    let asked = json!({"name": "review_code", "arguments": {"lang": "rust"}});
    assert_eq!(recorded(&stage), (Outcome::Allowed, "reviews".to_owned(), asked));

    let kind = ask(2, "prompts/get", r#"{"name":"greet","arguments":{"tone":"kind"}}"#);
    assert_eq!(stage.client(&kind), to_server(&kind));
    let (_, message) = error(
        &stage.client(&ask(3, "prompts/get", r#"{"name":"greet","arguments":{"tone":"rude"}}"#)),
        &json!(3),
    );
    assert!(message.contains("It needs: `context.args.tone == \"kind\"`"), "{message}");
    let (_, message) = error(&stage.client(&ask(4, "prompts/get", r#"{"name":"deploy"}"#)), &json!(4));
    assert!(message.starts_with("Portreeve refused the prompt \"deploy\""), "{message}");
}

#[test]
fn what_is_never_the_members_is_unknown_where_policy_hides() {
    let hide = POLICY.replace("[defaults]", "[defaults]\nhide = true");
    let mut stage = Stage::under(rules(&hide, 7));
    let secret = r#"{"uri":"file:///etc/passwd"}"#;
    assert_eq!(
        error(&stage.client(&ask(1, "resources/read", secret)), &json!(1)),
        (-32002, "Resource not found: file:///etc/passwd".to_owned())
    );
    let newer = modern("2", "resources/read", r#""uri":"file:///etc/passwd""#);
    assert_eq!(error(&stage.client(&newer), &json!(2)).0, -32602);
    assert_eq!(
        error(&stage.client(&ask(3, "prompts/get", r#"{"name":"deploy"}"#)), &json!(3)),
        (-32602, "Unknown prompt: deploy".to_owned())
    );
}

#[test]
fn completion_tells_of_nothing_that_may_not_be_used() {
    let completing = |id, reference: &str| {
        ask(
            id,
            "completion/complete",
            &format!(r#"{{"ref":{reference},"argument":{{"name":"a","value":"v"}}}}"#),
        )
    };
    for (reference, rule) in [
        (r#"{"type":"ref/prompt","name":"review_code"}"#, "reviews"),
        (r#"{"type":"ref/prompt","name":"greet"}"#, "default"),
        (r#"{"type":"ref/resource","uri":"file:///work/a"}"#, "work-files"),
        (r#"{"type":"ref/resource","uri":"file:///work/{name}"}"#, "work-files"),
        (r#"{"type":"ref/resource","uri":"file:///{+path}"}"#, "default"),
    ] {
        let mut stage = Stage::new();
        let text = completing(1, reference);
        assert_eq!(stage.client(&text), to_server(&text));
        let (outcome, recorded, _) = recorded(&stage);
        assert_eq!((outcome, recorded.as_str()), (Outcome::Allowed, rule), "{reference}");
    }
    for reference in [
        r#"{"type":"ref/prompt","name":"deploy"}"#,
        r#"{"type":"ref/resource","uri":"file:///etc/{name}"}"#,
        r#"{"type":"ref/resource","uri":"file:///work/secret/a"}"#,
        // Some servers do not look at the type.
        r#"{"type":"ref/other","name":"deploy"}"#,
        r#"{"type":"ref/prompt","name":"review_code","uri":"file:///etc/passwd"}"#,
    ] {
        let mut stage = Stage::new();
        assert_eq!(error(&stage.client(&completing(1, reference)), &json!(1)).0, -32003, "{reference}");
        assert_eq!(recorded(&stage).0, Outcome::Refused);
    }
}

const LISTS: [(&str, &str, &str); 3] = [
    (
        "prompts/list",
        r#"{"nextCursor":"\u0061","prompts":[{"name":"deploy"},{"name":"greet"},{"name":"review_x","n":1.0}]}"#,
        r#"{"nextCursor":"\u0061","prompts":[{"name":"greet"},{"name":"review_x","n":1.0}]}"#,
    ),
    (
        "resources/list",
        r#"{"resources":[{"uri":"file:///work/a","name":"a"},{"uri":"file:///work/secret/b","name":"b"}],"nextCursor":""}"#,
        r#"{"resources":[{"uri":"file:///work/a","name":"a"}],"nextCursor":""}"#,
    ),
    (
        "resources/templates/list",
        r#"{"resourceTemplates":[{"uriTemplate":"file:///{+path}"},{"uriTemplate":"file:///work/{name}"},{"uriTemplate":"db://{table}"}]}"#,
        r#"{"resourceTemplates":[{"uriTemplate":"file:///{+path}"},{"uriTemplate":"file:///work/{name}"}]}"#,
    ),
];

#[test]
fn every_list_is_filtered_and_keeps_its_cursor() {
    for (method, listed, shown) in LISTS {
        let mut stage = Stage::new();
        let text = ask(1, method, "{}");
        assert_eq!(stage.client(&text), to_server(&text));
        assert_eq!(stage.server(&result(1, listed)), to_client(&result(1, shown)), "{method}");
        assert_eq!(stage.listed().1, 1);
        assert!(stage.book.entries.iter().all(|entry| entry.method == method));

        let mut stage = Stage::under(rules(&POLICY.replace("\"enforce\"", "\"monitor\""), 7));
        let _ = stage.client(&text);
        assert_eq!(stage.server(&result(1, listed)), to_client(&result(1, listed)), "{method}");
    }
}

#[test]
fn a_list_of_anything_that_cannot_be_checked_is_not_shown() {
    for (method, member, noun) in [
        ("prompts/list", "prompts", "prompts"),
        ("resources/list", "resources", "resources"),
        ("resources/templates/list", "resourceTemplates", "resource templates"),
    ] {
        for list in [format!(r#"{{"{member}":7}}"#), "{}".to_owned(), "[]".to_owned()] {
            let mut stage = Stage::new();
            let _ = stage.client(&ask(1, method, "{}"));
            let (code, message) = error(&stage.server(&result(1, &list)), &json!(1));
            assert_eq!(code, -32603);
            assert!(message.contains(&format!("list of {noun} cannot")), "{message}");
        }
    }
}

#[test]
fn a_change_of_policy_is_told_for_each_kind_of_list_that_looks_different() {
    let mut stage = Stage::new();
    for (id, (method, listed, _)) in (1..).zip(LISTS) {
        let _ = stage.client(&ask(id, method, "{}"));
        let _ = stage.server(&result(id, listed));
    }
    let deploy = POLICY.replace(r#"["review_*"]"#, r#"["review_*", "deploy"]"#);
    let changed = |feature: &str| {
        to_client(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/{feature}/list_changed"}}"#))
    };
    assert_eq!(stage.policy_changes_to(rules(&deploy, 8)), [changed("prompts")]);
    let both = POLICY.replace(r#"["file:///work/secret/*"]"#, r#"["file:///other/*"]"#);
    assert_eq!(stage.policy_changes_to(rules(&both, 9)), [changed("prompts"), changed("resources")]);
    assert_eq!(stage.policy_changes_to(rules(&both, 10)), []);
    let templates = both.replace(r#"["file:///work/*"]"#, r#"["file:///work/*", "db://users"]"#);
    assert_eq!(stage.policy_changes_to(rules(&templates, 11)), [changed("resources")]);
}

#[test]
fn in_2026_each_change_is_told_where_it_was_asked_for() {
    let mut stage = Stage::new();
    for (id, filter) in
        [("1", "promptsListChanged"), ("2", "resourcesListChanged"), ("3", "toolsListChanged")]
    {
        let listen = modern(id, "subscriptions/listen", &format!(r#""notifications":{{"{filter}":true}}"#));
        assert_eq!(stage.client(&listen), to_server(&listen));
    }
    let _ = stage.client(&modern("4", "prompts/list", ""));
    let _ = stage.server(&result(4, LISTS[0].1));
    let told = stage.policy_changes_to(rules(&POLICY.replace("review_*", "other"), 8));
    assert_eq!(told.len(), 1);
    let told = heard(&told[0]);
    assert_eq!(told["method"], "notifications/prompts/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}

#[test]
fn refused_resources_are_taken_out_of_a_subscription_and_recorded() {
    let listen = |uris: &str| {
        modern(
            "1",
            "subscriptions/listen",
            &format!(r#""notifications":{{"resourceSubscriptions":{uris},"toolsListChanged":true}}"#),
        )
    };
    let mut stage = Stage::new();
    let uris = r#"["file:///work/a", "file:///etc/passwd","file:///work/\u0062"]"#;
    let left = r#"["file:///work/a","file:///work/\u0062"]"#;
    assert_eq!(stage.client(&listen(uris)), to_server(&listen(left)));
    let decided: Vec<_> = stage
        .book
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Call { outcome, arguments, .. } => {
                Some((*outcome, parsed(arguments.as_deref())["uri"].as_str()?.to_owned()))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (Outcome::Refused, "file:///etc/passwd".to_owned()),
        (Outcome::Allowed, "file:///work/a".to_owned()),
        (Outcome::Allowed, "file:///work/b".to_owned()),
    ];
    assert_eq!(decided, expected);

    let mut stage = Stage::new();
    let all_well = listen(r#"[ "file:///work/a" ]"#);
    assert_eq!(stage.client(&all_well), to_server(&all_well), "nothing moves where nothing is refused");

    let mut stage = Stage::new();
    stage.book.full = Some("full");
    assert_eq!(error(&stage.client(&all_well), &json!(1)).0, 40300, "no record, no release");
}

#[test]
fn changes_of_a_resource_that_policy_took_away_are_not_told() {
    let updated = |uri: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}"}}}}"#
        )
    };
    let mut stage = Stage::new();
    let work = updated("file:///work/a");
    assert_eq!(stage.server(&work), to_client(&work));
    assert_eq!(stage.server(&updated("file:///work/secret/key")), Release::Nothing);
    assert_eq!(stage.malformed(), ["resource-refused"]);
    let _ = stage.policy_changes_to(rules(&POLICY.replace("file:///work/*", "file:///play/*"), 8));
    assert_eq!(stage.server(&work), Release::Nothing);
}

#[test]
fn secrets_in_an_address_stay_out_of_record_and_sentence() {
    let mut stage = Stage::new();
    let release = stage.client(&ask(1, "resources/read", r#"{"uri":"postgres://u:hunter2@h/t"}"#));
    let (_, message) = error(&release, &json!(1));
    assert!(!message.contains("hunter2"), "{message}");
    let Release::ToClient(bytes) = release else { panic!() };
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    assert!(!format!("{:?}", stage.book.entries).contains("hunter2"), "{:?}", stage.book.entries);
}
