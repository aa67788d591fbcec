//! A server says something else of its tool than it said yesterday, on an enrolled machine: what guards see,
//! the resident pins; what changed is held back or reported, and approved under a guard that runs on.

use harness::mcp_client::Session;
use harness::stage::{self, MEMBER, Stage};
use harness::wait;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const FIRST: &str = "Says it again.";
const SECOND: &str = "Says it again, and to others.";

/// A governed machine with one server that says of `echo` what stands in a file.
struct Fickle {
    stage: Stage,
    description: PathBuf,
}

impl Fickle {
    fn under(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let description = folder.join("description");
        std::fs::write(&description, FIRST).unwrap();
        let variable = ("SAMPLE_SERVER_DESCRIPTION", description.to_str().unwrap());
        let entry = stage::sample("everything", &[variable]).unwrap();
        let policy = stage::usual_policy()
            .unwrap()
            .replace("mode = \"enforce\"", &format!("mode = \"enforce\"\ndefinitions = \"{mode}\""));
        let stage = Stage::governed_with(&policy, &json!({ "everything": entry })).unwrap();
        Self { stage, description }
    }

    fn says(&self, text: &str) {
        std::fs::write(&self.description, text).unwrap();
    }

    fn pins(&self, args: &[&str]) -> Value {
        self.stage.machine.run_json(&[&["pins"], args].concat()).unwrap()
    }

    fn is_pinned(&self, tool: &str) -> bool {
        entries(&self.pins(&["list"])).any(|entry| entry["name"] == tool && !entry["pinned"].is_null())
    }

    /// The first client sees the tools, and what it saw is pinned.
    fn is_used_once(&self) {
        let mut session = self.stage.open("everything").unwrap();
        assert_eq!(session.tools().unwrap(), ["echo", "get-sum"]);
        let answer = session.call("echo", &json!({"message": "x"})).unwrap();
        assert!(answer.get("result").is_some(), "{answer}");
        wait::until("the resident pins what was seen", SOON, || {
            let list = self.pins(&["list"]);
            entries(&list).filter(|entry| !entry["pinned"].is_null()).count() == 3
        })
        .unwrap();
    }

    fn alert(&self, code: &str) -> Option<Value> {
        self.stage.organisation.open_alerts().ok()?.into_iter().find(|alert| alert["code"] == code)
    }

    fn definitions(&self, event: &str) -> Vec<Value> {
        let records = self.stage.organisation.records().unwrap();
        records.into_iter().filter(|it| it["kind"] == "definition" && it["event"] == event).collect()
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        let _ = self.description.parent().map(std::fs::remove_dir_all);
    }
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    let servers = list["servers"].as_array().into_iter().flatten();
    servers.flat_map(|server| server["pins"].as_array().into_iter().flatten())
}

fn refusal(session: &mut Session) -> String {
    let answer = session.call("echo", &json!({"message": "x"})).unwrap();
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("not refused: {answer}")).to_owned()
}

fn status_of_pins(fickle: &Fickle) -> (Value, String) {
    let status = fickle.stage.machine.status().unwrap();
    let doctor = fickle.stage.machine.try_run(&["doctor"]).unwrap();
    (status["definitions"].clone(), String::from_utf8(doctor.stdout).unwrap())
}

