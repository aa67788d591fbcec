//! The commands as a developer runs them: the built program in a home of its own, exit code and words.

use crate::client::World;
use crate::resident::Line;
use platform::Layout;
use platform::ipc::Listener;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

const DIRECT: &str = r#"{"mcpServers":{"a":{"command":"npx","args":["-y","x"]}}}"#;

struct Developer {
    world: World,
    layout: Layout,
}

impl Developer {
    fn new() -> Self {
        let world = World::new();
        let layout = Layout::under(&world.root()).unwrap();
        layout.create().unwrap();
        let developer = Self { world, layout };
        std::fs::create_dir_all(developer.home().join(".claude")).unwrap();
        std::fs::write(developer.config(), DIRECT).unwrap();
        developer
    }

    fn enrolled() -> Self {
        let developer = Self::new();
        let identity = json!({
            "device_id": "device-1", "member": "alice@acme.example", "organisation": "acme",
            "server": "https://portreeve.acme.example/", "enrolled_at": "2026-11-20T00:00:00Z",
        });
        std::fs::write(developer.layout.identity(), identity.to_string()).unwrap();
        developer
    }

    fn home(&self) -> PathBuf {
        self.world.path().join("home")
    }

    fn config(&self) -> PathBuf {
        self.home().join(".claude.json")
    }

    fn runs(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg("--root").arg(self.world.root()).args(args);
        command.env("HOME", self.home()).env("USERPROFILE", self.home()).env_remove("CLAUDE_CONFIG_DIR");
        Said(command.output().unwrap())
    }

    fn is_wrapped(&self) -> bool {
        std::fs::read_to_string(self.config()).unwrap() != DIRECT
    }
}

struct Said(Output);

impl Said {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}

#[test]
fn nothing_is_wrapped_on_a_machine_that_is_not_enrolled() {
    let developer = Developer::new();
    let said = developer.runs(&["configs", "apply"]);
    assert_eq!(said.code(), Some(3), "{}", said.stderr());
    assert!(said.stderr().contains("`portreeve enroll`"), "{}", said.stderr());
    assert!(!developer.is_wrapped());
}

#[test]
fn what_is_advised_before_enrolling_can_be_done() {
    let developer = Developer::new();
    let said = developer.runs(&["configs", "list"]).stdout();
    assert!(said.contains("`portreeve enroll && portreeve configs apply` puts it in front"), "{said}");
    let listed: Value =
        serde_json::from_str(&developer.runs(&["--json", "configs", "list"]).stdout()).unwrap();
    assert!(listed["servers"][0]["why"].as_str().unwrap().contains("portreeve enroll &&"), "{listed}");
    let guarded = json!({"command": env!("CARGO_BIN_EXE_portreeve"), "args": ["wrap", "--policy", "p", "--", "npx", "x"]});
    let by_hand = Developer::new();
    std::fs::write(by_hand.config(), json!({"mcpServers": {"a": guarded}}).to_string()).unwrap();
    let said = by_hand.runs(&["configs", "list"]).stdout();
    assert!(said.contains("put there by hand, as for a trial"), "{said}");
    let planned = developer.runs(&["configs", "plan"]).stdout();
    assert!(
        planned.contains("1 servers would change") && planned.contains("`portreeve enroll`"),
        "{planned}"
    );
    let enrolled = Developer::enrolled().runs(&["configs", "list"]).stdout();
    assert!(enrolled.contains(": goes around the guard; `portreeve configs apply` puts"), "{enrolled}");
}

#[test]
fn an_entry_whose_variables_run_something_else_is_not_listed_as_governed() {
    let developer = Developer::enrolled();
    let entry = |env: Value| json!({"mcpServers": {"a": {"command": "npx", "args": ["x"], "env": env}}});
    for (env, count) in [(json!({"LD_PRELOAD": "/x.so"}), "0 of 1"), (json!({"TOKEN": "t"}), "1 of 1")] {
        std::fs::write(developer.config(), entry(env).to_string()).unwrap();
        assert_eq!(developer.runs(&["configs", "apply"]).code(), Some(0));
        let (listed, status) = (developer.runs(&["configs", "list"]), developer.runs(&["status"]));
        for said in [listed.stdout(), status.stdout()] {
            assert!(said.contains(&format!("{count} ")), "{count}: {said}");
            let steered = said.contains("its env sets LD_PRELOAD, which decides what really runs");
            assert_eq!(steered, count.starts_with('0'), "{said}");
        }
    }
}

