//! From a device's findings to a person, over a restart if need be.

use crate::ingest::{Log, send};
use crate::organisation::{Organisation, eventually};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use uuid::Uuid;

fn finding(healed: bool, since_ms: i64) -> Value {
    json!({
        "code": "entry-unwrapped", "severity": "warning", "subject": "claude-code/user/github",
        "detail": "The entry github was put back by hand.", "healed": healed, "since_ms": since_ms,
    })
}

#[tokio::test]
async fn finding_opens_one_alert_and_its_absence_resolves_it() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    for _ in 0..3 {
        organisation.report(&device, json!([finding(false, 5)])).await;
    }
    let alerts = organisation.alerts("entry-unwrapped").await;
    assert_eq!((alerts.len(), &alerts[0]["state"]), (1, &json!("open")));
    let id = alerts[0]["id"].as_str().unwrap();
    organisation.post(&format!("/v1/admin/alerts/{id}/acknowledge"), json!({})).await.expect(204);
    let again = organisation.post(&format!("/v1/admin/alerts/{id}/acknowledge"), json!({})).await.expect(409);
    assert_eq!(again.code(), "alert-acknowledged");
    assert!(again.text.contains("is already acknowledged by admin"), "{}", again.text);
    organisation.report(&device, json!([finding(false, 5)])).await;
    assert_eq!(organisation.alerts("entry-unwrapped").await[0]["state"], "acknowledged");
    organisation.report(&device, json!([])).await;
    assert_eq!(organisation.alerts("entry-unwrapped").await[0]["state"], "resolved");
    organisation.report(&device, json!([finding(false, 9)])).await;
    assert_eq!(organisation.alerts("entry-unwrapped").await.len(), 2, "it happened again");
}

#[tokio::test]
async fn healed_finding_is_one_event_however_often_it_is_reported() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    for _ in 0..3 {
        organisation.report(&device, json!([finding(true, 5)])).await;
    }
    let alerts = organisation.alerts("entry-unwrapped").await;
    assert_eq!(
        (alerts.len(), &alerts[0]["state"], &alerts[0]["healed"]),
        (1, &json!("resolved"), &json!(true))
    );
    organisation.report(&device, json!([finding(true, 6)])).await;
    assert_eq!(organisation.alerts("entry-unwrapped").await.len(), 2);

    organisation.report(&device, json!([finding(false, 7)])).await;
    organisation.report(&device, json!([finding(true, 7)])).await;
    let alerts = organisation.alerts("entry-unwrapped").await;
    assert_eq!(alerts.len(), 3, "seen open first, then healed: one matter");
    assert!(alerts.iter().all(|alert| alert["state"] == "resolved"));
}

#[tokio::test]
async fn refused_policy_is_an_alert_even_where_the_agent_lists_no_finding() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let report = json!({
        "machine": crate::organisation::machine(), "policy_version": 1, "spool_depth": 0,
        "policy_refused": {"code": "forged", "detail": "A signature does not hold."},
        "coverage": {"servers": []}, "findings": [],
    });
    organisation.by_device(&device, axum::http::Method::POST, "/v1/agent/report", report).await.expect(200);
    assert_eq!(organisation.alerts("policy-refused").await[0]["severity"], "critical");
    organisation.report(&device, json!([])).await;
    assert_eq!(organisation.alerts("policy-refused").await[0]["state"], "resolved");
}

fn many(codes: usize, subjects: usize, round: usize, healed: bool) -> Value {
    let one = |n: usize| {
        json!({
            "code": format!("code-{}", n % codes), "severity": "warning", "subject": format!("{round}/{n}"),
            "detail": "A sentence.", "healed": healed, "since_ms": round * 100_000 + n,
        })
    };
    (0..codes.max(subjects)).map(one).collect()
}

#[tokio::test]
async fn attack_one_device_floods_the_alerts_to_hide_one_among_them() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let all = async || organisation.get("/v1/admin/alerts?limit=1000").await.as_array().unwrap().len();
    organisation.report(&device, many(1, 20_000, 0, false)).await;
    assert_eq!(all().await, 21, "twenty, and one for the others");
    let others = organisation.alerts("code-0").await;
    let others = others.iter().find(|alert| alert["subject"] == "and others").unwrap();
    assert!(others["detail"].as_str().unwrap().contains("19980 more"), "{others}");
    // Other subjects, codes and events in each report, over and over.
    for round in 1..4 {
        organisation.report(&device, many(1, 200, round, false)).await;
        organisation.report(&device, many(200, 200, round, false)).await;
        organisation.report(&device, many(50, 1_000, round, true)).await;
    }
    let after = all().await;
    assert!(after < 320, "{after}");
    let everything = organisation.get("/v1/admin/alerts?limit=1000").await;
    let mut everything = everything.as_array().unwrap().iter();
    assert!(everything.any(|alert| alert["code"] == "findings-flooded"));
    // What the server finds out itself is told all the same.
    let other = organisation.device("ada@acme.example").await;
    assert_ne!(other, device);
    assert_eq!(organisation.alerts("second-device").await.len(), 1);
}

