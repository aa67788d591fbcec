//! The record is verified by somebody who trusts neither the devices nor the server's disk.

use crate::ingest::{Log, send};
use crate::organisation::{Organisation, eventually};
use axum::http::Method;
use contract::record::verify::{Report, Verifier};
use contract::record::{from_hex, link};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use uuid::Uuid;

const ADA: &str = "ada@acme.example";

async fn recorded(count: usize) -> (Organisation, Log) {
    let organisation = Organisation::found().await;
    let log = Log::of(&organisation.device(ADA).await).with(count);
    send(&organisation, &log, log.batch(1, count)).await.expect(200);
    (organisation, log)
}

async fn export(organisation: &Organisation, query: &str) -> String {
    let path = format!("/v1/admin/records/export?{query}");
    organisation.admin(Method::GET, &path, Value::Null).await.expect(200).text
}

fn verify(export: &str, partial: bool) -> Report {
    let mut verifier = Verifier::new(partial);
    export.lines().for_each(|line| verifier.take(line));
    verifier.finish()
}

/// As somebody with access to the server's disk.
async fn tamper(organisation: &Organisation, statements: &'static str) {
    let file = organisation.folder.path().join("portreeve.sqlite");
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn chained_export_can_be_computed_again_from_the_bytes_alone() {
    let (organisation, log) = recorded(3).await;
    let text = export(&organisation, "format=chained").await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "three records and the end of the log");
    let mut previous = [0; 32];
    for (line, (sent, sequence)) in lines.iter().zip(log.lines.iter().zip(1..)) {
        let record = line.split_once("\"record\":").unwrap().1.strip_suffix('}').unwrap();
        assert_eq!(record, sent, "byte for byte");
        let about: Value = serde_json::from_str(line).unwrap();
        assert_eq!(about["sequence"], sequence);
        assert_eq!(about["epoch"], log.epoch.to_string());
        assert!(about["received_ms"].as_i64().unwrap() > 1_700_000_000_100, "our clock, not the device's");
        assert_eq!(from_hex(about["previous"].as_str().unwrap()).unwrap(), previous);
        previous = link(&previous, record.as_bytes());
        assert_eq!(from_hex(about["link"].as_str().unwrap()).unwrap(), previous);
    }
    let end: Value = serde_json::from_str(lines[3]).unwrap();
    assert_eq!(from_hex(end["head"].as_str().unwrap()).unwrap(), previous);
    assert!(verify(&text, false).whole());

    let part = export(&organisation, "format=chained&since=1700000000001").await;
    assert_eq!(verify(&part, true), Report { records: 2, devices: 1, logs: 1, runs: 1, ..Report::default() });
}

/// More than one page, two logs, and a record that came in both of them.
#[tokio::test]
async fn whole_store_verifies_over_pages_logs_and_repeats() {
    let (organisation, old) = recorded(1203).await;
    let mut new = Log::of(&old.device);
    old.lines[..500].iter().for_each(|line| new.push_line(line.clone()));
    send(&organisation, &new, new.batch(1, 500)).await.expect(200);
    let report = verify(&export(&organisation, "format=chained").await, false);
    assert_eq!((report.records, report.logs, report.runs), (1703, 2, 1));
    assert_eq!(report.problems, []);
    let raw = export(&organisation, "format=raw").await;
    assert_eq!(raw.lines().count(), 1203, "a repeat is no second record");
}

