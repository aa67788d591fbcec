//! The policy document of the story, its edit, and what is refused as policy.

use crate::cast::{Cast, MEMBER};
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use harness::mcp_client::Session;
use harness::organisation::Organisation;
use harness::wait;
use serde_json::Value;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tools engineering may use on `everything` at first, and after the edit.
pub const FIRST_TOOLS: &str = r#"["echo"]"#;
pub const LATER_TOOLS: &str = r#"["echo", "get-sum"]"#;

const BEFORE_THE_EDIT: &str = "before-the-edit.json";
const UPSTREAM_WITHIN: Duration = Duration::from_secs(5);

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
name = "know-the-project"
roles = ["engineering"]
servers = ["everything", "files"]
client-features = ["roots"]

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
    cast.organisation.admin(&["policy", "bundle", "--out", &carried(cast, BEFORE_THE_EDIT)?])?;
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
    let good = carried(cast, "good.json")?;
    let text = cast.organisation.admin(&["policy", "bundle", "--out", &good]).and_then(|_| read(&good))?;
    report.step("A policy with one byte changed is refused", || {
        refuses(cast, "forged", &write(cast, "forged.json", &text.replacen("get-env", "get-enw", 1))?)
    })?;
    report.step("Half a policy is refused", || {
        refuses(cast, "truncated", &write(cast, "truncated.json", &text[..text.len() / 2])?)
    })?;
    report.step("The policy from before the edit, rightly signed, is refused", || {
        refuses(cast, "rolled-back", &carried(cast, BEFORE_THE_EDIT)?)
    })?;
    report.step("The policy of another organisation is refused", || {
        let (folder, theirs) = (cast.folder.join("globex"), carried(cast, "globex.json")?);
        let mut globex = Organisation::found(&folder, "globex", 90)?;
        globex.admin(&["policy", "bundle", "--out", &theirs])?;
        globex.stop()?;
        std::fs::remove_dir_all(&folder)?;
        refuses(cast, "foreign-organisation", &theirs)
    })?;
    report.step("A policy whose signature ran out is refused", || {
        // A machine that fetched a fresher signature in that second calls the old one rolled back.
        refuses(cast, "expired", &run_out(cast)?).or_else(|_| refuses(cast, "expired", &run_out(cast)?))
    })?;
    report.step("The good policy is adopted from a file, and the alert is resolved", || {
        cast.organisation.admin(&["policy", "bundle", "--out", &good])?;
        let said = cast.machine.run(&["policy", "adopt", &good])?;
        wait::until("the alert to be resolved", UPSTREAM_WITHIN, || {
            open_refusals(cast).is_ok_and(|codes| codes.is_empty())
        })?;
        Ok(said.trim().to_owned())
    })?;
    forged_on_disk(cast, report)
}

/// Hands a bundle to the machine: refused with this code, nothing else in force, and the reason upstream.
fn refuses(cast: &Cast, code: &str, file: &str) -> Result<String> {
    let in_force = || Ok::<_, anyhow::Error>(cast.machine.status()?["policy"]["version"].clone());
    let before = in_force()?;
    let done = cast.machine.try_run(&["policy", "adopt", file, "--json"])?;
    let said = String::from_utf8_lossy(&done.stderr);
    let answer: Value = serde_json::from_slice(&done.stdout).with_context(|| said.to_string())?;
    ensure!(done.status.code() == Some(1), "adopting ended with {}: {answer}", done.status);
    ensure!(answer["refused"]["code"] == code, "the reason is another one: {answer}");
    ensure!(before.is_u64() && in_force()? == before, "another policy than version {before} is in force");
    wait::until(&format!("an alert that says {code}"), UPSTREAM_WITHIN, || {
        open_refusals(cast).is_ok_and(|codes| codes == [code])
    })?;
    Ok(format!("{}\nversion {before} judges on; the policy server has the alert", said.trim()))
}

/// The codes of the refused policies that the policy server knows of.
fn open_refusals(cast: &Cast) -> Result<Vec<String>> {
    let alerts = cast.organisation.open_alerts()?;
    let refused = alerts.iter().filter(|alert| alert["code"] == "policy-refused");
    Ok(refused.map(|alert| alert["subject"].as_str().unwrap_or_default().to_owned()).collect())
}

/// A bundle that was good for a second, once that is over.
fn run_out(cast: &Cast) -> Result<String> {
    let file = carried(cast, "expired.json")?;
    let signed = cast.organisation.admin_json(&["policy", "bundle", "--expires", "1s", "--out", &file])?;
    let until = signed["expires"].as_str().context("the bundle does not say how long it is good")?;
    let until = OffsetDateTime::parse(until, &Rfc3339)?;
    wait::until("the signature to run out", Duration::from_secs(5), || OffsetDateTime::now_utc() > until)?;
    Ok(file)
}

/// Where a bundle lies that was carried to the machine.
fn carried(cast: &Cast, name: &str) -> Result<String> {
    let folder = cast.folder.join("carried");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(name).to_string_lossy().into_owned())
}

fn write(cast: &Cast, name: &str, text: &str) -> Result<String> {
    let file = carried(cast, name)?;
    std::fs::write(&file, text)?;
    Ok(file)
}

fn read(file: &str) -> Result<String> {
    Ok(std::fs::read_to_string(file)?)
}

fn forged_on_disk(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("A policy forged on the machine's own disk refuses everything instead", || {
        let adopted = cast.machine.root.join("state/policy/adopted.json");
        let good = std::fs::read_to_string(&adopted)?;
        let forged = good.replace("get-env", "get-xyz");
        ensure!(forged != good, "the adopted bundle does not name get-env");
        std::fs::write(&adopted, &forged)?;
        let mut session = Session::start(&cast.user_entry("everything")?, &cast.machine.home, &cast.project)?;
        let refused = session.refused();
        std::fs::write(&adopted, &good)?;
        let message = refused?;
        ensure!(message.contains("lockdown"), "it is refused by another rule: {message}");
        session.leave(Duration::from_secs(5))?;
        Ok(message)
    })
}
