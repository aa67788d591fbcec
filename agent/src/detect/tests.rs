//! Detection lives through what people and programs do to the files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::report::{Finding, Severity};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::*;
use crate::steward::LocalDisk;
use crate::steward::tests::{PROGRAM, REAL, steward_of};

struct Story {
    scratch: tempfile::TempDir,
}

/// A running detection.
struct Watched {
    state: watch::Receiver<DetectState>,
    settings: watch::Sender<DetectSettings>,
    _look_again: Arc<Notify>,
}

impl Story {
    fn new(config: &str) -> Self {
        let story = Self { scratch: tempfile::tempdir().unwrap() };
        fs::create_dir_all(story.home().join(".claude/sessions")).unwrap();
        fs::write(story.scratch.path().join("identity.json"), "{}").unwrap();
        story.write(config);
        story
    }

    fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    fn steward(&self) -> Steward {
        steward_of(&self.home(), &self.scratch.path().join("state"), Arc::new(LocalDisk))
    }

    fn write(&self, text: &str) {
        let beside = self.home().join(".claude.json.tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, self.home().join(".claude.json")).unwrap();
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&fs::read(self.home().join(".claude.json")).unwrap()).unwrap()
    }

    /// As a hand or a program does it.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut value = self.value();
        change(&mut value);
        self.write(&serde_json::to_string_pretty(&value).unwrap());
    }

    /// Returns once the first look is done.
    async fn watch(&self, heal: bool) -> Watched {
        let (settings, receiver) = watch::channel(DetectSettings { heal });
        let look_again = Arc::new(Notify::new());
        let (sender, mut state) = watch::channel(DetectState::default());
        let identity = self.scratch.path().join("identity.json");
        tokio::spawn(run(self.steward(), identity, receiver, Arc::clone(&look_again), sender));
        tokio::time::timeout(Duration::from_secs(10), state.changed()).await.unwrap().unwrap();
        Watched { state, settings, _look_again: look_again }
    }
}

impl Watched {
    /// Waits for a state of which this holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&DetectState) -> bool) -> DetectState {
        let waited =
            tokio::time::timeout(Duration::from_secs(10), self.state.wait_for(|state| holds(state))).await;
        waited.unwrap_or_else(|_| panic!("never: {what}")).unwrap().clone()
    }

    async fn finding(&mut self, code: &str, subject: &str) -> Finding {
        let is = |finding: &Finding| finding.code == code && finding.subject == subject;
        let state = self.until(&format!("{code} {subject}"), |state| state.findings.iter().any(is)).await;
        state.findings.into_iter().find(is).unwrap()
    }

    fn findings(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.findings.iter().map(|finding| format!("{} {}", finding.code, finding.subject)).collect()
    }

    fn governed(&self) -> usize {
        self.state.borrow().coverage.servers.iter().filter(|server| server.governed).count()
    }
}

fn direct() -> Value {
    json!({"command": "npx", "args": ["-y", "@modelcontextprotocol/server-github"]})
}

#[tokio::test]
async fn the_first_roll_out_is_no_finding() {
    let story = Story::new(REAL);
    let watched = story.watch(true).await;
    assert_eq!((watched.governed(), watched.findings()), (4, vec![]));
    let editor =
        watched.state.borrow().coverage.servers.iter().find(|server| server.entry == "editor").cloned();
    assert!(editor.unwrap().why.contains("\"ws\""));
    assert_eq!(story.value()["mcpServers"]["github"]["command"], PROGRAM);
}

#[tokio::test]
async fn an_entry_that_is_put_back_by_hand_is_found_and_healed() {
    let story = Story::new(REAL);
    let mut watched = story.watch(true).await;
    let began = Instant::now();
    story.edit(|value| value["mcpServers"]["github"] = direct());
    let finding = watched.finding("entry-unwrapped", "claude-code/user/github").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((finding.severity, finding.healed), (Severity::Critical, true));
    assert!(finding.detail.contains("\"github\"") && finding.since_ms > 0, "{}", finding.detail);
    assert_eq!(story.value()["mcpServers"]["github"]["command"], PROGRAM);
}

#[tokio::test]
async fn without_healing_a_finding_stays_until_it_is_put_right() {
    let story = Story::new(REAL);
    story.steward().apply().unwrap();
    let mut watched = story.watch(false).await;
    assert_eq!(watched.findings(), Vec::<String>::new());
    story.edit(|value| {
        value["mcpServers"]["github"] = direct();
        value["mcpServers"]["new"] = json!({"command": "evil"});
    });
    assert!(!watched.finding("entry-unwrapped", "claude-code/user/github").await.healed);
    assert_eq!(watched.finding("entry-direct", "claude-code/user/new").await.severity, Severity::Warning);
    assert_eq!(story.value()["mcpServers"]["new"]["command"], "evil");
    // Policy turns healing on: both are put right.
    watched.settings.send(DetectSettings { heal: true }).unwrap();
    watched.until("both healed", |state| state.findings.iter().all(|finding| finding.healed)).await;
    assert_eq!(watched.governed(), 5);
    // Nobody's finding any more when the entry is gone for good.
    story.edit(|value| drop(value["mcpServers"].as_object_mut().unwrap().remove("new")));
    watched
        .until("new is gone", |state| state.coverage.servers.iter().all(|server| server.entry != "new"))
        .await;
}