#[tokio::test]
async fn row_changed_deleted_cut_off_or_put_in_is_found() {
    let cases: [(&'static str, u64, &str); 7] = [
        (
            "UPDATE records SET json = replace(json, '/etc/hosts', '/etc/motd') WHERE chain_seq = 3",
            3,
            "was changed",
        ),
        ("DELETE FROM records WHERE chain_seq = 3", 4, "record 3 is missing"),
        ("DELETE FROM records WHERE chain_seq > 3", 4, "4-5 are missing at the end"),
        ("DELETE FROM records WHERE chain_seq > 3; UPDATE chains SET through = 3", 3, "not the head"),
        ("UPDATE records SET decision = 'refused' WHERE chain_seq = 3", 3, "another decision than it says"),
        ("UPDATE records SET json = 'gone' WHERE chain_seq = 3", 3, "was changed"),
        ("UPDATE records SET chain_seq = 9 WHERE chain_seq = 5", 9, "after the end"),
    ];
    for (statements, sequence, words) in cases {
        let (organisation, log) = recorded(5).await;
        tamper(&organisation, statements).await;
        let problems = verify(&export(&organisation, "format=chained").await, false).problems;
        let found = problems.iter().any(|problem| {
            (problem.device.as_str(), problem.epoch) == (log.device.as_str(), Some(log.epoch))
                && problem.sequence == Some(sequence)
                && problem.what.contains(words)
        });
        assert!(found, "{statements}: {problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_store_is_an_alert_after_the_start_and_ends_when_it_is_whole_again() {
    let (organisation, log) = recorded(4).await;
    tamper(
        &organisation,
        "UPDATE records SET json = replace(json, 'allowed', 'refused') WHERE chain_seq = 2",
    )
    .await;
    let Organisation { folder, app, server, .. } = organisation;
    app.store.close().await;
    drop((app, server));

    let mut organisation = Organisation::start_in(folder, |_| {}).await;
    organisation.run();
    let alert = eventually("the alert", Duration::from_secs(10), async || {
        organisation.alerts("record-store-altered").await.pop()
    })
    .await;
    assert_eq!((&alert["severity"], &alert["device"]), (&json!("critical"), &json!(log.device)));
    assert!(alert["detail"].as_str().unwrap().contains("record 2"), "{alert}");
    organisation.report(&log.device, json!([])).await;
    assert_eq!(
        organisation.alerts("record-store-altered").await[0]["state"],
        "open",
        "not the device's to end"
    );
}

/// A device's log whose records stand where the test says in which run.
fn run_log(device: &str, records: &[(u128, u64, &str)]) -> Log {
    let mut log = Log::of(device);
    for (run, seq, kind) in records {
        in_run(&mut log, *run, *seq, kind);
    }
    log
}

fn in_run(log: &mut Log, run: u128, seq: u64, kind: &str) {
    log.push_line(
        json!({
            "id": Uuid::now_v7(), "time_ms": 1_700_000_000_000_u64 + seq, "run": Uuid::from_u128(run), "seq": seq,
            "member": ADA, "device": log.device, "server": {"identity": "npm:files"}, "kind": kind,
            "why": "the client left", "policy_version": 1,
        })
        .to_string(),
    );
}

async fn settle(organisation: &Organisation, later_ms: i64) {
    let now = policy_server::clock::now_ms() + later_ms;
    policy_server::ingest::settle_runs(&organisation.app, now).await.unwrap();
}

#[tokio::test]
async fn numbers_that_a_stopped_run_lacks_are_an_alert_until_they_come() {
    let organisation = Organisation::found().await;
    let device = organisation.device(ADA).await;
    // Two runs interleave; run 1 lacks 3 and 4, run 2 lacks nothing.
    let mut log = run_log(
        &device,
        &[(1, 1, "started"), (2, 1, "started"), (1, 2, "listed"), (2, 3, "listed"), (1, 5, "stopped")],
    );
    send(&organisation, &log, log.batch(1, 5)).await.expect(200);
    let alerts = organisation.alerts("record-gap").await;
    assert_eq!(alerts.len(), 1, "run 2 goes on and may still send its second: {alerts:?}");
    assert_eq!((&alerts[0]["severity"], &alerts[0]["state"]), (&json!("critical"), &json!("open")));
    assert_eq!(alerts[0]["subject"], Uuid::from_u128(1).to_string());
    let detail = alerts[0]["detail"].as_str().unwrap();
    assert!(detail.contains("records 3-4:") && detail.contains("ada"), "{detail}");
    let report = verify(&export(&organisation, "format=chained").await, false);
    let lacks = report.problems.iter().find(|problem| problem.run == Some(Uuid::from_u128(1))).unwrap();
    assert_eq!(lacks.what, "lacks the numbers 3-4", "the chain holds, and the hole is named all the same");

    in_run(&mut log, 2, 2, "listed");
    in_run(&mut log, 1, 4, "listed");
    send(&organisation, &log, log.batch(6, 7)).await.expect(200);
    settle(&organisation, 61_000).await;
    let alerts = organisation.alerts("record-gap").await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0]["detail"].as_str().unwrap().contains("records 3:"), "{alerts:?}");
    in_run(&mut log, 1, 3, "listed");
    send(&organisation, &log, log.batch(8, 8)).await.expect(200);
    assert_eq!(organisation.alerts("record-gap").await[0]["state"], "resolved");
}

#[tokio::test]
async fn hole_in_a_run_that_goes_on_is_told_after_a_minute() {
    let organisation = Organisation::found().await;
    let device = organisation.device(ADA).await;
    let log = run_log(&device, &[(1, 1, "started"), (1, 2, "listed"), (1, 5, "listed")]);
    send(&organisation, &log, log.batch(1, 3)).await.expect(200);
    settle(&organisation, 50_000).await;
    assert_eq!(organisation.alerts("record-gap").await.len(), 0, "it may still come");
    settle(&organisation, 61_000).await;
    settle(&organisation, 62_000).await;
    assert_eq!(organisation.alerts("record-gap").await.len(), 1);
    organisation.report(&device, json!([])).await;
    assert_eq!(organisation.alerts("record-gap").await[0]["state"], "open", "a report does not end it");
}

#[tokio::test]
async fn nobody_else_fills_a_hole_in_a_run() {
    let organisation = Organisation::found().await;
    let log = run_log(&organisation.device(ADA).await, &[(1, 1, "started"), (1, 3, "stopped")]);
    send(&organisation, &log, log.batch(1, 2)).await.expect(200);
    let other =
        run_log(&organisation.device("eve@acme.example").await, &[(1, 1, "listed"), (1, 2, "listed")]);
    send(&organisation, &other, other.batch(1, 2)).await.expect(200);
    settle(&organisation, 61_000).await;
    assert_eq!(organisation.alerts("record-gap").await[0]["state"], "open");
}

/// A compromised agent might give an evil call the id of a harmless one, to have it taken for a repeat.
#[tokio::test]
async fn record_with_a_known_id_and_another_content_is_not_hidden() {
    let (organisation, log) = recorded(1).await;
    let mut again = Log::of(&log.device);
    again.push_line(log.lines[0].replace("/etc/hosts", "/etc/shadow"));
    send(&organisation, &again, again.batch(1, 1)).await.expect(200);
    let found = organisation.get("/v1/admin/records?text=/etc/shadow").await;
    assert_eq!(found["records"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn record_that_is_not_one_line_is_refused() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device(ADA).await).with(1);
    let line = log.lines[0].replacen('{', "{\n", 1);
    log = Log::of(&log.device);
    log.push_line(line.clone());
    let mut batch = serde_json::to_string(&log.batch(1, 1)).unwrap();
    // As it is written on the wire: through a value it would lose its line end.
    let batch_value: Value = serde_json::from_str(&batch).unwrap();
    let written = RawValue::from_string(batch_value["records"][0].to_string()).unwrap();
    batch = batch.replace(written.get(), &line);
    let certificate = policy_server::tls::PeerCertificate::Device { id: log.device.clone() };
    let asking = crate::organisation::request(Method::POST, "/v1/agent/records", Value::Null, certificate);
    let reply = organisation.ask(asking.raw(batch).body_of()).await.expect(422);
    assert_eq!(reply.code(), "record-malformed");
}

#[tokio::test]
async fn record_under_another_device_is_marked_where_it_is_found() {
    let organisation = Organisation::found().await;
    let device = organisation.device(ADA).await;
    let mut log = Log::of("the-id-before-it-enrolled-anew");
    log.push(ADA, &json!({}));
    let mut own = Log::of(&device);
    own.push_line(log.lines[0].clone());
    own.push(ADA, &json!({}));
    send(&organisation, &own, own.batch(1, 2)).await.expect(200);
    let found = organisation.get("/v1/admin/records").await;
    let by: Vec<&str> = found["about"]
        .as_array()
        .unwrap()
        .iter()
        .map(|about| about["attributed_by"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["both", "certificate"], "newest first");
    assert_eq!(
        (&found["about"][1]["device"], &found["about"][1]["hostname"]),
        (&json!(device), &json!("ada"))
    );
    let events = export(&organisation, "format=ocsf").await;
    let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(event["unmapped"]["claimed_device"], "the-id-before-it-enrolled-anew");
    assert_eq!((&event["device"]["uid"], &event["device"]["hostname"]), (&json!(device), &json!("ada")));
}

#[tokio::test]
async fn ocsf_export_carries_the_integrity_profile() {
    let (organisation, log) = recorded(2).await;
    let events: Vec<Value> = export(&organisation, "format=ocsf")
        .await
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (first, second) = (&events[0], &events[1]);
    assert_eq!(second["attestation_list"][0]["chain_uid"], log.epoch.to_string());
    assert_eq!(second["attestation_list"][0]["prev_event"]["uid"], first["metadata"]["uid"]);
    assert_eq!(first["attestation_list"][0]["prev_event"], Value::Null);
    assert!(second["metadata"]["profiles"].as_array().unwrap().contains(&json!("record_integrity")));
    assert!(second["metadata"]["logged_time"].as_i64().unwrap() > second["time"].as_i64().unwrap());
    assert_eq!((&second["severity_id"], &second["severity"]), (&json!(1), &json!("Informational")));
}

fn verify_command(arguments: &[&std::ffi::OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve-server"))
        .args(["records", "verify", "--json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn command_verifies_a_file_anywhere_and_the_store_of_a_stopped_server() {
    let (organisation, _) = recorded(600).await;
    let text = export(&organisation, "format=chained").await;
    let file = organisation.folder.path().join("export.jsonl");
    std::fs::write(&file, &text).unwrap();
    let done = verify_command(&[file.as_os_str()]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let report: Report = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((report.records, report.devices, report.logs), (600, 1, 1));

    std::fs::write(&file, text.replacen("\"sequence\":7,", "\"sequence\":8,", 1)).unwrap();
    assert_eq!(verify_command(&[file.as_os_str()]).status.code(), Some(3));

    tamper(&organisation, "DELETE FROM records WHERE chain_seq = 300").await;
    let Organisation { folder, app, server, .. } = organisation;
    app.store.close().await;
    drop((app, server));
    let done = verify_command(&["--data".as_ref(), folder.path().as_os_str()]);
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    let report: Report = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((report.records, report.problems[0].sequence), (599, Some(301)));
}
