//! The record's way in: nothing twice, nothing lost, nothing changed.

use crate::organisation::{Organisation, Reply};
use axum::http::Method;
use contract::record::link;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

/// A device's log, as the agent keeps it.
pub struct Log {
    pub device: String,
    pub epoch: Uuid,
    pub lines: Vec<String>,
    links: Vec<[u8; 32]>,
}

impl Log {
    pub fn of(device: &str) -> Self {
        Self { device: device.to_owned(), epoch: Uuid::new_v4(), lines: Vec::new(), links: vec![[0; 32]] }
    }

    pub fn with(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.push("ada@acme.example", &json!({"path": "/etc/hosts"}));
        }
        self
    }

    pub fn push(&mut self, member: &str, arguments: &Value) {
        let line = json!({
            "id": Uuid::now_v7(), "time_ms": 1_700_000_000_000_u64 + self.lines.len() as u64,
            "run": Uuid::from_u128(7), "seq": self.lines.len() + 1, "member": member, "device": self.device,
            "os_user": "ada", "client": {"name": "claude-code", "version": "2"},
            "server": {"identity": "npm:@modelcontextprotocol/server-filesystem", "entry": "files"},
            "kind": "call", "method": "tools/call", "tool": "read_file", "call": self.lines.len() + 1,
            "arguments": arguments, "decision": "allowed", "rule": "read-files", "reason": "Reading is fine.",
            "policy_version": 1, "not_known_yet": [1.10, 12_345_678_901_234_567_890_123_f64],
        });
        self.push_line(line.to_string());
    }

    pub fn push_line(&mut self, line: String) {
        self.links.push(link(self.links.last().unwrap(), line.as_bytes()));
        self.lines.push(line);
    }

    /// Records `first..=last`, counted from 1.
    pub fn batch(&self, first: usize, last: usize) -> Value {
        let records: Vec<Box<RawValue>> = self.lines[first - 1..last]
            .iter()
            .map(|line| RawValue::from_string(line.clone()).unwrap())
            .collect();
        let batch = serde_json::to_value(&contract::record::Batch {
            epoch: self.epoch,
            first: first as u64,
            previous: hex(&self.links[first - 1]),
            head: hex(&self.links[last]),
            records,
        });
        batch.unwrap()
    }
}

fn hex(link: &[u8; 32]) -> String {
    contract::record::to_hex(link)
}

pub async fn send(organisation: &Organisation, log: &Log, batch: Value) -> Reply {
    organisation.by_device(&log.device, Method::POST, "/v1/agent/records", batch).await
}

async fn count(organisation: &Organisation) -> usize {
    let found = organisation.get("/v1/admin/records?limit=1000").await;
    found["records"].as_array().unwrap().len()
}

#[tokio::test]
async fn batch_that_comes_twice_is_kept_once() {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device("ada@acme.example").await).with(5);
    for _ in 0..3 {
        let durable = send(&organisation, &log, log.batch(1, 3)).await.expect(200).json();
        assert_eq!(durable, json!({"epoch": log.epoch, "through": 3}));
        assert_eq!(count(&organisation).await, 3);
    }
    let durable = send(&organisation, &log, log.batch(2, 5)).await.expect(200).json();
    assert_eq!(durable["through"], 5, "an overlap is taken from where the log ends here");
    assert_eq!(count(&organisation).await, 5);
}

#[tokio::test]
async fn same_batch_uploaded_at_the_same_time_is_kept_once() {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device("ada@acme.example").await).with(40);
    let uploads = (0..8).map(|_| send(&organisation, &log, log.batch(1, 40)));
    for reply in futures_util::future::join_all(uploads).await {
        assert_eq!(reply.expect(200).json()["through"], 40);
    }
    assert_eq!(count(&organisation).await, 40);
}

#[tokio::test]
async fn record_of_a_new_log_that_is_known_already_is_not_kept_again() {
    let organisation = Organisation::found().await;
    let old = Log::of(&organisation.device("ada@acme.example").await).with(2);
    send(&organisation, &old, old.batch(1, 2)).await.expect(200);
    let mut new = Log::of(&old.device);
    old.lines.iter().for_each(|line| new.push_line(line.clone()));
    new.push("ada@acme.example", &json!({}));
    send(&organisation, &new, new.batch(1, 3)).await.expect(200);
    assert_eq!(count(&organisation).await, 3);
}

#[tokio::test]
async fn hole_in_the_log_is_refused_and_alerted() {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device("ada@acme.example").await).with(6);
    send(&organisation, &log, log.batch(1, 2)).await.expect(200);
    let reply = send(&organisation, &log, log.batch(4, 6)).await.expect(409);
    assert_eq!(reply.code(), "record-chain-broken");
    assert_eq!(reply.json()["durable"]["through"], 2, "where the device has to go on");
    assert_eq!(count(&organisation).await, 2);
    assert_eq!(organisation.alerts("record-chain-broken").await.len(), 1);
    send(&organisation, &log, log.batch(4, 6)).await.expect(409);
    assert_eq!(organisation.alerts("record-chain-broken").await.len(), 1, "one alert for one matter");
}