/// A receiver that fails as often as it is told to.
struct Receiver {
    url: String,
    failures: Arc<Mutex<usize>>,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start(failures: usize) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(failures));
        let (inside, failures) = (taken.clone(), left.clone());
        let take = post(async move |headers: HeaderMap, body: String| {
            let mut left = left.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let signature = headers["Portreeve-Signature"].to_str().unwrap().to_owned();
            assert!(signature_holds("whsec", &signature, &body), "{signature}");
            inside.lock().unwrap().push((signature, serde_json::from_str(&body).unwrap()));
            StatusCode::OK
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/alerts", take)).await.unwrap() },
        );
        Self { url, failures, taken }
    }

    fn mend(&self) {
        *self.failures.lock().unwrap() = 0;
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

/// As a receiver checks it, from the documentation alone.
fn signature_holds(secret: &str, header: &str, body: &str) -> bool {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, verify};
    let (time, tag) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let tag: Vec<u8> =
        (0..tag.len()).step_by(2).map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap()).collect();
    verify(&Key::new(HMAC_SHA256, secret.as_bytes()), format!("{time}.{body}").as_bytes(), &tag).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_reaches_the_webhook_signed_and_its_end_after_it() {
    let receiver = Receiver::start(1).await;
    let mut organisation = Organisation::found().await;
    let webhook = json!({"url": receiver.url, "secret": "whsec"});
    organisation.post("/v1/admin/webhooks", webhook.clone()).await.expect(201);
    assert_eq!(organisation.post("/v1/admin/webhooks", webhook).await.expect(409).code(), "webhook-known");
    organisation.run();
    let device = organisation.device("ada@acme.example").await;
    organisation.report(&device, json!([finding(false, 5)])).await;
    organisation.report(&device, json!([])).await;
    eventually("two deliveries", Duration::from_secs(15), async || {
        (receiver.taken().len() == 2).then_some(())
    })
    .await;
    let taken = receiver.taken();
    assert_eq!((&taken[0]["state"], &taken[1]["state"]), (&json!("open"), &json!("resolved")), "in order");
    assert_eq!(taken[0]["id"], taken[1]["id"]);
    assert_eq!(
        (&taken[0]["code"], &taken[0]["member"]),
        (&json!("entry-unwrapped"), &json!("ada@acme.example"))
    );
    assert_eq!(organisation.get("/v1/admin/webhooks").await[0]["pending"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_raised_while_nobody_delivers_is_delivered_after_a_restart() {
    let receiver = Receiver::start(0).await;
    let organisation = Organisation::found().await;
    organisation
        .post("/v1/admin/webhooks", json!({"url": receiver.url, "secret": "whsec"}))
        .await
        .expect(201);
    let device = organisation.device("ada@acme.example").await;
    organisation.report(&device, json!([finding(false, 5)])).await;
    let Organisation { folder, app, server, .. } = organisation;
    app.store.close().await;
    drop((app, server));
    assert_eq!(receiver.taken().len(), 0, "the tasks never ran");

    let mut organisation = Organisation::start_in(folder, |_| {}).await;
    organisation.run();
    eventually("the delivery", Duration::from_secs(15), async || (receiver.taken().len() == 1).then_some(()))
        .await;
}

#[tokio::test]
async fn address_that_is_no_web_address_is_no_webhook() {
    let organisation = Organisation::found().await;
    for url in ["", "alerts", "file:///etc/passwd", "ftp://example.com/", "https://"] {
        let reply = organisation.post("/v1/admin/webhooks", json!({"url": url})).await.expect(422);
        assert_eq!(reply.code(), "webhook-malformed", "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_that_takes_nothing_is_an_alert_until_it_takes_one() {
    use policy_server::alerts::FAILING_AFTER;
    let receiver = Receiver::start(usize::MAX).await;
    let organisation = Organisation::found().await;
    let webhook = json!({"url": receiver.url, "secret": "whsec"});
    organisation.post("/v1/admin/webhooks", webhook).await.expect(201);
    let device = organisation.device("ada@acme.example").await;
    organisation.report(&device, json!([finding(false, 5)])).await;
    let store = &organisation.app.store;
    let waiting = async || organisation.get("/v1/admin/webhooks").await[0].clone();
    let first = store.due_deliveries().await.unwrap()[0].n;
    for _ in 1..FAILING_AFTER {
        store.not_delivered(first, "answered 503", Some(0)).await.unwrap();
    }
    assert_eq!(waiting().await["failures"], FAILING_AFTER - 1);
    let mut organisation = organisation;
    organisation.run();
    eventually("an alert about the webhook", Duration::from_secs(15), async || {
        (organisation.alerts("webhook-failing").await.len() == 1).then_some(())
    })
    .await;
    let webhook = organisation.get("/v1/admin/webhooks").await[0].clone();
    assert!(webhook["failures"].as_i64().unwrap() >= FAILING_AFTER, "{webhook}");
    assert!(webhook["failing_since_ms"].is_i64(), "{webhook}");
    assert!(webhook["last_error"].as_str().unwrap().starts_with("answered 503"), "{webhook}");

    receiver.mend();
    let store = &organisation.app.store;
    store.not_delivered(first, "answered 503", Some(0)).await.unwrap();
    organisation.app.courier.notify_one();
    eventually("the end of that alert", Duration::from_secs(15), async || {
        (organisation.alerts("webhook-failing").await[0]["state"] == "resolved").then_some(())
    })
    .await;
    assert_eq!(organisation.get("/v1/admin/webhooks").await[0]["failures"], 0);
}

#[tokio::test]
async fn dead_webhook_keeps_no_more_than_the_latest_deliveries_and_none_that_are_old() {
    use policy_server::store::alerts::{MOST_WAITING, NewAlert};
    let organisation = Organisation::found().await;
    for port in [1, 2] {
        let webhook = json!({"url": format!("http://127.0.0.1:{port}/"), "secret": "whsec"});
        organisation.post("/v1/admin/webhooks", webhook).await.expect(201);
    }
    let store = &organisation.app.store;
    // Each of another device: one that is told of too often has one alert for all.
    for n in 0..MOST_WAITING / 2 + 5 {
        let device = format!("d-{n}");
        let alert = NewAlert {
            code: "device-dark",
            severity: contract::report::Severity::Warning,
            device: &device,
            member: "ada@acme.example",
            subject: "d",
            detail: "It is silent.",
            since_ms: 1,
        };
        store.raise_alert(&alert).await.unwrap();
        store.resolve_alert(&device, "device-dark", "d").await.unwrap();
    }
    let webhooks = organisation.get("/v1/admin/webhooks").await;
    for webhook in webhooks.as_array().unwrap() {
        assert_eq!((&webhook["pending"], &webhook["abandoned"]), (&json!(MOST_WAITING), &json!(10)));
    }
    assert_eq!(store.abandon_deliveries(0).await.unwrap(), 0, "none is that old");
    let tomorrow = policy_server::clock::now_ms() + 86_400_000;
    assert_eq!(store.abandon_deliveries(tomorrow).await.unwrap(), 2 * MOST_WAITING.unsigned_abs());
}

#[tokio::test]
async fn somebody_who_tries_a_door_is_one_alert_for_each_kind() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    for (code, message) in [
        ("door-origin", "a web page of another origin (https://evil.example\u{1b}[31m)"),
        ("door-origin", "9 more within 60 s"),
        ("door-credential", "a credential was shown that is nobody's"),
        ("door-no-credential", "a credential is needed here"),
        ("door-session", "this session is not known here"),
        ("door-full", "as many conversations are open as this door holds"),
        ("duplicate-key", "a key is there twice"),
    ] {
        let line = json!({
            "id": Uuid::now_v7(), "time_ms": 1_700_000_000_000_u64, "run": Uuid::from_u128(7),
            "seq": log.lines.len() + 1, "member": "ada@acme.example", "device": log.device, "os_user": "ada",
            "server": {"identity": "http://127.0.0.1:4711/"}, "kind": "malformed", "code": code,
            "message": message, "from_client": true,
        });
        log.push_line(line.to_string());
    }
    send(&organisation, &log, log.batch(1, log.lines.len())).await.expect(200);
    let alerts = organisation.alerts("door-tried").await;
    let mut subjects: Vec<_> = alerts.iter().map(|alert| alert["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["door-credential", "door-origin"], "the others have everyday reasons");
    for alert in &alerts {
        let detail = alert["detail"].as_str().unwrap();
        assert!(detail.contains("http://127.0.0.1:4711/") && !detail.contains('\u{1b}'), "{detail}");
        assert_eq!((&alert["severity"], &alert["state"]), (&json!("warning"), &json!("open")));
    }
    organisation.report(&log.device, json!([])).await;
    assert_eq!(organisation.alerts("door-tried").await[0]["state"], "open", "a report does not take it back");
}
