//! `--policy FILE`: a local document, for a trial.

use crate::client::{World, misbehaving};

#[test]
fn a_syntax_error_is_named_by_file_line_and_column() {
    let world = World::new();
    std::fs::write(world.policy(), "[defaults]\nmode = \"enforce\"\n\n[grants\n").unwrap();
    let mut guard = world.guard_misbehaving();
    assert_eq!(guard.wait().code(), Some(2));
    let complaint = guard.complaints();
    let place = format!("{}:4:", world.policy().display());
    assert!(complaint.lines().any(|line| line.starts_with(&place)), "{complaint}");
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
    assert_eq!(guard.wait().code(), Some(2));
    let complaint = guard.complaints();
    for named in ["mood", "nobody", "nothing"] {
        assert!(complaint.lines().any(|line| line.contains(named)), "{named}: {complaint}");
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
    assert_eq!(guard.wait().code(), Some(2));
    assert!(guard.complaints().contains("wipe"));
}

#[test]
fn a_governed_machine_takes_no_local_document() {
    for governed_by in ["state/device/identity.json", "etc/managed.json"] {
        let world = World::new();
        let file = world.root().join(governed_by);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{}").unwrap();
        let mut guard = world.guard_misbehaving();
        assert_eq!(guard.wait().code(), Some(2));
        let complaint = guard.complaints();
        assert!(
            complaint.contains("--policy is not taken here") && complaint.contains(governed_by),
            "{complaint}"
        );
    }
}

#[test]
fn without_a_policy_everything_is_refused_and_the_refusal_says_why() {
    let world = World::new();
    let server = misbehaving();
    let mut guard = world.start(&["wrap", "--", server.to_str().unwrap()], &[]);
    guard.initialize();
    let refused = guard.call(1, "echo", &serde_json::json!({}));
    let message = crate::client::message_of(&refused);
    assert!(message.contains("not enrolled") && message.contains("portreeve enroll"), "{message}");
    guard.leave();
}