#[tokio::test]
async fn record_changed_after_it_was_written_is_refused() {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device("ada@acme.example").await).with(4);
    send(&organisation, &log, log.batch(1, 2)).await.expect(200);

    let mut changed = log.batch(3, 4);
    changed["records"][0]["tool"] = json!("list_directory");
    assert_eq!(send(&organisation, &log, changed).await.expect(409).code(), "record-chain-broken");

    let mut rewritten = Log { device: log.device.clone(), epoch: log.epoch, ..Log::of("") };
    rewritten.push("ada@acme.example", &json!({"path": "/tmp/harmless"}));
    log.lines[1..].iter().for_each(|line| rewritten.push_line(line.clone()));
    let reply = send(&organisation, &log, rewritten.batch(1, 4)).await.expect(409);
    assert_eq!(reply.code(), "record-chain-broken");

    let mut cut = log.batch(3, 4);
    cut["records"].as_array_mut().unwrap().pop();
    send(&organisation, &log, cut).await.expect(409);
    assert_eq!(count(&organisation).await, 2);
}

#[tokio::test]
async fn batch_with_something_that_is_no_record_is_refused_whole() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await).with(2);
    log.push_line(r#"{"kind":"call"}"#.to_owned());
    let reply = send(&organisation, &log, log.batch(1, 3)).await.expect(422);
    assert_eq!(reply.code(), "record-malformed");
    assert!(reply.json()["detail"].as_str().unwrap().contains("record 3"), "{}", reply.text);
    assert_eq!(count(&organisation).await, 0);
}

#[tokio::test]
async fn record_in_the_name_of_somebody_else_stays_with_the_device_that_sent_it() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    log.push("boss@acme.example", &json!({}));
    send(&organisation, &log, log.batch(1, 1)).await.expect(200);
    let theirs = organisation.get("/v1/admin/records?member=boss@acme.example").await;
    assert_eq!(theirs["records"].as_array().unwrap().len(), 0);
    let hers = organisation.get("/v1/admin/records?member=ada@acme.example").await;
    assert_eq!(hers["records"].as_array().unwrap().len(), 1);
    assert_eq!(organisation.alerts("record-misattributed").await.len(), 1);
}

#[tokio::test]
async fn search_pages_through_everything_once_and_filters_hold() {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device("ada@acme.example").await).with(23);
    send(&organisation, &log, log.batch(1, 23)).await.expect(200);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = organisation.get(&format!("/v1/admin/records?limit=5{after}")).await;
        seen.extend(page["records"].as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=23).rev().collect::<Vec<_>>(), "newest first, each once");

    for (filter, expected) in [
        ("tool=read_file", 23),
        ("tool=read_fil", 0),
        ("tool=read_*", 23),
        ("tool=*_fil", 0),
        ("tool=read%25", 0),
        ("member=ada", 23),
        ("member=ad", 0),
        ("device=ada", 23),
        ("device=eve", 0),
        ("server=files", 23),
        ("server=mail", 0),
        ("decision=refused", 0),
        ("kind=call&server=server-filesystem", 23),
        ("server=%25", 0),
        ("since=1700000000010&until=1700000000012", 2),
        ("text=/etc/hosts", 23),
        ("text=_etc_hosts", 0),
    ] {
        let page = organisation.get(&format!("/v1/admin/records?{filter}")).await;
        assert_eq!(page["records"].as_array().unwrap().len(), expected, "{filter}");
    }
    let reply = organisation.admin(Method::GET, "/v1/admin/records?after=x", json!(null)).await;
    assert_eq!(reply.expect(400).code(), "cursor-malformed");
}

#[tokio::test]
async fn search_finds_what_decided_who_asked_and_what_became_of_it() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await).with(3);
    let mut push = |more: Value| {
        let mut line: Value = serde_json::from_str(&log.lines[0]).unwrap();
        line["id"] = json!(Uuid::now_v7());
        line["seq"] = json!(log.lines.len() + 1);
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        log.push_line(line.to_string());
    };
    push(json!({"kind": "outcome", "fate": "lost", "duration_us": 1, "bytes": 0, "rule": null}));
    push(
        json!({"kind": "malformed", "code": "door-host", "message": "x", "from_client": true, "rule": null}),
    );
    push(json!({"client": {"name": "bot", "version": "1", "door": "desktop"}, "rule": "no-writes"}));
    send(&organisation, &log, log.batch(1, 6)).await.expect(200);
    for (filter, expected) in [
        ("rule=read-files", 3),
        ("rule=read", 0),
        ("rule=no-writes", 1),
        ("client=claude", 5),
        ("client=desk", 1),
        ("client=%25", 0),
        ("fate=lost", 1),
        ("fate=ok", 0),
        ("code=door-host", 1),
        ("code=door-host&client=bot", 0),
    ] {
        let page = organisation.get(&format!("/v1/admin/records?{filter}")).await;
        assert_eq!(page["records"].as_array().unwrap().len(), expected, "{filter}");
    }
    organisation.admin(Method::GET, "/v1/admin/records?fate=gone", json!(null)).await.expect(400);
}

#[tokio::test]
async fn export_gives_the_bytes_that_came_in() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await).with(700);
    log.push("ada@acme.example", &json!({"text": "ü \u{1F600} \"quoted\""}));
    let text = serde_json::to_string(&contract::record::Batch {
        epoch: log.epoch,
        first: 1,
        previous: hex(&[0; 32]),
        head: hex(log.links.last().unwrap()),
        records: log.lines.iter().map(|line| RawValue::from_string(line.clone()).unwrap()).collect(),
    });
    let certificate = policy_server::tls::PeerCertificate::Device { id: log.device.clone() };
    let mut asking =
        crate::organisation::request(Method::POST, "/v1/agent/records", Value::Null, certificate);
    asking = asking.raw(text.unwrap());
    organisation.ask(asking.body_of()).await.expect(200);
    let exported = organisation.admin(Method::GET, "/v1/admin/records/export", Value::Null).await.expect(200);
    assert_eq!(exported.text.lines().collect::<Vec<_>>(), log.lines, "oldest first, byte for byte");
}
