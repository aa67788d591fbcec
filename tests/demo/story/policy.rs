//! The policy document of the story, its edit, and what is refused as policy.

use crate::cast::{Cast, MEMBER};
use crate::report::Report;
use anyhow::{Result, ensure};
use harness::mcp_client::Session;
use std::time::{Duration, Instant};

/// Tools engineering may use on `everything` at first, and after the edit.
pub const FIRST_TOOLS: &str = r#"["echo"]"#;
pub const LATER_TOOLS: &str = r#"["echo", "get-sum"]"#;

/// The organisation's policy, as its admin would write it.
pub fn document(cast: &Cast, everything_tools: &str) -> String {
    let (everything, files) = cast.servers.identities();
    let (remote, shown) = (&cast.remote_url, cast.project.join("notes"));
    let (shown, private) = (shown.display(), cast.project.join("private.txt"));
    let (private, todo) = (private.display(), cast.project.join("notes/todo.txt"));
    let todo = todo.display();
    format!(
        r#"# Who may call what at acme.
[defaults]
mode = "enforce"
contact = "security@acme.example"
heal = true

[servers.everything]
match = ["{everything}"]

[servers.files]
match = ["{files}"]

[servers.tracker]
match = ["{remote}"]

[roles.engineering]
members = ["{MEMBER}", "bob@acme.example"]

[[grants]]
name = "try-things-out"
roles = ["engineering"]
servers = ["everything", "tracker"]
tools = {everything_tools}

[[grants]]
name = "read-the-notes"
roles = ["engineering"]
servers = ["files"]
tools = ["read_text_file", "list_directory"]
when = 'context.args has path && context.args.path like "{shown}/*" && !(context.args.path like "*..*")'
reason = "Only the project's notes are for the model; the rest may hold customers' data."
contact = "data-protection@acme.example"

[[grants]]
name = "no-environment"
effect = "deny"
roles = ["engineering"]
servers = ["everything"]
tools = ["get-env"]
reason = "Environment variables hold tokens."

[[tests]]
member = "{MEMBER}"
server = "everything"
tool = "echo"
expect = "allow"
rule = "try-things-out"

[[tests]]
member = "{MEMBER}"
server = "files"
tool = "read_text_file"
args = {{ path = "{todo}" }}
expect = "allow"

[[tests]]
member = "{MEMBER}"
server = "files"
tool = "read_text_file"
args = {{ path = "{private}" }}
expect = "refuse"
"#
    )
}

pub fn an_edit_reaches_the_running_session(cast: &mut Cast, report: &mut Report) -> Result<()> {
    let mut session = cast.open(&cast.user_entry("everything")?)?;
    ensure!(!session.tools()?.iter().any(|tool| tool == "get-sum"), "get-sum is offered before the edit");
    report.step("An edit with a mistake is refused, with line and column", || {
        let broken = document(cast, FIRST_TOOLS).replace(
            "roles = [\"engineering\"]\nservers = [\"files\"]",
            "roles = [\"enginering\"]\nservers = [\"files\"]",
        );
        let refused = cast.organisation.publish(&broken, "a typing mistake");
        let Err(refused) = refused else { anyhow::bail!("the server published it") };
        let text = format!("{refused:#}");
        ensure!(text.contains("enginering"), "the mistake is not named: {text}");
        Ok(text.lines().find(|line| line.contains("enginering")).unwrap_or_default().trim().to_owned())
    })?;
    report.step("A good edit is published and judges the running session within two seconds", || {
        let document = document(cast, LATER_TOOLS);
        let start = Instant::now();
        cast.organisation.publish(&document, "engineering may add numbers")?;
        let published = start.elapsed();
        await_tool(&mut session, "get-sum")?;
        let after = start.elapsed().saturating_sub(published);
        ensure!(after < Duration::from_secs(2), "it took {after:?}");
        let sum = session.call("get-sum", &serde_json::json!({"a": 20, "b": 22}))?;
        ensure!(
            sum["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("42")),
            "get-sum answered {sum}"
        );
        Ok(format!(
            "notifications/tools/list_changed came {} ms after publishing; get-sum appeared and works",
            after.as_millis()
        ))
    })?;
    session.leave(Duration::from_secs(5))
}

/// As a client does: list again at every `list_changed` (servers send such notices of their own too).
fn await_tool(session: &mut Session, name: &str) -> Result<()> {
    loop {
        session.notification("notifications/tools/list_changed", Duration::from_secs(5))?;
        if session.tools()?.iter().any(|tool| tool == name) {
            return Ok(());
        }
    }
}

pub fn a_false_policy_is_refused(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("A policy forged on the machine's own disk refuses everything instead", || {
        let adopted = cast.machine.root.join("state/policy/adopted.json");
        let good = std::fs::read_to_string(&adopted)?;
        let forged = good.replace("get-env", "get-xyz");
        ensure!(forged != good, "the adopted bundle does not name get-env");
        std::fs::write(&adopted, &forged)?;
        let mut session = cast.open(&cast.user_entry("everything")?)?;
        let refused = session.call("echo", &serde_json::json!({"message": "hello"}))?;
        std::fs::write(&adopted, &good)?;
        let message = refused["error"]["message"].as_str().unwrap_or_default().to_owned();
        ensure!(!message.is_empty(), "the call was answered by {refused}");
        session.leave(Duration::from_secs(5))?;
        Ok(message)
    })
}
