//! Publishing, and what agents get of it.

use crate::organisation::Organisation;
use axum::http::{Method, header};
use contract::bundle::{Anchor, verify};
use policy_server::tls::PeerCertificate;
use serde_json::json;

const POLICY: &str = r##"
[defaults]
mode = "enforce"
contact = "#security"

[servers.files]
match = ["npm:@modelcontextprotocol/server-filesystem"]

[roles.engineering]
members = ["ada@acme.example"]

[[grants]]
name = "read-files"
roles = ["engineering"]
servers = ["files"]
tools = ["read_*"]
reason = "Reading project files is fine."

[[tests]]
member = "ada@acme.example"
server = "files"
tool = "read_file"
expect = "allow"
"##;

#[tokio::test]
async fn published_policy_reaches_a_device_and_passes_its_verification() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    organisation.publish(POLICY, 1).await.expect(200);
    let bundle =
        organisation.by_device(&device, Method::GET, "/v1/agent/policy", json!(null)).await.expect(200);
    let anchor = Anchor {
        organisation: "acme".into(),
        root: organisation.app.publisher.trust_root().as_bytes().to_vec(),
    };
    let trusted = tempfile::tempdir().unwrap();
    let verified = verify(bundle.text.as_bytes(), &anchor, trusted.path()).await.unwrap().keep().unwrap();
    assert_eq!((verified.policy_version, verified.policy_toml.as_str()), (2, POLICY));

    let etag = bundle.headers[header::ETAG].to_str().unwrap().to_owned();
    let certificate = PeerCertificate::Device { id: device.clone() };
    let again = crate::organisation::request(Method::GET, "/v1/agent/policy", json!(null), certificate)
        .header(header::IF_NONE_MATCH, etag);
    organisation.ask(again.body_of()).await.expect(304);

    organisation.post("/v1/admin/members/ada@acme.example/offboard", json!({})).await.expect(200);
    let bundle =
        organisation.by_device(&device, Method::GET, "/v1/agent/policy", json!(null)).await.expect(200);
    let verified = verify(bundle.text.as_bytes(), &anchor, trusted.path()).await.unwrap().keep().unwrap();
    assert_eq!(verified.policy_version, 3);
    assert!(verified.standing.suspended_members.contains("ada@acme.example"));
}

#[tokio::test]
async fn policy_signed_again_keeps_its_version_and_passes_for_whom_has_it_already() {
    let organisation = Organisation::found().await;
    let anchor = Anchor {
        organisation: "acme".into(),
        root: organisation.app.publisher.trust_root().as_bytes().to_vec(),
    };
    let trusted = tempfile::tempdir().unwrap();
    let before = organisation.app.publisher.signed().unwrap();
    verify(&before.bytes, &anchor, trusted.path()).await.unwrap().keep().unwrap();
    organisation.app.publisher.turn().await.sign_again(&organisation.app).await.unwrap();
    let after = organisation.app.publisher.signed().unwrap();
    assert_ne!(before.etag, after.etag);
    let verified = verify(&after.bytes, &anchor, trusted.path()).await.unwrap().keep().unwrap();
    assert_eq!(verified.policy_version, 1);
    verify(&before.bytes, &anchor, trusted.path()).await.err().expect("the older signature is a rollback");
}

#[tokio::test]
async fn two_admins_at_once_do_not_overwrite_each_other() {
    let organisation = Organisation::found().await;
    let (one, two) = tokio::join!(organisation.publish(POLICY, 1), organisation.publish(POLICY, 1));
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    assert_eq!(won.expect(200).json()["version"], 2);
    let lost = lost.expect(409);
    assert_eq!((lost.code().as_str(), &lost.json()["current"]), ("policy-changed-meanwhile", &json!(2)));
}

#[tokio::test]
async fn policy_whose_own_test_fails_is_not_published() {
    let organisation = Organisation::found().await;
    let reply = organisation
        .publish(&POLICY.replace("expect = \"allow\"", "expect = \"refuse\""), 1)
        .await
        .expect(422);
    assert_eq!(reply.code(), "policy-has-problems");
    let line = reply.json()["problems"][0]["line"].as_u64().unwrap();
    assert_eq!(POLICY.lines().nth(usize::try_from(line).unwrap() - 1), Some("[[tests]]"), "{}", reply.text);
    assert_eq!(organisation.get("/v1/admin/policy").await["version"], 1);
}

