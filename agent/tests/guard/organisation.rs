//! Under an organisation's signed policy; here the resident is the test.

use crate::client::{Guard, POLICY, World, message_of, misbehaving};
use crate::resident::Line;
use crate::world::Organisation;
use platform::ipc::Listener;
use policy::Standing;
use serde_json::{Value, json};
use std::path::PathBuf;

impl Organisation {
    async fn new() -> Self {
        Self::of(World::new()).await
    }

    fn guard(&self) -> Guard {
        let server = misbehaving();
        let heard = self.heard();
        let env = [("MISBEHAVE_HEARD", heard.to_str().unwrap())];
        let mut guard = self.world.start(&["wrap", "--name", "entry", "--", server.to_str().unwrap()], &env);
        guard.initialize();
        guard
    }

    fn heard(&self) -> PathBuf {
        self.world.path().join("heard")
    }

    /// So many lines of this method, with this in them, some process of the server heard.
    fn times_heard(&self, method: &str, part: &str) -> usize {
        let text = std::fs::read_to_string(self.heard()).unwrap_or_default();
        let is = |line: &&str| {
            line.contains(part) && serde_json::from_str::<Value>(line).unwrap()["method"] == method
        };
        text.lines().filter(is).count()
    }
}

fn without_echo() -> String {
    POLICY.replace("\"echo\", \"die\"", "\"die\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_running_session_is_judged_by_the_new_policy() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    resident.hear().await;
    assert_eq!(guard.call(1, "echo", &json!({})).get("error"), None);
    let list = guard.ask(2, "tools/list", &json!({})).to_string();
    assert!(list.contains("\"echo\""), "{list}");

    acme.adopt(2, &without_echo(), &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    let refused = guard.call(3, "echo", &json!({}));
    assert_eq!(refused["error"]["data"]["portreeve"]["policyVersion"], 2);
    assert!(!guard.ask(4, "tools/list", &json!({})).to_string().contains("\"echo\""));

    acme.adopt(3, POLICY, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 3}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    assert_eq!(guard.call(5, "echo", &json!({})).get("error"), None);
}

/// Somebody may hold every place at the resident's socket, or the resident may hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_a_resident_kept_from_speaking_does_not_freeze_policy() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let _silent = Line::accept(&mut listener).await;
    assert_eq!(guard.call(1, "echo", &json!({})).get("error"), None);
    guard.ask(2, "tools/list", &json!({}));

    acme.adopt(2, &without_echo(), &Standing::default()).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    let refused = guard.call(3, "echo", &json!({}));
    assert_eq!(refused["error"]["data"]["portreeve"]["policyVersion"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_has_left_is_refused_in_a_running_session() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    assert_eq!(guard.call(1, "echo", &json!({})).get("error"), None);
    guard.ask(2, "tools/list", &json!({}));

    let standing =
        Standing { suspended_members: ["alice@acme.example".to_owned()].into(), ..Standing::default() };
    acme.adopt(2, POLICY, &standing).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    let refused = guard.call(3, "echo", &json!({}));
    assert_eq!(refused["error"]["data"]["portreeve"]["rule"], "member-suspended");
}

/// Everything of a running server, not its tools alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_policy_takes_away_in_a_session_is_not_read_either() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    assert_eq!(guard.ask(1, "resources/read", &json!({"uri": "a:b"})).get("error"), None);
    guard.ask(2, "tools/list", &json!({}));

    acme.adopt(2, &elsewhere(), &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    for (id, method) in (3..).zip([
        "resources/read",
        "resources/subscribe",
        "prompts/get",
        "completion/complete",
        "tools/call",
    ]) {
        let what = json!({"name": "echo", "uri": "a:b", "ref": {"uri": "a:b"}});
        let refused = guard.ask(id, method, &what);
        assert_eq!(refused["error"]["data"]["portreeve"]["rule"], "default", "{method}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_guard_whose_server_is_let_in_ends_so_that_the_client_starts_it_anew() {
    let acme = Organisation::new().await;
    acme.adopt(1, &elsewhere(), &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    resident.hear().await;
    let refused = guard.call(1, "echo", &json!({}));
    assert!(message_of(&refused).contains("did not start it"), "{refused}");

    let still = elsewhere().replace("security@", "desk@");
    acme.adopt(2, &still, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    let mut id = 2;
    while !message_of(&guard.call(id, "echo", &json!({}))).contains("desk@") {
        id += 1;
    }
    acme.adopt(3, POLICY, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 3}})).await;
    assert_eq!(guard.wait().code(), Some(0));
    assert_eq!(acme.guard().call(1, "echo", &json!({})).get("error"), None);
}

/// Lists are still asked for of a server that policy bars, but nobody starts it for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_a_barred_server_that_died_is_started_again() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    guard.ask(1, "tools/list", &json!({}));
    let lost = guard.call(2, "die", &json!({}));
    assert!(message_of(&lost).contains("exit status: 3"), "{lost}");

    let standing =
        Standing { suspended_members: ["alice@acme.example".to_owned()].into(), ..Standing::default() };
    acme.adopt(2, POLICY, &standing).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    let refused = guard.ask(3, "tools/list", &json!({}));
    assert!(message_of(&refused).contains("\"member-suspended\""), "{refused}");
    assert_eq!(acme.times_heard("initialize", ""), 1, "it was started again");

    acme.adopt(3, POLICY, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 3}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    assert_eq!(guard.call(4, "echo", &json!({})).get("error"), None);
    assert_eq!(acme.times_heard("initialize", ""), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_a_new_process_is_told_again_what_policy_refuses_by_now() {
    const DENIES: &str = r#"
[[grants]]
name = "no-levels"
effect = "deny"
roles = ["all"]
servers = ["misbehaving"]
methods = ["logging/setLevel"]
resources = ["r:secret"]
"#;
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    guard.ask(1, "tools/list", &json!({}));
    guard.ask(2, "logging/setLevel", &json!({"level": "debug"}));
    guard.ask(3, "resources/subscribe", &json!({"uri": "r:kept"}));
    guard.ask(4, "resources/subscribe", &json!({"uri": "r:secret"}));
    guard.call(5, "die", &json!({}));

    acme.adopt(2, &format!("{}{DENIES}", without_echo()), &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    assert_eq!(guard.call(6, "recorded", &json!({}))["id"], 6);
    assert_eq!(acme.times_heard("initialize", ""), 2);
    let times = |method, part| acme.times_heard(method, part);
    assert_eq!((times("resources/subscribe", "r:kept"), times("resources/subscribe", "r:secret")), (2, 1));
    assert_eq!(times("logging/setLevel", ""), 1);
}

fn elsewhere() -> String {
    POLICY.replace("exec:*misbehaving-server", "exec:/opt/acme/another")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_policy_that_is_forged_or_rolled_back_on_disk_changes_nothing() {
    let acme = Organisation::new().await;
    acme.adopt(5, &without_echo(), &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    guard.ask(1, "tools/list", &json!({}));

    let signed = String::from_utf8(acme.signed(6, POLICY, &Standing::default()).await).unwrap();
    let forged = signed.replace("no-secrets", "no-secrecy");
    assert_ne!(signed, forged);
    for (version, bundle) in [
        (6, forged.into_bytes()),
        (4, acme.signed(4, POLICY, &Standing::default()).await),
        (7, signed[..signed.len() / 2].to_owned().into_bytes()),
    ] {
        std::fs::write(acme.layout.adopted_policy(), bundle).unwrap();
        resident.say(&json!({"policy-changed": {"version": version}})).await;
        // The guard hears the resident and the client in any order: give the word time to be heard.
        for id in 0..50 {
            let refused = guard.call(id, "echo", &json!({}));
            assert_eq!(refused["error"]["data"]["portreeve"]["policyVersion"], 5, "{refused}");
        }
    }
    acme.adopt(8, POLICY, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 8}})).await;
    while guard.next()["method"] != "notifications/tools/list_changed" {}
    assert_eq!(guard.call(100, "echo", &json!({})).get("error"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_policy_that_cannot_be_believed_at_the_start_refuses_everything_and_says_why() {
    let acme = Organisation::new().await;
    let missing = acme.guard().call(1, "echo", &json!({}));
    assert!(message_of(&missing).contains("no policy has reached this machine"), "{missing}");

    let signed = String::from_utf8(acme.signed(6, POLICY, &Standing::default()).await).unwrap();
    std::fs::write(acme.layout.adopted_policy(), signed.replace("no-secrets", "no-secrecy")).unwrap();
    let forged = acme.guard().call(1, "echo", &json!({}));
    assert_eq!(forged["error"]["data"]["portreeve"]["rule"], "lockdown");
    assert!(message_of(&forged).contains("was not accepted"), "{forged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_machine_that_leaves_the_organisation_in_a_session_is_locked() {
    let acme = Organisation::new().await;
    acme.adopt(1, POLICY, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.guard();
    let mut resident = Line::accept(&mut listener).await;
    guard.ask(1, "tools/list", &json!({}));
    std::fs::remove_file(acme.layout.identity()).unwrap();
    resident.say(&json!({"welcome": {"policy_version": 0}})).await;
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    let refused = guard.call(2, "echo", &json!({}));
    assert!(message_of(&refused).contains("not enrolled"), "{refused}");
}
