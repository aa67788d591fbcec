//! Silence is noticed, and its end, too.

use crate::organisation::{Organisation, eventually};
use axum::http::Method;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn silent_device_is_dark_in_time_and_its_return_resolves_the_alert() {
    let mut organisation =
        Organisation::found_with(|settings| settings.dark_after = Duration::from_secs(1)).await;
    let device = organisation.device("ada@acme.example").await;
    organisation.report(&device, json!([])).await;
    let silent_since = Instant::now();
    organisation.run();
    let alert = eventually("a dark alert", Duration::from_secs(10), async || {
        organisation.alerts("device-dark").await.into_iter().find(|alert| alert["state"] == "open")
    })
    .await;
    assert!(silent_since.elapsed() >= Duration::from_secs(1), "not before its time");
    assert_eq!((&alert["device"], &alert["member"]), (&json!(device), &json!("ada@acme.example")));
    eventually("the fleet page", Duration::from_secs(5), async || {
        (organisation.get("/v1/admin/devices").await[0]["status"] == "dark").then_some(())
    })
    .await;

    eventually("the alert's end", Duration::from_secs(10), async || {
        organisation.report(&device, json!([])).await;
        let resolved = organisation.alerts("device-dark").await[0]["state"] == "resolved";
        (resolved && organisation.get("/v1/admin/devices").await[0]["status"] == "live").then_some(())
    })
    .await;
}

#[tokio::test]
async fn device_is_told_to_report_three_times_before_it_would_be_dark() {
    let organisation =
        Organisation::found_with(|settings| settings.dark_after = Duration::from_secs(3)).await;
    let device = organisation.device("ada@acme.example").await;
    assert_eq!(organisation.report(&device, json!([])).await.json()["next_report_ms"], 1000);
}

#[tokio::test]
async fn overview_counts_what_the_fleet_says() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let server = |governed| json!({"client": "claude-code", "scope": "user", "entry": "files", "identity": "npm:files", "governed": governed});
    let report = json!({
        "machine": crate::organisation::machine(), "policy_version": 1, "spool_depth": 7,
        "coverage": {"servers": [server(true), server(false)]}, "findings": [],
    });
    organisation.by_device(&device, Method::POST, "/v1/agent/report", report).await.expect(200);
    let overview = organisation.get("/v1/admin/overview").await;
    for (name, expected) in
        [("devices", 1), ("servers", 2), ("governed", 1), ("up_to_date", 1), ("spooled", 7)]
    {
        assert_eq!(overview[name], expected, "{name}");
    }
}
