//! What a token for many machines can be turned to, and what a person hears of it.

use crate::organisation::Organisation;
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn attack_the_holder_of_a_shared_token_enrols_as_somebody_outside_its_pattern() {
    let organisation = Organisation::found().await;
    let wanted = json!({"members": ["*@Acme.example", "robot:*@acme.example"], "uses": 5});
    let token = organisation.token(wanted).await;
    for outsider in ["boss@evil.example", "boss@acme.example.evil", "x@acme.example@evil"] {
        let reply = organisation.enrol(&token, Some(outsider)).await.expect(403);
        assert_eq!(reply.code(), "member-not-of-token", "{outsider}");
    }
    let reply = organisation.enrol(&token, Some("Bob@ACME.example")).await.expect(200).json();
    assert_eq!(reply["member"], "bob@acme.example");
    let tokens = organisation.get("/v1/admin/enrolment-tokens").await;
    assert_eq!((&tokens[0]["used"], &tokens[0]["members"][0]), (&json!(1), &json!("*@acme.example")));
}

#[tokio::test]
async fn token_for_several_machines_says_whose_they_are_or_that_anybody_is_meant() {
    let organisation = Organisation::found().await;
    let make = async |wanted: Value| organisation.post("/v1/admin/enrolment-tokens", wanted).await;
    assert_eq!(make(json!({"uses": 2})).await.expect(422).code(), "token-for-anybody");
    for both in [
        json!({"member": "a@acme.example", "members": ["*@acme.example"]}),
        json!({"member": "a@acme.example", "any_member": true}),
        json!({"members": ["*@acme.example"], "any_member": true}),
    ] {
        assert_eq!(make(both).await.expect(422).code(), "token-for-whom");
    }
    assert_eq!(make(json!({"members": ["*"]})).await.expect(422).code(), "member-pattern-malformed");
    let open = make(json!({"uses": 2, "any_member": true})).await.expect(201).json();
    assert!(open["warnings"][0].as_str().unwrap().contains("as any member"), "{open}");
    let bound = make(json!({"uses": 2, "member": "a@acme.example"})).await.expect(201).json();
    assert_eq!(bound["warnings"], json!([]));
    assert!(bound["meaning"].as_str().unwrap().starts_with("good for 2 machines of a@acme.example until 20"));
}

#[tokio::test]
async fn second_device_of_a_member_is_heard_of_the_louder_the_less_an_admin_said() {
    let organisation = Organisation::found().await;
    organisation.device("ada@acme.example").await;
    assert_eq!(organisation.alerts("second-device").await.len(), 0);
    organisation.device("ada@acme.example").await;
    assert_eq!(organisation.alerts("second-device").await[0]["severity"], "info");
    let shared = organisation.token(json!({"members": ["*@acme.example"], "uses": 9})).await;
    let third = organisation.enrol(&shared, Some("ada@acme.example")).await.expect(200).json();
    let alerts = organisation.alerts("second-device").await;
    assert_eq!((alerts.len(), &alerts[0]["severity"]), (2, &json!("warning")));
    assert_eq!(alerts[0]["device"], third["device_id"]);
    // A report says nothing of it and so does not close it.
    organisation.report(third["device_id"].as_str().unwrap(), json!([])).await;
    assert_eq!(organisation.alerts("second-device").await[0]["state"], "open");
}

#[tokio::test]
async fn attempt_of_a_suspended_member_is_refused_and_heard_of() {
    let organisation = Organisation::found().await;
    organisation.device("ada@acme.example").await;
    let shared = organisation.token(json!({"members": ["*@acme.example"], "uses": 9})).await;
    organisation.post("/v1/admin/members/ada@acme.example/offboard", json!({})).await.expect(200);
    for _ in 0..2 {
        let reply = organisation.enrol(&shared, Some("ada@acme.example")).await.expect(403);
        assert_eq!(reply.code(), "member-suspended");
    }
    let alerts = organisation.alerts("suspended-member-enrolled-try").await;
    assert_eq!((alerts.len(), &alerts[0]["member"]), (1, &json!("ada@acme.example")));
    let made = organisation.post("/v1/admin/enrolment-tokens", json!({"member": "ada@acme.example"})).await;
    let warning = made.expect(201).json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("The access of ada@acme.example has ended"), "{warning}");
}

