//! A filter or a base that names nothing is an error, not an empty answer.

use crate::organisation::Organisation;
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn filter_that_no_record_or_alert_can_fit_is_refused_with_those_that_can() {
    let organisation = Organisation::found().await;
    for (path, listed) in [
        ("/v1/admin/records?decision=would-refused", "allowed, refused, would-refuse"),
        ("/v1/admin/records?kind=bogus", "started, stopped, call, outcome, listed, malformed"),
        ("/v1/admin/records/export?kind=calls", "started, stopped, call"),
        ("/v1/admin/alerts?state=opne", "acknowledged"),
    ] {
        let reply = organisation.admin(Method::GET, path, Value::Null).await.expect(400);
        assert_eq!(reply.code(), "request-malformed", "{path}");
        assert!(reply.text.contains(listed), "{path}: {}", reply.text);
    }
    for path in ["/v1/admin/records?decision=refused&kind=call", "/v1/admin/alerts?state=open"] {
        organisation.admin(Method::GET, path, Value::Null).await.expect(200);
    }
}

#[tokio::test]
async fn publishing_says_what_is_wrong_with_the_base_the_note_or_that_nothing_changed() {
    let organisation = Organisation::found().await;
    let current = organisation.get("/v1/admin/policy").await;
    let text = current["text"].as_str().unwrap().to_owned();
    let changed = format!("{text}\n# changed\n");
    let unborn = organisation.publish(&changed, 7).await.expect(409);
    assert_eq!((unborn.code().as_str(), &unborn.json()["current"]), ("policy-base-unknown", &json!(1)));
    assert!(unborn.text.contains("there is no version 7"), "{}", unborn.text);
    let same = organisation.publish(&text, 1).await.expect(200).json();
    assert_eq!((&same["version"], &same["changed"]), (&json!(1), &json!(false)));
    let published = organisation.publish(&changed, 1).await.expect(200).json();
    assert_eq!((&published["version"], &published["changed"]), (&json!(2), &json!(true)));
    assert_eq!(organisation.publish(&text, 1).await.expect(409).code(), "policy-changed-meanwhile");
    let silent = json!({"text": text, "note": " ", "base": 2});
    let reply = organisation.post("/v1/admin/policy/publish", silent).await.expect(422);
    assert_eq!(reply.code(), "note-missing");
}

#[tokio::test]
async fn advice_is_given_and_keeps_nothing_from_being_published() {
    let organisation = Organisation::found().await;
    let text = r#"
[servers.files]
match = ["npm:@modelcontextprotocol/server-filesystem"]
[roles.all]
members = ["*@acme.example"]
[[grants]]
name = "read"
roles = ["all"]
servers = ["files"]
tools = ["read_file"]
when = 'context.args.path like "/srv/reports/*"'
"#;
    let checked =
        organisation.post("/v1/admin/policy/validate", json!({"text": text})).await.expect(200).json();
    assert_eq!(checked["problems"], json!([]));
    assert!(checked["advice"][0]["message"].as_str().unwrap().contains("../"), "{checked}");
    let published = organisation.publish(text, 1).await.expect(200).json();
    assert_eq!((&published["version"], &published["advice"]), (&json!(2), &checked["advice"]));
}
