//! `--policy FILE`: a local document, for a trial.

use crate::client::{Guard, World, eventually, message_of, misbehaving};
use serde_json::json;

/// The guard answers by why it cannot guard, and is gone with its client: what the client was told.
fn declined(guard: &mut Guard) -> String {
    let told = message_of(&guard.initialize()).to_owned();
    assert_eq!(message_of(&guard.call(1, "echo", &json!({}))), told);
    guard.close_stdin();
    assert_eq!(guard.wait().code(), Some(2));
    told
}

#[test]
fn a_syntax_error_is_named_by_file_line_and_column() {
    let world = World::new();
    std::fs::write(world.policy(), "[defaults]\nmode = \"enforce\"\n\n[grants\n").unwrap();
    let mut guard = world.guard_misbehaving();
    let told = declined(&mut guard);
    let complaint = guard.complaints();
    let place = format!("{}:4:", world.policy().display());
    assert!(complaint.lines().any(|line| line.starts_with(&place)), "{complaint}");
    assert!(told.contains("did not start it") && told.contains(&place), "{told}");
    assert!(!world.pid_file().exists(), "the server was started all the same");
}

#[test]
fn every_fault_has_its_own_line() {
    let world = World::new();
    std::fs::write(
        world.policy(),
        "[defaults]\nmood = \"enforce\"\n[[grants]]\nname = \"g\"\nroles = [\"nobody\"]\nservers = [\"nothing\"]\ntools = [\"*\"]\n",
    )
    .unwrap();
    let mut guard = world.guard_misbehaving();
    let told = declined(&mut guard);
    let complaint = guard.complaints();
    for named in ["mood", "nobody", "nothing"] {
        assert!(complaint.lines().any(|line| line.contains(named)), "{named}: {complaint}");
        assert!(told.contains(named), "{named}: {told}");
    }
}

#[test]
fn a_document_whose_own_test_fails_is_not_used() {
    let world = World::new();
    let text = format!(
        "{}\n[[tests]]\nmember = \"you@localhost\"\nserver = \"web\"\ntool = \"wipe\"\nexpect = \"allow\"\n",
        crate::client::POLICY
    );
    std::fs::write(world.policy(), text).unwrap();
    let mut guard = world.guard_misbehaving();
    let told = declined(&mut guard);
    assert!(guard.complaints().contains("wipe") && told.contains("wipe"));
}

#[test]
fn a_governed_machine_takes_no_local_document() {
    for governed_by in ["state/device/identity.json", "etc/managed.json"] {
        let world = World::new();
        let file = world.root().join(governed_by);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{}").unwrap();
        let mut guard = world.guard_misbehaving();
        let told = declined(&mut guard);
        for said in [guard.complaints(), told] {
            assert!(said.contains("--policy is not taken here") && said.contains(governed_by), "{said}");
        }
    }
}

#[test]
fn without_a_policy_everything_is_refused_and_the_refusal_says_why() {
    let world = World::new();
    let server = misbehaving();
    let mut guard = world.start(&["wrap", "--", server.to_str().unwrap()], &[]);
    let refused = guard.initialize();
    let message = message_of(&refused);
    assert!(message.contains("not enrolled") && message.contains("portreeve enroll"), "{message}");
    guard.leave();
}

/// `npx -y whatever` would have run its code by then.
#[test]
fn a_server_outside_the_catalogue_is_never_started_and_says_no_word_to_the_model() {
    let world = World::new();
    let policy = crate::client::POLICY.replace("exec:*misbehaving-server", "exec:/opt/acme/another");
    std::fs::write(world.policy(), policy).unwrap();
    let mut guard = world.guard_misbehaving();
    let refused = guard.initialize();
    let message = message_of(&refused);
    let line = format!("match = [\"exec:{}\"]", misbehaving().display());
    for part in ["did not start it", &line, world.policy().to_str().unwrap(), "security@acme.example"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("organisation") && !message.contains("\"default\""), "{message}");
    for (id, method) in (1..).zip(["server/discover", "tools/list", "resources/list", "prompts/get", "ping"])
    {
        assert_eq!(message_of(&guard.ask(id, method, &json!({"name": "x"}))), message, "{method}");
    }
    assert!(!world.pid_file().exists(), "the server was started");
    let recorded = &world.records_of("call")[0];
    assert_eq!(
        (&recorded["method"], &recorded["decision"], &recorded["rule"]),
        (&json!("initialize"), &json!("refused"), &json!("default"))
    );
    assert_eq!(guard.leave().code(), Some(1));

    let identity = recorded["server"]["identity"].as_str().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portreeve"));
    let asked = command.arg("--root").arg(world.root()).args(["status", "--server", identity]);
    let said = String::from_utf8(asked.output().unwrap().stderr).unwrap();
    assert!(said.contains("was refused by policy") && said.contains("not started"), "{said}");
}

/// Whoever is told the line to add would add it, and be told only then.
#[cfg(unix)]
#[test]
fn a_program_that_is_not_there_is_said_before_any_line_for_the_policy() {
    let world = World::new();
    let mut guard = world.guard(&["--", "/typo/in/program"], &[]);
    let message = message_of(&guard.initialize()).to_owned();
    assert!(message.contains("there is no program `/typo/in/program`"), "{message}");
    guard.close_stdin();
    assert_eq!(guard.wait().code(), Some(2));
    let complaints = guard.complaints();
    assert!(complaints.contains("there is no program") && !complaints.contains("match"), "{complaints}");
}

#[test]
fn a_server_that_policy_denies_whole_is_never_started() {
    let world = World::new();
    let deny = "\n[[grants]]\nname = \"no-such-server\"\neffect = \"deny\"\nroles = [\"all\"]\nservers = [\"misbehaving\"]\nreason = \"It misbehaves.\"\n";
    std::fs::write(world.policy(), format!("{}{deny}", crate::client::POLICY)).unwrap();
    let refused = world.guard_misbehaving().initialize();
    let message = message_of(&refused);
    for part in ["\"misbehaving\"", "\"no-such-server\"", "It misbehaves.", "did not start it"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!world.pid_file().exists(), "the server was started");
}

#[test]
fn in_monitor_mode_a_server_outside_the_catalogue_is_started() {
    let world = World::new();
    std::fs::write(world.policy(), "[defaults]\nmode = \"monitor\"\n").unwrap();
    let mut guard = world.guard_misbehaving();
    assert_eq!(guard.initialize()["result"]["serverInfo"]["name"], "misbehaving");
    eventually("the server runs", || world.pid_file().exists());
}

#[test]
fn explain_says_which_file_refused_and_whom_to_ask() {
    let world = World::new();
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    message_of(&guard.call(1, "wipe", &json!({})));
    guard.leave();
    let explained = |json: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portreeve"));
        let output = command.arg("--root").arg(world.root()).args(json).arg("explain").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let file = world.policy();
    let refused: serde_json::Value = serde_json::from_str(&explained(&["--json"])).unwrap();
    assert_eq!(refused[0]["tool"], "wipe");
    assert_eq!(refused[0]["policy_file"], file.to_str().unwrap());
    assert!(refused[0]["contact"].as_str().unwrap().ends_with("@acme.example"), "{refused}");
    let said = explained(&[]);
    assert!(said.contains(&format!("of {} (a trial, unsigned)", file.display())), "{said}");
    assert!(said.contains("    ask       ") && !said.contains("version 0"), "{said}");
    std::fs::remove_file(&file).unwrap();
    assert!(explained(&[]).contains("wipe"), "a file that is gone names nobody");
}
