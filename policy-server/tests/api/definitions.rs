//! From a definition on record to an alert.

use crate::ingest::{Log, send};
use crate::organisation::Organisation;
use serde_json::{Value, json};
use uuid::Uuid;

const FILES: &str = "npm:@acme/files@1";

fn push(log: &mut Log, tool: &str, more: &Value) {
    let mut line = json!({
        "id": Uuid::now_v7(), "time_ms": 1_700_000_000_000_u64, "run": Uuid::from_u128(7), "seq": log.lines.len() + 1,
        "member": "ada@acme.example", "device": log.device, "os_user": "ada",
        "server": {"identity": FILES, "entry": "files"}, "kind": "definition", "part": "tool", "tool": tool,
        "event": "new", "digest": format!("sha256:{}", "1".repeat(64)), "held": false, "policy_version": 1,
    });
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    log.push_line(line.to_string());
}

fn changed(held: bool) -> Value {
    json!({"event": "changed", "held": held, "changes": [
        {"member": "description", "was": "\"Reads.\"", "is": "\"Reads. <b>Now</b>\""},
        {"member": "annotations.readOnlyHint", "was": "true", "is": "false"},
    ]})
}

async fn sent(log: &Log, organisation: &Organisation) {
    send(organisation, log, log.batch(1, log.lines.len())).await.expect(200);
}

#[tokio::test]
async fn a_changed_definition_is_one_alert_with_what_differs() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    push(&mut log, "read_file", &json!({}));
    push(&mut log, "write_file", &json!({}));
    push(&mut log, "read_file", &changed(true));
    push(&mut log, "read_file", &changed(true));
    sent(&log, &organisation).await;
    let alerts = organisation.alerts("definition-changed").await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["subject"], format!("{FILES}: tool read_file"));
    let detail = alerts[0]["detail"].as_str().unwrap();
    for part in [
        "held back",
        "\ndescription\n  - \"Reads.\"\n  + \"Reads. <b>Now</b>\"",
        "readOnlyHint\n  - true\n  + false",
    ] {
        assert!(detail.contains(part), "{detail}");
    }
    push(&mut log, "read_file", &json!({"event": "restored"}));
    sent(&log, &organisation).await;
    assert_eq!(organisation.alerts("definition-changed").await[0]["state"], "resolved");
}

/// What is pinned did not change; the policy names another fingerprint, or other tools alone.
#[tokio::test]
async fn what_the_policy_does_not_approve_is_not_said_to_have_changed_and_its_alert_ends_with_the_policy() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    let seen = |event: &str, why: &str| {
        let disapproval = Some(why).filter(|why| !why.is_empty());
        json!({"event": event, "held": disapproval.is_some(), "disapproval": disapproval})
    };
    push(&mut log, "echo", &seen("disapproved", "other-fingerprint"));
    push(&mut log, "sum", &seen("disapproved", "unlisted"));
    push(&mut log, "fresh", &seen("new", "other-fingerprint"));
    sent(&log, &organisation).await;
    let detail_of = async |tool: &str| {
        let alerts = organisation.alerts("definition-changed").await;
        let of = |alert: &&Value| alert["subject"].as_str().unwrap().ends_with(tool);
        let alert = alerts.iter().find(of).unwrap();
        (alert["state"].as_str().unwrap().to_owned(), alert["detail"].as_str().unwrap().to_owned())
    };
    for (tool, why) in [
        ("echo", "has another fingerprint than the policy names for it"),
        ("sum", "is not among those that the policy approves"),
        ("fresh", "has another fingerprint than the policy names for it"),
    ] {
        let (state, said) = detail_of(tool).await;
        assert!(said.contains(why) && said.contains("until the policy names its fingerprint"), "{said}");
        assert!(!said.contains("when it was first used") && state == "open", "{said}");
    }
    // The policy names none any more: known ones are restored, the fresh one is new.
    push(&mut log, "echo", &seen("restored", ""));
    push(&mut log, "sum", &seen("restored", ""));
    push(&mut log, "fresh", &seen("new", ""));
    sent(&log, &organisation).await;
    for tool in ["echo", "sum", "fresh"] {
        let (state, said) = detail_of(tool).await;
        assert!(said.contains("policy holds it no more") && state == "resolved", "{state}: {said}");
    }
}

