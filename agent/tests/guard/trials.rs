//! What the developer is told of a trial: `status`, `doctor`, and what the guard says at its start.

use crate::client::{Guard, POLICY, World, eventually, message_of, misbehaving};
use serde_json::{Value, json};
use std::process::{Command, Output};

/// The built program in this world, with a home folder of its own.
fn runs(world: &World, args: &[&str]) -> Output {
    let home = world.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.arg("--root").arg(world.root()).args(args);
    command.env("HOME", &home).env("USERPROFILE", &home).env_remove("CLAUDE_CONFIG_DIR").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

/// All that a guard has said on stderr, its client having left.
fn complaints(mut guard: Guard) -> String {
    guard.close_stdin();
    guard.wait();
    guard.complaints()
}

fn guard_with_a_refusal(world: &World) -> Guard {
    let mut guard = world.guard_misbehaving();
    guard.initialize();
    message_of(&guard.call(1, "wipe", &json!({})));
    guard
}

#[test]
fn status_and_doctor_tell_the_truth_of_a_trial() {
    let world = World::new();
    assert_eq!(runs(&world, &["doctor"]).status.code(), Some(4), "without a trial it lacks a profile");
    let guard = guard_with_a_refusal(&world);
    let file = world.policy().display().to_string();

    let status = runs(&world, &["status"]);
    let text = said(&status);
    assert_eq!(status.status.code(), Some(3), "{text}");
    for part in [
        "with no organisation: this is a trial",
        "1 running",
        &format!("pid {}; under {file} (enforce); ", guard.id()),
        "1 refused; record ",
        "wipe on exec:",
        "`portreeve explain`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for lie in ["everything is refused", "locked", "not running", "`portreeve run`"] {
        assert!(!text.contains(lie), "{lie}: {text}");
    }
    let told: Value = serde_json::from_slice(&runs(&world, &["--json", "status"]).stdout).unwrap();
    assert_eq!(told["trials"][0]["pid"], guard.id());
    assert_eq!(told["trials"][0]["policy_file"], file.as_str());
    assert_eq!(told["trials"][0]["refused"], 1);
    assert_eq!(told["last_refusal"]["tool"], "wipe");

    let doctor = runs(&world, &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
    assert!(said(&doctor).contains(&format!("runs under {file} (enforce)")), "{}", said(&doctor));

    guard.leave();
    let text = said(&runs(&world, &["status"]));
    assert!(text.contains("none runs now; 1 ran") && text.contains("ended; last record"), "{text}");
    assert_eq!(runs(&world, &["doctor"]).status.code(), Some(0));
}

#[test]
fn a_policy_file_that_broke_under_a_running_trial_is_a_problem() {
    let world = World::new();
    let guard = guard_with_a_refusal(&world);
    std::fs::write(world.policy(), "[defaults\n").unwrap();
    let doctor = runs(&world, &["doctor"]);
    let text = said(&doctor);
    assert_eq!(doctor.status.code(), Some(4), "{text}");
    assert!(
        text.contains("what its policy file said when it started") && text.contains("p.toml:1:"),
        "{text}"
    );
    guard.leave();
}

#[test]
fn a_server_that_no_policy_names_is_said_at_the_start() {
    for (mode, consequence) in [("enforce", "is refused"), ("monitor", "would be refused")] {
        let world = World::new();
        std::fs::write(world.policy(), format!("[defaults]\nmode = \"{mode}\"\n")).unwrap();
        let guard = world.guard_misbehaving();
        let identity = format!("exec:{}", misbehaving().display());
        let entry = || said(&runs(&world, &["status", "--server", "entry"]));
        eventually("status tells of the server", || entry().contains("no [servers.*]"));
        assert!(entry().contains(&identity) && entry().contains(consequence), "{}", entry());
        let doctor = runs(&world, &["doctor"]);
        assert_eq!(doctor.status.code(), Some(4), "{}", said(&doctor));
        let complaints = complaints(guard);
        let line = complaints.lines().find(|line| line.contains("no [servers.*] of the policy matches"));
        let line = line.unwrap_or_else(|| panic!("not said: {complaints}"));
        assert!(line.contains(&identity) && line.contains(consequence), "{line}");
    }
    let world = World::new();
    std::fs::write(world.policy(), POLICY).unwrap();
    let complaints = complaints(world.guard_misbehaving());
    assert!(!complaints.contains("no [servers.*]"), "{complaints}");
}

#[test]
fn headers_that_cannot_be_used_are_said_at_the_start_with_an_example() {
    for (headers, said) in [
        ("Authorization: Bearer s3cr3t", "is no JSON, from column 1 of its line 1"),
        (r#"{"X": "s3cr3t" "Y": 1}"#, "is no JSON, from column 16"),
        (
            r#"{"Authorization": {"Bearer": "s3cr3t"}}"#,
            "the value of `Authorization` in PORTREEVE_HEADERS is an object",
        ),
        (r#"{"Authorization: Bearer s3cr3t": ""}"#, "`Authorization…` in PORTREEVE_HEADERS begins a name"),
    ] {
        let world = World::new();
        let env = [("PORTREEVE_HEADERS", headers)];
        let guard = complaints(world.guard(&["--http", "http://127.0.0.1:9/mcp"], &env));
        let mut door = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        door.arg("--root").arg(world.root()).args([
            "serve",
            "--upstream",
            "http://127.0.0.1:9/mcp",
            "--policy",
        ]);
        let door = door.arg(world.policy()).envs(env).output().unwrap();
        assert_eq!(door.status.code(), Some(2));
        for text in [guard, self::said(&door)] {
            assert!(text.contains(said), "{said}: {text}");
            assert!(text.contains(r#"'{"Authorization":"Bearer TOKEN""#), "{text}");
            assert!(!text.contains("s3cr3t"), "{text}");
        }
        // A local server has no use for them.
        let local = complaints(world.guard_misbehaving_with(&env));
        assert!(!local.contains("PORTREEVE_HEADERS"), "{local}");
    }
}
