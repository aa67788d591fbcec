//! What a person at a shell reads.

use crate::organisation::Organisation;
use policy_server::serve::start;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder whose server does not run, with one live device and its id.
async fn folder() -> (TempDir, String) {
    let organisation = Organisation::found().await;
    organisation.token(json!({"members": ["*@acme.example"], "uses": 9})).await;
    let device = organisation.device("ada@acme.example").await;
    organisation.post("/v1/admin/members/bob@acme.example/offboard", json!({})).await;
    let Organisation { folder, app, server, .. } = organisation;
    app.store.close().await;
    drop((app, server));
    (folder, device)
}

fn run(data: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve-server"))
        .args(line.split(' '))
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn token_says_on_standard_error_what_it_is_good_for() {
    let (folder, _) = folder().await;
    let (profile, aside) =
        said(&run(folder.path(), "enrolment token create --member ada@acme.example --expires 1h"));
    assert!(aside.starts_with("This token is good for 1 machine of ada@acme.example until 20"), "{aside}");
    serde_json::from_str::<contract::enrolment::ManagedProfile>(&profile).unwrap();
    let (whole, aside) =
        said(&run(folder.path(), "enrolment token create --any-member --uses 3 --profile mobileconfig"));
    assert!(aside.contains("3 machines of any member") && aside.contains("Whoever has it"), "{aside}");
    assert!(whole.contains("<string>Configuration</string>") && whole.contains("$EMAIL"), "{whole}");
    let refused = run(folder.path(), "enrolment token create --uses 3");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).1.contains("could enrol as any member"));
}

#[tokio::test]
async fn revoking_names_the_tokens_by_which_the_machine_could_come_back() {
    let (folder, device) = folder().await;
    let (_, aside) = said(&run(folder.path(), &format!("devices revoke {device}")));
    assert!(aside.contains("is withdrawn."), "{aside}");
    assert!(aside.contains("Tokens that could still enrol this machine"), "{aside}");
    assert!(aside.contains("  portreeve-server enrolment token withdraw "), "{aside}");
    let (done, _) = said(&run(folder.path(), &format!("devices remove {device}")));
    assert!(done.contains("is forgotten"), "{done}");
}

#[tokio::test]
async fn call_that_is_allowed_is_not_told_whom_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, include_str!("../console/policy.toml")).unwrap();
    let ask = |tool: &str| {
        let line = "policy explain --member bruno@acme.example --server everything --tool";
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve-server"));
        said(&command.args(line.split(' ')).arg(tool).arg(&file).output().unwrap()).0
    };
    let allowed = ask("echo");
    assert!(allowed.starts_with("allowed by read, line "), "{allowed}");
    assert_eq!(allowed.lines().count(), 1, "{allowed}");
    assert!(ask("no_such_tool").lines().count() > 1);
    let about = |feature: &str, name: &str| {
        let line = "policy explain --member bruno@acme.example --server everything";
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve-server"));
        command.args(line.split(' ')).args([feature, name]).arg(&file).output().unwrap()
    };
    let (refused, _) = said(&about("--resource", "demo://x"));
    assert!(refused.contains("read \"demo://x\" on \"everything\""), "{refused}");
    assert!(said(&about("--method", "logging/setLevel")).0.starts_with("allowed by default-methods"));
    let both = about("--prompt=x", "--tool=y");
    assert_eq!(both.status.code(), Some(2), "{}", said(&both).1);
}

#[tokio::test]
async fn publishing_the_text_in_force_is_done_and_makes_no_version() {
    let (folder, _) = folder().await;
    let (text, _) = said(&run(folder.path(), "policy show"));
    let file = folder.path().join("same.toml");
    std::fs::write(&file, text).unwrap();
    let (first, _) = said(&run(folder.path(), "policy show 1"));
    assert!(first.contains("[defaults]"), "{first}");
    let unborn = run(folder.path(), "policy show 99");
    assert!(!unborn.status.success() && said(&unborn).1.contains("99"), "{}", said(&unborn).1);
    let same = run(folder.path(), &format!("policy publish {} --note again", file.display()));
    assert_eq!(same.status.code(), Some(0), "{}", said(&same).1);
    assert!(said(&same).0.starts_with("Nothing changed"), "{}", said(&same).0);
    let unborn = run(folder.path(), &format!("policy publish {} --note x --base 99", file.display()));
    assert!(said(&unborn).1.contains("there is no version 99"), "{}", said(&unborn).1);
}

#[tokio::test]
async fn first_start_without_a_name_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&folder.path().join("server"), "serve --listen 127.0.0.1:0");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).1.contains("--organisation NAME"), "{}", said(&refused).1);
    start(crate::organisation::settings(&folder.path().join("server"))).await.unwrap();
}
