//! Policy that is carried to a machine as a file, because its policy server is out of reach.

use harness::machine::Machine;
use harness::stage::{MEMBER, Stage};
use harness::wait;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_machine_without_a_server_is_given_its_policy_by_hand_and_goes_on_with_the_servers() {
    let mut stage = Stage::governed().unwrap();
    stage.organisation.stop().unwrap();
    let before = expires(&stage);
    let file = bundle(&stage, &["--expires", "12h"]);
    assert_eq!(stage.machine.run(&["policy", "adopt", &file]).unwrap().trim(), "policy version 2 adopted");
    let by_hand = expires(&stage);
    assert!(by_hand < before, "{by_hand} is no earlier than {before}");
    stage.open("everything").unwrap().call("echo", &json!({"message": "offline"})).unwrap()["result"]
        .as_object()
        .expect("an allowed call");
    stage.organisation.start().unwrap();
    wait::until("the server's own signature again", Duration::from_secs(60), || expires(&stage) >= before)
        .unwrap();
    assert!(stage.machine.status().unwrap().get("policy_refused").is_none_or(Value::is_null));
}

#[test]
fn a_false_policy_is_carried_to_a_machine_whose_resident_is_stopped() {
    let stage = Stage::enrolled().unwrap();
    let good = bundle(&stage, &[]);
    assert_eq!(stage.machine.run_json(&["policy", "adopt", &good]).unwrap(), json!({"adopted": 2}));
    let on_disk = stage.machine.root.join("state/policy/adopted.json");
    let adopted = std::fs::read(&on_disk).unwrap();
    let forged = stage.folder().join("forged.json");
    std::fs::write(&forged, std::fs::read_to_string(&good).unwrap().replacen("get-env", "get-enw", 1))
        .unwrap();
    let done = stage.machine.try_run(&["policy", "adopt", forged.to_str().unwrap(), "--json"]).unwrap();
    assert_eq!(done.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(answer["refused"]["code"], "forged", "{answer}");
    assert_eq!(std::fs::read(&on_disk).unwrap(), adopted);
}

#[test]
fn a_policy_is_carried_to_a_machine_that_never_enrolled() {
    let stage = Stage::enrolled().unwrap();
    let stranger = Machine::new(&stage.folder().join("stranger"), MEMBER).unwrap();
    let done = stranger.try_run(&["policy", "adopt", &bundle(&stage, &[])]).unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!stranger.root.join("state/policy/adopted.json").exists());
}

fn bundle(stage: &Stage, more: &[&str]) -> String {
    let file = stage.folder().join("carried.json").to_string_lossy().into_owned();
    stage.organisation.admin(&[&["policy", "bundle", "--out", &file], more].concat()).unwrap();
    file
}

/// RFC 3339 in UTC and whole seconds, to compare as text.
fn expires(stage: &Stage) -> String {
    stage.machine.status().unwrap()["policy"]["expires"].as_str().expect("a policy is in force").to_owned()
}