#[tokio::test]
async fn policy_with_a_slip_is_answered_with_line_and_column() {
    let organisation = Organisation::found().await;
    let text = POLICY.replace("servers = [\"files\"]", "servers = [\"flies\"]");
    let checked =
        organisation.post("/v1/admin/policy/validate", json!({"text": text})).await.expect(200).json();
    let problem = &checked["problems"][0];
    assert_eq!(
        text.lines().nth(usize::try_from(problem["line"].as_u64().unwrap()).unwrap() - 1),
        Some("servers = [\"flies\"]")
    );
    assert!(problem["column"].as_u64().unwrap() > 1);
    assert!(problem["message"].as_str().unwrap().contains("flies"));
    let huge = organisation.post("/v1/admin/policy/validate", json!({"text": "#".repeat(1_100_000)})).await;
    assert_eq!(huge.expect(200).json()["problems"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn explanation_names_rule_reason_and_contact() {
    let organisation = Organisation::found().await;
    organisation.publish(POLICY, 1).await.expect(200);
    let ask = async |server: &str, tool: &str| {
        let question = json!({"member": "ada@acme.example", "server": server, "tool": tool});
        organisation.post("/v1/admin/policy/explain", question).await.expect(200).json()
    };
    let allowed = ask("files", "read_file").await;
    assert_eq!((&allowed["outcome"], &allowed["rule"]), (&json!("allowed"), &json!("read-files")));
    let refused = ask("npm:@modelcontextprotocol/server-filesystem", "write_file").await;
    assert_eq!((&refused["outcome"], &refused["contact"]), (&json!("refused"), &json!("#security")));
}

#[tokio::test]
async fn explanation_is_given_for_every_feature_and_for_one_at_a_time() {
    let organisation = Organisation::found().await;
    organisation.publish(&POLICY.replace("tools = [\"read_*\"]", FEATURES), 1).await.expect(200);
    let ask = async |key: &str, name: &str| {
        let question = json!({"member": "ada@acme.example", "server": "files", key: name});
        let answer = organisation.post("/v1/admin/policy/explain", question).await.expect(200).json();
        answer["outcome"].as_str().unwrap().to_owned()
    };
    for (key, name, outcome) in [
        ("tool", "read_file", "allowed"),
        ("resource", "file:///notes/a", "allowed"),
        ("resource", "file:///notes/../a", "refused"),
        ("prompt", "summary", "allowed"),
        ("prompt", "read_file", "refused"),
        ("client_feature", "roots", "allowed"),
        ("client_feature", "sampling", "refused"),
        ("method", "logging/setLevel", "allowed"),
    ] {
        assert_eq!(ask(key, name).await, outcome, "{key} {name}");
    }
    let text = format!("{POLICY}\n[[redact]]\nname = \"keys\"\nservers = [\"files\"]\nsecrets = true\n");
    let question =
        json!({"member": "ada@acme.example", "server": "files", "tool": "read_file", "text": text});
    let answer = organisation.post("/v1/admin/policy/explain", question).await.expect(200).json();
    assert_eq!(answer["redactions"], json!(["keys"]));
    for unclear in [json!({}), json!({"tool": "a", "prompt": "b"})] {
        let mut question = json!({"member": "ada@acme.example", "server": "files"});
        question.as_object_mut().unwrap().extend(unclear.as_object().unwrap().clone());
        let refused = organisation.post("/v1/admin/policy/explain", question).await.expect(422).json();
        assert_eq!(
            refused["code"].as_str().or(refused["type"].as_str()).map(|it| it.contains("question-unclear")),
            Some(true),
            "{refused}"
        );
    }
}

const FEATURES: &str = r#"tools = ["read_*"]
resources = ["file:///notes/*"]
prompts = ["summary"]
client-features = ["roots"]"#;

#[tokio::test]
async fn preview_says_whose_recorded_calls_would_be_refused() {
    let organisation = Organisation::found().await;
    organisation.publish(POLICY, 1).await.expect(200);
    let device = organisation.device("ada@acme.example").await;
    let record = json!({
        "id": uuid::Uuid::now_v7(), "time_ms": 1_700_000_000_000_i64, "run": uuid::Uuid::new_v4(), "seq": 1,
        "member": "ada@acme.example", "device": device, "server": {"identity": "npm:@modelcontextprotocol/server-filesystem"},
        "kind": "call", "method": "tools/call", "tool": "read_file", "call": 1, "arguments": {},
        "decision": "allowed", "rule": "read-files", "reason": "", "policy_version": 2,
    });
    let head = contract::record::link(&[0; 32], record.to_string().as_bytes());
    let head = contract::record::to_hex(&head);
    let batch = json!({
        "epoch": uuid::Uuid::new_v4(), "first": 1, "previous": "0".repeat(64), "head": head, "records": [record],
    });
    organisation.by_device(&device, Method::POST, "/v1/agent/records", batch).await.expect(200);

    let stricter = POLICY.replace("read_*", "list_*").replace("read_file", "list_files");
    let preview =
        organisation.post("/v1/admin/policy/preview", json!({"text": stricter})).await.expect(200).json();
    assert_eq!((&preview["base"], &preview["replayed"]), (&json!(2), &json!(1)));
    let change = &preview["changes"][0];
    assert_eq!(change["member"], "ada@acme.example");
    assert_eq!((&change["feature"], &change["name"]), (&json!("tool"), &json!("read_file")));
    assert_eq!((&change["before"], &change["after"]), (&json!("allowed"), &json!("refused")));
    assert!(preview["diff"].as_array().unwrap().iter().any(|line| line["kind"] == "added"));
    assert!(!preview["sentences"].as_array().unwrap().is_empty());
    assert_eq!(organisation.get("/v1/admin/policy").await["version"], 2, "a preview publishes nothing");
}

#[tokio::test]
async fn offboarding_is_a_policy_version_and_happens_once() {
    let organisation = Organisation::found().await;
    organisation.device("ada@acme.example").await;
    let offboard = "/v1/admin/members/Ada@acme.example/offboard";
    let first = organisation.post(offboard, json!({})).await.expect(200).json();
    assert_eq!(first, json!({"policy_version": 2, "changed": true}));
    let again = organisation.post(offboard, json!({})).await.expect(200).json();
    assert_eq!(again, json!({"policy_version": 2, "changed": false}));
    let reply =
        organisation.post("/v1/admin/members/nobody@acme.example/offboard", json!({})).await.expect(404);
    assert_eq!(reply.code(), "member-unknown");
    let restored =
        organisation.post("/v1/admin/members/ada@acme.example/restore", json!({})).await.expect(200);
    assert_eq!(restored.json()["policy_version"], 3);
    let deeds = organisation.get("/v1/admin/deeds").await;
    let deeds: Vec<_> = deeds.as_array().unwrap().iter().map(|deed| deed["what"].as_str().unwrap()).collect();
    assert!(deeds.contains(&"member-offboarded") && deeds.contains(&"member-restored"), "{deeds:?}");
}

#[tokio::test]
async fn a_bundle_for_offline_machines_is_the_one_that_agents_fetch_unless_it_is_to_run_out_sooner() {
    let organisation = Organisation::found().await;
    let get = async |path: &str| organisation.admin(Method::GET, path, json!(null)).await;
    let fetched = organisation.app.publisher.signed().unwrap();
    let same = get("/v1/admin/policy/bundle").await.expect(200);
    assert_eq!(same.text.as_bytes(), &fetched.bytes[..]);

    let anchor = Anchor {
        organisation: "acme".into(),
        root: organisation.app.publisher.trust_root().as_bytes().to_vec(),
    };
    let trusted = tempfile::tempdir().unwrap();
    verify(&fetched.bytes, &anchor, trusted.path()).await.unwrap().keep().unwrap();
    let short = get("/v1/admin/policy/bundle?expires=3600").await.expect(200);
    let verified = verify(short.text.as_bytes(), &anchor, trusted.path()).await.unwrap().keep().unwrap();
    let lasts = verified.expires - time::OffsetDateTime::now_utc();
    assert!((3500..=3600).contains(&lasts.whole_seconds()), "{lasts}");
    assert_eq!(verified.policy_version, 1);

    let later = organisation.app.publisher.signed().unwrap();
    let verified = verify(&later.bytes, &anchor, trusted.path()).await.unwrap().keep().unwrap();
    assert!(verified.expires - time::OffsetDateTime::now_utc() > time::Duration::days(6), "back online");

    for wrong in ["0", "604801", "18446744073709551616", "soon", "-1"] {
        let reply = get(&format!("/v1/admin/policy/bundle?expires={wrong}")).await;
        assert!(matches!(reply.status.as_u16(), 400 | 422), "{wrong}: {}", reply.status);
    }
    let stranger = crate::organisation::request(
        Method::GET,
        "/v1/admin/policy/bundle?expires=60",
        json!(null),
        PeerCertificate::None,
    );
    organisation.ask(stranger.body_of()).await.expect(401);
}
