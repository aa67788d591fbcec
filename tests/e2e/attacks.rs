//! Attacks and accidents against the whole: each test is named after what is tried.

use harness::machine::Machine;
use harness::stage::{self, MEMBER, Stage};
use harness::wait;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn an_enrolment_token_is_used_a_second_time() {
    let stage = Stage::enrolled().unwrap();
    let profile = stage.organisation.profile_for("bob@acme.example").unwrap();
    let bob = Machine::new(&stage.folder().join("bob"), "bob@acme.example").unwrap();
    bob.place_profile(&profile).unwrap();
    bob.run(&["enroll"]).unwrap();
    let thief = Machine::new(&stage.folder().join("thief"), "mallory@acme.example").unwrap();
    thief.place_profile(&profile).unwrap();
    let refused = thief.try_run(&["enroll"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("used"), "{said}");
    assert!(!thief.root.join("state/device/identity.json").exists(), "half an enrolment was left behind");
}

#[test]
fn a_token_that_was_made_for_one_member_is_used_to_claim_another() {
    let stage = Stage::enrolled().unwrap();
    let profile = stage.organisation.profile_for("bob@acme.example").unwrap();
    let mut profile: serde_json::Value = serde_json::from_str(&profile).unwrap();
    profile["member"] = json!(MEMBER);
    let machine = Machine::new(&stage.folder().join("bob"), "bob@acme.example").unwrap();
    machine.place_profile(&profile.to_string()).unwrap();
    machine.run(&["enroll"]).unwrap();
    let identity = std::fs::read_to_string(machine.root.join("state/device/identity.json")).unwrap();
    assert!(identity.contains("bob@acme.example") && !identity.contains(MEMBER), "{identity}");
}

/// The policy server is put back from a backup, by accident or by somebody who liked the older policy better.
#[test]
fn a_restored_backup_of_the_server_cannot_roll_policy_back() {
    let mut stage = Stage::governed().unwrap();
    stage.organisation.stop().unwrap();
    let (data, backup, newer) =
        (stage.organisation.data.clone(), stage.folder().join("backup"), stage.folder().join("newer"));
    copy(&data, &backup);
    stage.organisation.start().unwrap();
    let stricter = stage::usual_policy().unwrap().replace(r#"["echo", "get-sum"]"#, r#"["get-sum"]"#);
    stage.organisation.publish(&stricter, "no more echo").unwrap();
    stage.machine.await_policy(3, Duration::from_secs(10)).unwrap();
    stage.organisation.stop().unwrap();
    std::fs::rename(&data, &newer).unwrap();
    copy(&backup, &data);
    stage.organisation.start().unwrap();
    let refused = wait::for_value("the refusal of the older policy", Duration::from_secs(30), || {
        let status = stage.machine.status().ok()?;
        status["policy_refused"]["code"].as_str().map(str::to_owned)
    })
    .unwrap();
    assert_eq!(refused, "rolled-back");
    assert_eq!(stage.machine.status().unwrap()["policy"]["version"], 3);
    let mut session = stage.open("everything").unwrap();
    let answer = session.call("echo", &json!({"message": "still?"})).unwrap();
    assert!(answer.get("error").is_some(), "the older policy is in force: {answer}");
    wait::until("the reason upstream", Duration::from_secs(20), || {
        stage
            .organisation
            .open_alerts()
            .is_ok_and(|alerts| alerts.iter().any(|alert| alert["code"] == "policy-refused"))
    })
    .unwrap();
}

/// Secrets in a server's environment, in a remote entry's headers and in arguments are looked for in
/// everything we write: logs, spool, segments, the server's database, alerts. The steward's own originals
/// are the one exception: they hold what the developer's file held, readable by nobody else.
#[test]
fn a_planted_secret_is_found_nowhere() {
    let (in_env, in_header, in_arguments) =
        ("planted-in-env-8d1f", "planted-in-header-77ac", "ghp_plantedInArguments0123456789abcdef01");
    let remote = json!({"type": "http", "url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": format!("Bearer {in_header}")}});
    let local = stage::sample("everything", &[("API_TOKEN", in_env)]).unwrap();
    let servers = json!({"everything": local, "tracker": remote});
    let tracked = r#"match = ["http://127.0.0.1:9/mcp", "#;
    let policy = stage::usual_policy().unwrap().replace("match = [", tracked);
    let mut stage = Stage::governed_with(&policy, &servers).unwrap();
    let mut session = stage.open("everything").unwrap();
    let echoed = session
        .call(
            "echo",
            &json!({"message": "x", "password": in_arguments, "note": format!("use {in_arguments}")}),
        )
        .unwrap();
    assert!(echoed.get("result").is_some(), "{echoed}");
    session.call("get-env", &json!({"token": in_arguments})).unwrap();
    session.leave(Duration::from_secs(5)).unwrap();
    let refused = stage.start("tracker").unwrap().refused().unwrap();
    assert!(refused.contains("cannot be reached"), "{refused}");
    wait::until("the calls upstream", Duration::from_secs(20), || {
        stage
            .organisation
            .records()
            .is_ok_and(|records| records.iter().filter(|record| record["kind"] == "call").count() >= 2)
    })
    .unwrap();
    let status = stage.machine.try_run(&["status"]).unwrap();
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(4), "`tracker` is not there: {told}");
    let explained = stage.machine.run(&["explain"]).unwrap() + &told;
    stage.machine.stop_resident().unwrap();
    stage.organisation.stop().unwrap();
    for secret in [in_env, in_header, in_arguments] {
        assert!(!explained.contains(secret));
        let found: Vec<PathBuf> = files(stage.folder())
            .into_iter()
            .filter(|path| {
                !path.starts_with(&stage.machine.home)
                    && !path.starts_with(stage.machine.root.join("state/steward"))
            })
            .filter(|path| contains(path, secret))
            .collect();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
}

#[test]
fn a_guard_works_while_the_resident_was_never_started_since() {
    let mut stage = Stage::governed().unwrap();
    stage.machine.stop_resident().unwrap();
    let mut session = stage.open("everything").unwrap();
    assert!(session.call("echo", &json!({"message": "alone"})).unwrap().get("result").is_some());
    assert!(session.call("get-env", &json!({})).unwrap().get("error").is_some());
    session.kill();
    stage.machine.start_resident().unwrap();
    wait::until("the orphaned segment upstream", Duration::from_secs(30), || {
        stage
            .organisation
            .records()
            .is_ok_and(|records| records.iter().any(|record| record["arguments"]["message"] == "alone"))
    })
    .unwrap();
}

#[test]
fn a_developer_edits_the_adopted_policy_on_disk() {
    let stage = Stage::governed().unwrap();
    let adopted = stage.machine.root.join("state/policy/adopted.json");
    let forged = std::fs::read_to_string(&adopted).unwrap().replace("no-environment", "yes-environment");
    std::fs::write(&adopted, forged).unwrap();
    let mut session = stage.start("everything").unwrap();
    let why = session.refused().unwrap();
    assert!(why.contains("lockdown") && why.contains("did not start it"), "{why}");
    for tool in ["echo", "get-env"] {
        let answer = session.call(tool, &json!({"message": "x"})).unwrap();
        assert_eq!(answer["error"]["message"], why, "{answer}");
    }
}

#[test]
fn a_local_policy_file_is_tried_on_an_enrolled_machine() {
    let stage = Stage::enrolled().unwrap();
    let file = stage.folder().join("mine.toml");
    std::fs::write(&file, "[defaults]\nmode = \"monitor\"\n").unwrap();
    let done = stage.machine.try_run(&["wrap", "--policy", file.to_str().unwrap(), "--", "true"]).unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("governed by your organisation"), "{said}");
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

fn contains(path: &Path, text: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