#[test]
fn a_guard_of_a_trial_is_known_whatever_stands_before_the_verb() {
    let developer = Developer::enrolled();
    let program = env!("CARGO_BIN_EXE_portreeve");
    for before in [&["--root", "/r", "wrap"][..], &["--json", "--verbose", "wrap"], &["wrap", "--root", "/r"]]
    {
        let args = [before, &["--policy", "p", "--", "npx", "x"]].concat();
        let entry = json!({"mcpServers": {"a": {"command": program, "args": args}}});
        std::fs::write(developer.config(), entry.to_string()).unwrap();
        let said = developer.runs(&["configs", "list"]).stdout();
        assert!(said.contains("npm:x") && !said.contains("goes around"), "{before:?}: {said}");
        assert_eq!(developer.runs(&["configs", "apply"]).code(), Some(0));
        let written: Value =
            serde_json::from_str(&std::fs::read_to_string(developer.config()).unwrap()).unwrap();
        let written = written["mcpServers"]["a"]["args"].as_array().unwrap().clone();
        assert_eq!(written.iter().filter(|arg| *arg == "wrap").count(), 1, "{written:?}");
        assert!(!written.contains(&json!("--policy")), "{written:?}");
    }
}

#[test]
fn of_a_cut_off_configuration_no_number_of_servers_is_made_up() {
    let developer = Developer::enrolled();
    developer.runs(&["configs", "apply"]);
    std::fs::write(developer.config(), r#"{"mcpServers":{"a":"#).unwrap();
    let listed = developer.runs(&["configs", "list"]);
    assert_eq!(listed.code(), Some(4));
    assert!(
        listed.stdout().contains("is unknown") && !listed.stdout().contains("0 of 0"),
        "{}",
        listed.stdout()
    );
    assert_eq!(developer.runs(&["configs", "restore"]).code(), Some(4), "as list, plan and apply");
}

#[test]
fn a_failure_is_said_once_in_the_form_that_was_asked_for() {
    let developer = Developer::new();
    let said = developer.runs(&["--json", "configs", "apply"]);
    let value: Value = serde_json::from_str(&said.stdout()).unwrap();
    assert!(value["error"].as_str().unwrap().contains("not enrolled"), "{value}");
    assert_eq!(said.stderr(), "");
    assert_eq!(developer.runs(&["configs", "apply"]).stdout(), "");
}

#[test]
fn a_plan_lists_what_changes_and_counts_the_rest() {
    let developer = Developer::enrolled();
    let said = developer.runs(&["configs", "plan"]).stdout();
    assert!(said.contains("npm:x") && said.contains("1 servers would change, 0 stay as they are"), "{said}");
    assert_eq!(developer.runs(&["configs", "apply"]).code(), Some(0));
    let said = developer.runs(&["configs", "plan"]).stdout();
    assert_eq!(said, "0 servers would change, 1 stay as they are\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_the_resident_would_undo_is_refused_and_otherwise_done() {
    for (heals, code, wrapped) in [(true, 4, true), (false, 0, false)] {
        let developer = Developer::enrolled();
        assert_eq!(developer.runs(&["configs", "apply"]).code(), Some(0));
        let mut listener = Listener::bind(&developer.layout).unwrap();
        let resident = tokio::spawn(async move {
            loop {
                let mut line = Line::accept(&mut listener).await;
                let answer = match line.hear().await.as_str() {
                    Some("status") => json!({"status": {"status": {"heals": heals}}}),
                    _ => json!("done"),
                };
                line.say(&answer).await;
            }
        });
        let said = tokio::task::block_in_place(|| developer.runs(&["configs", "restore"]));
        assert_eq!(said.code(), Some(code), "{}", said.stderr());
        assert_eq!(developer.is_wrapped(), wrapped);
        assert_eq!(said.stderr().contains("to leave, use `portreeve unenroll`"), heals, "{}", said.stderr());
        resident.abort();
    }
    let developer = Developer::enrolled();
    developer.runs(&["configs", "apply"]);
    assert!(developer.is_wrapped());
    assert_eq!(developer.runs(&["configs", "restore"]).code(), Some(0), "nobody would undo it");
    assert!(!developer.is_wrapped());
}
