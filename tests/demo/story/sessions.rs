//! Calls through the guard: allowed, refused, refused by argument; and their record.

use crate::cast::Cast;
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use harness::wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn calls(cast: &mut Cast, report: &mut Report) -> Result<()> {
    let mut local = cast.open(&cast.user_entry("everything")?)?;
    report.step("The local stdio server initialises; refused tools are absent from its list", || {
        let tools = local.tools()?;
        ensure!(tools == ["echo"], "offered: {tools:?}");
        Ok(format!("offered: {}", tools.join(", ")))
    })?;
    report.step("An allowed tool is called on it", || {
        text(&local.call("echo", &json!({"message": "hello"}))?)
    })?;
    report.step("A refused tool is answered with what, which rule, why, and whom to ask", || {
        let answer = local.call("get-env", &json!({}))?;
        ensure!(answer["error"]["code"] == -32003, "answered: {answer}");
        let message = answer["error"]["message"].as_str().context("no message")?.to_owned();
        for part in
            ["get-env", "no-environment", "Environment variables hold tokens.", "security@acme.example"]
        {
            ensure!(message.contains(part), "the sentence lacks `{part}`: {message}");
        }
        Ok(message)
    })?;
    local.leave(Duration::from_secs(5))?;

    report.step("An allowed tool is called on the remote Streamable HTTP server", || {
        let mut remote = cast.open(&cast.user_entry("tracker")?)?;
        let said = text(&remote.call("echo", &json!({"message": "over HTTP"}))?)?;
        remote.leave(Duration::from_secs(5))?;
        Ok(said)
    })?;

    report.step("The same tool passes with one argument and is refused with another", || {
        let projects = cast.machine.config(".claude.json")?;
        let entry =
            projects["projects"][cast.project.to_string_lossy().as_ref()]["mcpServers"]["team-files"].clone();
        let mut files = cast.open(&entry)?;
        let todo = files.call("read_text_file", &json!({"path": cast.project.join("notes/todo.txt")}))?;
        ensure!(text(&todo)?.contains("ship it"), "reading the notes answered {todo}");
        let private = files.call("read_text_file", &json!({"path": cast.project.join("private.txt")}))?;
        files.leave(Duration::from_secs(5))?;
        let message = private["error"]["message"]
            .as_str()
            .with_context(|| format!("reading private.txt answered {private}"))?;
        ensure!(message.contains("data-protection@acme.example"), "{message}");
        Ok(format!("notes/todo.txt: ship it\nprivate.txt: {message}"))
    })
}

pub fn nothing_is_lost(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step(
        "Who, which client, server, tool, arguments, decision, rule, version, outcome: all upstream",
        || {
            let record = wait::for_value("the refused call upstream", Duration::from_secs(10), || {
                find(&cast.organisation.records().ok()?, "call", "get-env")
            })?;
            ensure!(record["member"] == crate::cast::MEMBER && record["decision"] == "refused", "{record}");
            ensure!(
                record["rule"] == "no-environment" && record["client"]["name"] == "claude-code",
                "{record}"
            );
            let echo = wait::for_value("the outcome of echo upstream", Duration::from_secs(10), || {
                find(&cast.organisation.records().ok()?, "outcome", "echo")
            })?;
            ensure!(echo["fate"] == "ok", "{echo}");
            Ok(format!(
                "get-env: {} by {}; echo: {} after {} µs",
                record["decision"], record["rule"], echo["fate"], echo["duration_us"]
            ))
        },
    )?;
    let mut session = cast.open(&cast.user_entry("everything")?)?;
    let mut sent = Vec::new();
    report.step("The policy server stops, the resident is killed: the session goes on", || {
        let mut say = |session: &mut harness::mcp_client::Session, number: usize| -> Result<()> {
            let message = format!("still here {number}");
            text(&session.call("echo", &json!({"message": message}))?)?;
            sent.push(message);
            Ok(())
        };
        (0..10).try_for_each(|number| say(&mut session, number))?;
        cast.organisation.stop()?;
        (10..20).try_for_each(|number| say(&mut session, number))?;
        cast.machine.kill_resident();
        (20..30).try_for_each(|number| say(&mut session, number))?;
        Ok("30 calls, 20 of them without a policy server, 10 without a resident")
    })?;
    report.step("Both come back: every call is upstream, none twice", || {
        cast.organisation.start()?;
        cast.machine.start_resident()?;
        wait::until("all 30 calls and outcomes upstream", Duration::from_secs(30), || {
            cast.organisation.records().is_ok_and(|records| missing(&records, &sent) == 0)
        })?;
        session.leave(Duration::from_secs(5))?;
        let records = cast.organisation.records()?;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for record in &records {
            *seen.entry(record["id"].to_string()).or_default() += 1;
        }
        ensure!(seen.values().all(|times| *times == 1), "some record is there twice");
        Ok(format!("{} records, each once", records.len()))
    })
}

/// How many of these echoes lack their call or its outcome upstream.
fn missing(records: &[Value], sent: &[String]) -> usize {
    let calls: BTreeMap<&str, (&Value, &Value)> = records
        .iter()
        .filter(|record| record["kind"] == "call")
        .filter_map(|record| {
            Some((record["arguments"]["message"].as_str()?, (&record["run"], &record["call"])))
        })
        .collect();
    let closed = |run: &Value, call: &Value| {
        records
            .iter()
            .any(|record| record["kind"] == "outcome" && record["run"] == *run && record["call"] == *call)
    };
    sent.iter()
        .filter(|message| !calls.get(message.as_str()).is_some_and(|(run, call)| closed(run, call)))
        .count()
}

/// The text of a tool's result.
pub fn text(answer: &Value) -> Result<String> {
    let text = answer["result"]["content"][0]["text"].as_str();
    Ok(text.with_context(|| format!("the call was answered by {answer}"))?.to_owned())
}

fn find(records: &[Value], kind: &str, tool: &str) -> Option<Value> {
    records.iter().find(|record| record["kind"] == kind && record["tool"] == tool).cloned()
}