/// Policy reports where it held: the alert of the change stays, and says that it is in use.
#[tokio::test]
async fn an_alert_of_a_change_says_when_policy_holds_it_no_more() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    push(&mut log, "read_file", &changed(true));
    push(&mut log, "read_file", &changed(false));
    sent(&log, &organisation).await;
    let alerts = organisation.alerts("definition-changed").await;
    let detail = alerts[0]["detail"].as_str().unwrap();
    assert_eq!((alerts.len(), &alerts[0]["state"]), (1, &json!("open")));
    assert!(detail.contains("It is in use") && !detail.contains("held back"), "{detail}");
}

#[tokio::test]
async fn what_monitor_mode_lets_through_is_not_said_to_be_held_back() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    let mut seen = changed(true);
    seen["let_through"] = json!(true);
    push(&mut log, "read_file", &seen);
    sent(&log, &organisation).await;
    let detail = organisation.alerts("definition-changed").await[0]["detail"].to_string();
    assert!(detail.contains("shown and called all the same") && !detail.contains("held back"), "{detail}");
}

#[tokio::test]
async fn signs_of_poison_and_shadows_are_alerts_of_their_own() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    let flag = |sign: &str| json!({"flags": [{"sign": sign, "member": "description", "excerpt": "x\u{202e}\u{1b}[31m"}]});
    push(&mut log, "add", &flag("invisible-text"));
    push(&mut log, "send_mail", &flag("same-name-elsewhere"));
    let mut approved = flag("hidden-instruction");
    approved["approved"] = json!(true);
    push(&mut log, "approved", &approved);
    sent(&log, &organisation).await;
    let poisoned = organisation.alerts("definition-poisoned").await;
    assert_eq!((poisoned.len(), &poisoned[0]["severity"]), (1, &json!("critical")));
    let detail = poisoned[0]["detail"].as_str().unwrap();
    assert!(detail.contains("x\\u{202e}\\u{1b}[31m") && !detail.contains(['\u{202e}', '\u{1b}']), "{detail}");
    let shadowed = organisation.alerts("tool-shadowed").await;
    assert_eq!((shadowed.len(), &shadowed[0]["subject"]), (1, &json!(format!("{FILES}: tool send_mail"))));
    assert!(organisation.alerts("definition-changed").await.is_empty());
}

#[tokio::test]
async fn an_approval_on_the_device_answers_the_change_and_not_the_signs_of_poison() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    let mut poisoned = changed(true);
    poisoned["flags"] = json!([{"sign": "hidden-instruction", "member": "description", "excerpt": "x"}]);
    push(&mut log, "read_file", &poisoned);
    let mut approved = poisoned.clone();
    (approved["event"], approved["held"]) = (json!("approved"), json!(false));
    push(&mut log, "read_file", &approved);
    let mut forgotten = approved.clone();
    forgotten["event"] = json!("forgotten");
    push(&mut log, "write_file", &forgotten);
    sent(&log, &organisation).await;
    let changed = organisation.alerts("definition-changed").await;
    assert_eq!((changed.len(), &changed[0]["state"]), (1, &json!("resolved")));
    let poisoned = organisation.alerts("definition-poisoned").await;
    assert_eq!((poisoned.len(), &poisoned[0]["state"]), (1, &json!("open")));
    for alert in [&changed[0], &poisoned[0]] {
        let detail = alert["detail"].as_str().unwrap();
        let said = "It was approved on the device by ada at 2023-11-14 22:13:20 UTC.\n";
        assert!(detail.contains(said) && !detail.contains("held back"), "{detail}");
    }
    let mut again = json!({"event": "changed", "held": true, "flags": approved["flags"]});
    again["digest"] = json!(format!("sha256:{}", "2".repeat(64)));
    push(&mut log, "read_file", &again);
    sent(&log, &organisation).await;
    let detail = organisation.alerts("definition-poisoned").await[0]["detail"].to_string();
    assert!(detail.contains("held back") && !detail.contains("approved on"), "{detail}");
    approved["event"] = json!("forgotten");
    push(&mut log, "read_file", &approved);
    sent(&log, &organisation).await;
    let detail = organisation.alerts("definition-poisoned").await[0]["detail"].to_string();
    assert!(detail.contains("It was forgotten on the device by ada at "), "{detail}");
}