#[test]
fn a_tool_that_changed_is_held_back_until_it_is_approved_under_the_running_guard() {
    let fickle = Fickle::under("hold");
    fickle.is_used_once();
    assert_eq!(status_of_pins(&fickle).0, json!({"held": [], "unreadable": []}));

    fickle.says(SECOND);
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), ["get-sum"], "it is not shown");
    let why = refusal(&mut session);
    for part in ["definition-changed", "in description", "security@acme.example", "portreeve pins diff"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(!why.contains(SECOND), "the model reads a refusal: {why}");

    // The alert is where the security engineer is, with what differs.
    let alert =
        wait::for_value("the alert", SOON, || fickle.alert("definition-changed")).unwrap().to_string();
    for part in [FIRST, SECOND, "echo", "It is held back"] {
        assert!(alert.contains(part), "{part}: {alert}");
    }
    wait::until("the resident knows what is held", SOON, || {
        entries(&fickle.pins(&["list"])).any(|entry| !entry["held"].is_null())
    })
    .unwrap();
    let (status, doctor) = status_of_pins(&fickle);
    assert_eq!(status["held"][0]["definitions"], json!(["tool echo"]));
    assert!(doctor.contains("held back: tool echo") && doctor.contains("portreeve pins diff"), "{doctor}");
    let diff = fickle.pins(&["diff"]);
    assert_eq!((&diff[0]["name"], &diff[0]["held"]), (&json!("echo"), &json!(true)));
    assert_eq!(
        diff[0]["changes"][0],
        json!({"member": "description", "was": json!(FIRST).to_string(), "is": json!(SECOND).to_string()})
    );

    // By another name it is the same server.
    let mut file = fickle.stage.machine.config(".claude.json").unwrap();
    let servers = file["mcpServers"].as_object_mut().unwrap();
    let entry = servers.remove("everything").unwrap();
    servers.insert("harmless".to_owned(), entry);
    std::fs::write(fickle.stage.machine.home.join(".claude.json"), file.to_string()).unwrap();
    fickle.stage.machine.run(&["configs", "apply"]).unwrap();
    let mut renamed = fickle.stage.open("harmless").unwrap();
    assert_eq!(renamed.tools().unwrap(), ["get-sum"]);
    assert!(refusal(&mut renamed).contains("definition-changed"));

    assert_eq!(fickle.pins(&["approve"]), json!({"approved": 1}));
    for running in [&mut session, &mut renamed] {
        running.notification("notifications/tools/list_changed", SOON).unwrap();
        assert_eq!(running.tools().unwrap(), ["echo", "get-sum"]);
        let answer = running.call("echo", &json!({"message": "x"})).unwrap();
        assert!(answer.get("result").is_some(), "{answer}");
    }
    assert_eq!(status_of_pins(&fickle).0["held"], json!([]));
    // Who trusted it is on record, and the alert has had its answer.
    wait::until("the approval upstream", SOON, || !fickle.definitions("approved").is_empty()).unwrap();
    let approved = &fickle.definitions("approved")[0];
    assert_eq!((&approved["tool"], &approved["member"]), (&json!("echo"), &json!(MEMBER)));
    assert!(!approved["os_user"].as_str().unwrap().is_empty());
    wait::until("the alert is over", SOON, || fickle.alert("definition-changed").is_none()).unwrap();

    fickle.says(FIRST);
    let mut session = fickle.stage.open("harmless").unwrap();
    assert_eq!(session.tools().unwrap(), ["get-sum"], "what was approved is what counts");
}

#[test]
fn under_report_a_change_passes_and_the_alert_says_what_differs() {
    let fickle = Fickle::under("report");
    fickle.is_used_once();
    fickle.says(SECOND);
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), ["echo", "get-sum"]);
    let answer = session.call("echo", &json!({"message": "x"})).unwrap();
    assert!(answer.get("result").is_some(), "{answer}");
    let alert =
        wait::for_value("the alert", SOON, || fickle.alert("definition-changed")).unwrap().to_string();
    for part in [FIRST, SECOND, "It is in use"] {
        assert!(alert.contains(part), "{part}: {alert}");
    }
    assert_eq!(status_of_pins(&fickle).0["held"], json!([]));
}

/// The server says what it always said; the policy comes to name a wrong fingerprint, and then none any more.
#[test]
fn what_policys_own_pins_hold_is_told_as_that_and_everything_follows_the_policy() {
    let fickle = Fickle::under("report");
    fickle.is_used_once();
    let plain = stage::usual_policy().unwrap();
    let holding = plain.replace("mode = \"enforce\"", "mode = \"enforce\"\ndefinitions = \"hold\"");
    let pins = format!("{holding}\n[servers.everything.pins]\necho = \"sha256:{}\"\n", "0".repeat(64));
    fickle.stage.organisation.publish(&pins, "pins").unwrap();
    let standing = |tool: &str| {
        let list = fickle.pins(&["list"]);
        entries(&list).find(|entry| entry["name"] == tool).unwrap()["standing"].as_str().unwrap().to_owned()
    };
    wait::until("the policy arrives", SOON, || standing("echo") == "other-fingerprint").unwrap();
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), Vec::<String>::new());
    assert!(refusal(&mut session).contains("policy names another fingerprint"));
    drop(session);
    let alert_of = |tool: &str| {
        let alerts = fickle.stage.organisation.open_alerts().unwrap();
        alerts.into_iter().find(|it| it["subject"].as_str().is_some_and(|subject| subject.ends_with(tool)))
    };
    for (tool, words) in [
        ("tool echo", "has another fingerprint than the policy names"),
        ("tool get-sum", "is not among those that the policy approves"),
    ] {
        let alert = wait::for_value("the alert", SOON, || alert_of(tool)).unwrap().to_string();
        assert!(alert.contains(words) && !alert.contains("first used"), "{alert}");
    }
    assert_eq!((standing("echo").as_str(), standing("get-sum").as_str()), ("other-fingerprint", "unlisted"));
    assert!(status_of_pins(&fickle).1.contains("held back: "));

    fickle.stage.organisation.publish(&plain, "none").unwrap();
    wait::until("the policy arrives", SOON, || standing("echo") == "held-no-more").unwrap();
    assert_eq!(fickle.pins(&["diff"]), json!([]), "nothing differs");
    let (status, doctor) = status_of_pins(&fickle);
    assert!(status["held"] == json!([]) && doctor.contains("nothing of any server is held back"), "{doctor}");
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), ["echo", "get-sum"]);
    wait::until("no alert is left", SOON, || alert_of("tool echo").or(alert_of("tool get-sum")).is_none())
        .unwrap();
    wait::until("the resident follows", SOON, || standing("echo") == "in-use").unwrap();

    // Nobody governs the machine any more, and nobody holds anything.
    fickle.stage.organisation.publish(&holding, "hold").unwrap();
    fickle.stage.machine.await_policy(5, SOON).unwrap();
    fickle.says(SECOND);
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), ["get-sum"]);
    wait::until("it is held", SOON, || standing("echo") == "changed").unwrap();
    drop(session);
    fickle.stage.machine.run(&["unenroll"]).unwrap();
    assert_eq!((standing("echo").as_str(), &status_of_pins(&fickle).0["held"]), ("held-no-more", &json!([])));
}