#[tokio::test]
async fn revoking_spends_the_token_of_one_machine_and_names_those_that_serve_others() {
    let organisation = Organisation::found().await;
    let bound = organisation.token(json!({"member": "ada@acme.example", "uses": 3})).await;
    let shared = organisation.token(json!({"members": ["*@acme.example"], "uses": 9})).await;
    organisation.token(json!({"members": ["*@other.example"], "uses": 9})).await;
    let enrolled = organisation.enrol(&bound, None).await.expect(200).json();
    let path = format!("/v1/admin/devices/{}/revoke", enrolled["device_id"].as_str().unwrap());
    let revoked = organisation.post(&path, json!({})).await.expect(200).json();
    let refused = organisation.enrol(&bound, None).await.expect(403);
    assert_eq!(refused.code(), "token-withdrawn");
    assert!(refused.json()["detail"].as_str().unwrap().contains("was withdrawn"));
    assert!(revoked["withdrawn"].is_string(), "{revoked}");
    let still = revoked["could_enrol_again"].as_array().unwrap();
    assert_eq!(still.len(), 1, "{revoked}");
    assert_eq!(still[0]["members"], json!(["*@acme.example"]));

    let back = organisation.enrol(&shared, Some("ada@acme.example")).await.expect(200).json();
    let alerts = organisation.alerts("revoked-device-enrolled-again").await;
    assert_eq!((alerts.len(), &alerts[0]["severity"]), (1, &json!("critical")));
    assert_eq!(alerts[0]["device"], back["device_id"]);
    let path = format!("/v1/admin/devices/{}/revoke", back["device_id"].as_str().unwrap());
    let again = organisation.post(&path, json!({})).await.expect(200).json();
    assert_eq!(again["withdrawn"], Value::Null, "it serves other machines");
    assert_eq!(again["could_enrol_again"][0]["id"], still[0]["id"]);
}

#[tokio::test]
async fn removed_device_leaves_the_fleet_with_its_alerts_and_its_past_is_not_forgotten() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let path = format!("/v1/admin/devices/{device}");
    let live = organisation.admin(Method::DELETE, &path, Value::Null).await.expect(409);
    assert_eq!(live.code(), "device-live");
    let finding = json!([{
        "code": "entry-direct", "severity": "warning", "subject": "x", "detail": "d", "healed": false,
        "since_ms": 1,
    }]);
    organisation.report(&device, finding).await;
    organisation.post(&format!("{path}/revoke"), json!({})).await.expect(200);
    organisation.admin(Method::DELETE, &path, Value::Null).await.expect(204);
    assert_eq!(
        organisation.admin(Method::DELETE, &path, Value::Null).await.expect(404).code(),
        "device-unknown"
    );
    assert_eq!(organisation.get("/v1/admin/devices").await, json!([]));
    assert_eq!(organisation.alerts("entry-direct").await[0]["state"], "resolved");
    let reply =
        organisation.by_device(&device, Method::GET, "/v1/agent/policy", json!(null)).await.expect(403);
    assert_eq!(reply.code(), "device-unknown");
    let deeds = organisation.get("/v1/admin/deeds").await;
    assert_eq!(
        (&deeds[0]["what"], &deeds[0]["detail"]),
        (&json!("device-removed"), &json!("ada of ada@acme.example"))
    );
    organisation.device("ada@acme.example").await;
    assert_eq!(organisation.alerts("revoked-device-enrolled-again").await.len(), 1);
}

#[tokio::test]
async fn all_open_alerts_of_a_code_are_acknowledged_at_once() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let finding = |code: &str, subject: &str| json!({"code": code, "severity": "warning", "subject": subject, "detail": "d", "healed": false, "since_ms": 1});
    let findings =
        [finding("entry-direct", "a"), finding("entry-direct", "b"), finding("entry-unwrapped", "a")];
    organisation.report(&device, json!(findings)).await;
    let all = async |asked: Value| {
        let reply = organisation.post("/v1/admin/alerts/acknowledge", asked).await.expect(200).json();
        reply["acknowledged"].as_u64().unwrap()
    };
    assert_eq!(all(json!({"code": "entry-direct"})).await, 2);
    assert_eq!(organisation.alerts("entry-unwrapped").await[0]["state"], "open");
    assert_eq!(all(json!({})).await, 1);
    assert_eq!(all(json!({})).await, 0);
    let deeds = organisation.get("/v1/admin/deeds").await;
    assert_eq!((&deeds[0]["what"], &deeds[0]["subject"]), (&json!("alerts-acknowledged"), &json!("all")));
    assert_eq!((&deeds[1]["subject"], &deeds[1]["detail"]), (&json!("entry-direct"), &json!("2 alerts")));
}