#[tokio::test]
async fn what_was_changed_while_the_resident_was_stopped_is_found() {
    let story = Story::new(REAL);
    drop(story.watch(true).await);
    story.edit(|value| {
        value["mcpServers"]["github"] = direct();
        value["mcpServers"]["new"] = json!({"command": "evil"});
    });
    let watched = story.watch(true).await;
    assert_eq!(
        watched.findings(),
        ["entry-direct claude-code/user/new", "entry-unwrapped claude-code/user/github"]
    );
}

#[tokio::test]
async fn attack_restoring_by_command_or_losing_the_memory_is_found() {
    let story = Story::new(REAL);
    drop(story.watch(true).await);
    story.steward().restore().unwrap();
    let watched = story.watch(false).await;
    // By our own command, which the journal knows: worth a look, and no sign of a hand at work.
    assert_eq!(watched.findings().len(), 4, "{:?}", watched.findings());
    assert!(watched.findings().iter().all(|finding| finding.starts_with("entry-direct ")));
    let said = watched.state.borrow().findings[0].detail.clone();
    assert!(said.contains("since `portreeve configs restore`"), "{said}");
    drop(watched);
    // Without a memory, the journal tells what was governed.
    let story = Story::new(REAL);
    drop(story.watch(true).await);
    fs::remove_file(story.scratch.path().join("state/seen.json")).unwrap();
    story.edit(|value| {
        value["mcpServers"]["github"] = direct();
        value["mcpServers"]["new"] = json!({"command": "evil"});
    });
    let watched = story.watch(true).await;
    assert_eq!(
        watched.findings(),
        ["entry-direct claude-code/user/new", "entry-unwrapped claude-code/user/github"]
    );
}

#[tokio::test]
async fn a_machine_that_was_taken_out_is_not_healed_and_once_detection_ended_nothing_is() {
    let story = Story::new(REAL);
    let mut watched = story.watch(true).await;
    assert_eq!(watched.governed(), 4);
    fs::remove_file(story.scratch.path().join("identity.json")).unwrap();
    story.steward().restore().unwrap();
    watched.until("looked again", |state| state.coverage.servers.iter().all(|server| !server.governed)).await;
    assert_eq!(fs::read_to_string(story.home().join(".claude.json")).unwrap(), REAL);
}

#[tokio::test]
async fn detection_that_was_told_to_end_is_over_when_its_task_is() {
    let story = Story::new(REAL);
    let (settings, receiver) = watch::channel(DetectSettings { heal: true });
    let (sender, state) = watch::channel(DetectState::default());
    let identity = story.scratch.path().join("identity.json");
    let task = tokio::spawn(run(story.steward(), identity, receiver, Arc::default(), sender));
    drop(settings);
    tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
    story.write(REAL);
    assert!(state.has_changed().is_err(), "somebody still watches");
}

#[tokio::test]
async fn an_upgrade_to_another_place_is_no_finding() {
    let story = Story::new(REAL);
    let old = story.steward().at("/old/portreeve");
    old.apply().unwrap();
    let watched = story.watch(true).await;
    assert_eq!((watched.governed(), watched.findings()), (4, vec![]));
    assert!(!story.value().to_string().contains("/old/portreeve"));
}

#[tokio::test]
async fn a_broken_file_is_a_finding_until_it_is_whole_again() {
    let story = Story::new(REAL);
    let mut watched = story.watch(true).await;
    let whole = fs::read_to_string(story.home().join(".claude.json")).unwrap();
    story.write(&whole[..whole.len() / 2]);
    let finding = watched.finding("config-malformed", "claude-code/.claude.json").await;
    assert!(finding.detail.contains("line"), "{}", finding.detail);
    assert_eq!(fs::read_to_string(story.home().join(".claude.json")).unwrap(), whole[..whole.len() / 2]);
    story.write(&whole);
    watched.until("whole again", |state| state.findings.is_empty()).await;
    assert_eq!(watched.governed(), 4, "what was governed is not taken for new");
}