/// Nobody pins and nobody approves then, but nobody is fooled either.
#[test]
fn without_a_resident_a_change_is_noticed_against_the_pins_that_there_are() {
    let mut fickle = Fickle::under("hold");
    fickle.is_used_once();
    fickle.stage.machine.kill_resident();
    fickle.says(SECOND);
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), ["get-sum"]);
    assert!(refusal(&mut session).contains("definition-changed"));
    let diff = fickle.pins(&["diff"]);
    assert_eq!(diff[0]["changes"][0]["is"], json!(SECOND).to_string(), "{diff}");
    assert_eq!(status_of_pins(&fickle).0["held"][0]["definitions"], json!(["tool echo"]));
    let approved = fickle.stage.machine.try_run(&["pins", "approve"]).unwrap();
    let said = String::from_utf8(approved.stderr).unwrap();
    assert!(!approved.status.success() && said.contains("the resident keeps the pins"), "{said}");

    fickle.stage.machine.start_resident().unwrap();
    wait::for_value("the alert", SOON, || fickle.alert("definition-changed")).unwrap();
    wait::until("the resident pins it as held", SOON, || {
        fickle.stage.machine.run_json(&["pins", "approve"]).is_ok_and(|it| it == json!({"approved": 1}))
    })
    .unwrap();
    session.notification("notifications/tools/list_changed", SOON).unwrap();
    assert_eq!(session.tools().unwrap(), ["echo", "get-sum"]);
}

/// First sight and the change, both while no resident runs: the second guard goes by what the first one saw.
#[test]
fn attack_a_server_changes_while_no_resident_has_pinned_anything() {
    let mut fickle = Fickle::under("hold");
    fickle.stage.machine.kill_resident();
    let mut first = fickle.stage.open("everything").unwrap();
    assert_eq!(first.tools().unwrap(), ["echo", "get-sum"]);
    assert!(fickle.is_pinned("echo"), "what waits for a resident counts as known");
    fickle.says(SECOND);
    let mut second = fickle.stage.open("everything").unwrap();
    assert_eq!(second.tools().unwrap(), ["get-sum"]);
    assert!(refusal(&mut second).contains("definition-changed"));
}

#[test]
fn pins_that_cannot_be_read_hold_the_server_back_and_doctor_says_what_to_do() {
    let fickle = Fickle::under("hold");
    fickle.is_used_once();
    let folder = fickle.stage.machine.root.join("state/pins");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|file| file.path());
    let pins = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
    for path in pins.filter(|path| !path.ends_with("names.json")) {
        std::fs::write(path, "{").unwrap();
    }
    let mut session = fickle.stage.open("everything").unwrap();
    assert_eq!(session.tools().unwrap(), Vec::<String>::new());
    assert!(refusal(&mut session).contains("definitions-unreadable"));
    let (status, doctor) = status_of_pins(&fickle);
    let server = status["unreadable"][0]["server"].as_str().unwrap();
    assert!(server.starts_with("exec:"), "{status}");
    let remedy = format!("portreeve pins forget --server {server}");
    assert!(doctor.contains(&remedy), "{doctor}");
    let text = fickle.stage.machine.try_run(&["status"]).unwrap();
    assert!(String::from_utf8(text.stdout).unwrap().contains("some pins cannot be read"));

    fickle.stage.machine.run(&["pins", "forget", "--server", server]).unwrap();
    session.notification("notifications/tools/list_changed", SOON).unwrap();
    assert_eq!(session.tools().unwrap(), ["echo", "get-sum"]);
}