/// Its guard had not handed it over, or had not heard of the approval yet.
#[tokio::test]
async fn a_sighting_that_comes_after_its_approval_holds_nothing_back_again() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    let mut sighting = changed(true);
    sighting["flags"] = json!([{"sign": "hidden-instruction", "member": "description", "excerpt": "x"}]);
    let with = |event: &str, digest: &str| {
        let digest = format!("sha256:{}", digest.repeat(64));
        json!({"event": event, "held": event == "changed", "digest": digest, "flags": sighting["flags"]})
    };
    let state = async |code: &str| {
        let alerts = organisation.alerts(code).await;
        alerts.iter().map(|alert| (alert["state"].to_string(), alert["detail"].to_string())).next()
    };
    push(&mut log, "read_file", &with("changed", "1"));
    sent(&log, &organisation).await;
    push(&mut log, "read_file", &with("approved", "1"));
    sent(&log, &organisation).await;
    push(&mut log, "read_file", &with("changed", "1"));
    sent(&log, &organisation).await;
    assert_eq!(state("definition-changed").await.unwrap().0, "\"resolved\"");
    let (_, poisoned) = state("definition-poisoned").await.unwrap();
    assert!(
        poisoned.contains("approved on the device by ada") && !poisoned.contains("held back"),
        "{poisoned}"
    );

    // Another text of it, another user of the machine, or one that was forgotten meanwhile, is held as ever.
    push(&mut log, "read_file", &with("changed", "2"));
    sent(&log, &organisation).await;
    let open = organisation.alerts("definition-changed").await;
    assert!(open.iter().any(|alert| alert["state"] == "open"), "{open:?}");
    assert!(state("definition-poisoned").await.unwrap().1.contains("held back"));
    push(&mut log, "write_file", &with("approved", "1"));
    let mut other = with("changed", "1");
    other["os_user"] = json!("mallory");
    push(&mut log, "write_file", &other);
    push(&mut log, "send_file", &with("approved", "1"));
    push(&mut log, "send_file", &with("forgotten", "1"));
    push(&mut log, "send_file", &with("changed", "1"));
    sent(&log, &organisation).await;
    for tool in ["write_file", "send_file"] {
        let open = organisation.alerts("definition-changed").await;
        let of =
            |alert: &Value| alert["subject"].as_str().unwrap().ends_with(tool) && alert["state"] == "open";
        assert!(open.iter().any(of), "{tool}: {open:?}");
    }
}

#[tokio::test]
async fn attack_a_guard_that_tells_of_definitions_without_end() {
    let organisation = Organisation::found().await;
    let mut log = Log::of(&organisation.device("ada@acme.example").await);
    for n in 0..300 {
        push(&mut log, &format!("tool_{n}"), &changed(true));
    }
    sent(&log, &organisation).await;
    let alerts = organisation.alerts("definition-changed").await;
    assert_eq!(alerts.len(), 61, "sixty, and one for the others");
    assert_eq!(alerts.iter().filter(|alert| alert["subject"] == "and others").count(), 1);
}

#[tokio::test]
async fn a_device_begins_a_new_log_to_forget_the_old_one() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let log = Log::of(&device).with(3);
    sent(&log, &organisation).await;
    assert!(organisation.alerts("record-log-begun-anew").await.is_empty(), "its first");
    let other = Log::of(&device).with(1);
    sent(&other, &organisation).await;
    sent(&other, &organisation).await;
    let alerts = organisation.alerts("record-log-begun-anew").await;
    assert_eq!((alerts.len(), &alerts[0]["severity"]), (1, &json!("critical")));
    let detail = alerts[0]["detail"].as_str().unwrap();
    assert!(detail.contains("record 3") && detail.contains(&log.epoch.to_string()), "{detail}");
}