#[tokio::test]
async fn a_new_project_server_is_found_once_it_is_approved() {
    let story = Story::new("{}");
    let project = story.home().join("shop");
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join(".mcp.json"), r#"{"mcpServers":{"team":{"command":"npx","args":["t"]}}}"#)
        .unwrap();
    story.write(&json!({"projects": {project.to_str().unwrap(): {}}}).to_string());
    let mut watched = story.watch(true).await;
    assert_eq!((watched.governed(), watched.findings()), (0, vec![]));
    story.edit(|value| {
        value["projects"][project.to_str().unwrap()] = json!({"enabledMcpjsonServers": ["team"]});
    });
    watched.until("shadowed", |state| state.coverage.servers.iter().any(|server| server.governed)).await;
    // The team's file changes under watch.
    fs::write(project.join(".mcp.json"), r#"{"mcpServers":{"team":{"command":"npx","args":["u"]}}}"#)
        .unwrap();
    let followed =
        || story.value()["projects"][project.to_str().unwrap()]["mcpServers"]["team"]["args"][5] == "u";
    let deadline = Instant::now() + Duration::from_secs(10);
    while !followed() {
        assert!(Instant::now() < deadline, "the shadow never followed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fifty writes a second by another program: nothing of it is lost, and we do not spin.
#[tokio::test]
async fn a_storm_of_writes_loses_nothing() {
    let story = Story::new(r#"{"n":0,"mcpServers":{"a":{"command":"x"}}}"#);
    let mut watched = story.watch(true).await;
    let config = story.home().join(".claude.json");
    let storm = tokio::task::spawn_blocking(move || {
        for n in 1..=100 {
            let lock = config.with_file_name(".claude.json.lock");
            while fs::create_dir(&lock).is_err() {
                std::thread::sleep(Duration::from_millis(1)); // a client waits so for its turn
            }
            let mut value: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
            value["n"] = n.into();
            value["mcpServers"][format!("s{n}")] = json!({"command": format!("c{n}")});
            let beside = config.with_file_name(".claude.json.tmp");
            fs::write(&beside, value.to_string()).unwrap();
            fs::rename(&beside, &config).unwrap();
            fs::remove_dir(&lock).unwrap();
            std::thread::sleep(Duration::from_millis(20)); // the storm's own pace
        }
    });
    storm.await.unwrap();
    watched
        .until("all are governed", |state| {
            let governed = state.coverage.servers.iter().filter(|server| server.governed);
            governed.count() == 101
        })
        .await;
    assert_eq!(story.value()["n"], 100);
    assert_eq!(watched.findings().len(), 100);
}

#[test]
fn subjects_are_stable_and_readable() {
    use crate::clients::{Client, Scope};
    use crate::steward::{Row, Standing};
    for (scope, project, expected) in [
        (Scope::User, "", "claude-code/user/gh"),
        (Scope::Local, "/home/u/p", "claude-code/local/home/u/p/gh"),
        (Scope::Project, "C:/code/p", "claude-code/project/C:/code/p/gh"),
    ] {
        let row = Row {
            scope,
            project: project.into(),
            entry: "gh".into(),
            identity: String::new(),
            steered_by: Vec::new(),
            standing: Standing::Direct,
        };
        assert_eq!(judgement::subject(Client::ClaudeCode, &row), expected);
    }
}

/// The command line stays that of an allowed package; another registry, or a library loaded first,
/// makes it another program.
#[tokio::test]
async fn a_variable_beside_an_allowed_package_makes_it_another_program() {
    let story = Story::new(REAL);
    let mut watched = story.watch(true).await;
    assert_eq!(watched.findings(), Vec::<String>::new());
    let registry = json!({"NPM_CONFIG_REGISTRY": "https://planted.test", "GITHUB_TOKEN": "planted", "ld_preload": "planted.so"});
    story.edit(|value| value["mcpServers"]["github"]["env"] = registry);
    let finding = watched.finding("entry-steered", "claude-code/user/github").await;
    assert_eq!((finding.severity, finding.healed), (Severity::Warning, false));
    for named in ["NPM_CONFIG_REGISTRY", "ld_preload", "npm:@modelcontextprotocol/server-github"] {
        assert!(finding.detail.contains(named), "{}", finding.detail);
    }
    for kept in ["planted", "GITHUB_TOKEN"] {
        assert!(!finding.detail.contains(kept), "{}", finding.detail);
    }
    let is_governed = |state: &DetectState| {
        let found = state.coverage.servers.iter().find(|server| server.entry == "github");
        found.map(|server| (server.governed, server.why.clone())).unwrap()
    };
    let (governed, why) = is_governed(&watched.state.borrow());
    assert!(!governed && why.contains("NPM_CONFIG_REGISTRY, which decides what really runs"), "{why}");
    // A company's own proxy is told of, and takes nothing out of the guard's hands.
    story.edit(|value| value["mcpServers"]["github"]["env"] = json!({"HTTPS_PROXY": "http://planted.test"}));
    watched.until("governed again", |state| is_governed(state) == (true, String::new())).await;
    let finding = watched.finding("entry-steered", "claude-code/user/github").await;
    assert!(finding.detail.contains("HTTPS_PROXY"), "{}", finding.detail);
    story.edit(|value| value["mcpServers"]["github"]["env"] = json!({"GITHUB_TOKEN": "planted"}));
    watched.until("it is gone", |state| state.findings.is_empty()).await;
}
