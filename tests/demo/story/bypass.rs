//! What goes around us is seen, and healed; who leaves is out.

use crate::cast::{Cast, DARK_AFTER_SECONDS, MEMBER};
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use harness::wait;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SEEN_WITHIN: Duration = Duration::from_secs(5);

pub fn bypasses_are_seen_and_healed(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("An entry is put back by hand: alerted, and healed", || {
        let direct = cast.servers.everything();
        let start = Instant::now();
        edit_user_servers(cast, |servers| servers["everything"] = direct)?;
        let alert = await_alert(cast, "entry-unwrapped", "everything")?;
        let seen = start.elapsed();
        await_wrapped(cast, "everything")?;
        Ok(format!(
            "webhook after {:.1} s: {}\nhealed after {:.1} s",
            seen.as_secs_f64(),
            detail(&alert),
            start.elapsed().as_secs_f64()
        ))
    })?;
    report.step("A new direct server is added: alerted, and put behind the guard", || {
        let start = Instant::now();
        edit_user_servers(cast, |servers| servers["sneaky"] = json!({"command": "npx", "args": ["-y", "left-field-mcp"], "env": {"TOKEN": "planted-secret"}}))?;
        let alert = await_alert(cast, "entry-direct", "sneaky")?;
        let seen = start.elapsed();
        await_wrapped(cast, "sneaky")?;
        ensure!(!alert.to_string().contains("planted-secret"), "the alert carries a secret: {alert}");
        Ok(format!("webhook after {:.1} s: {}", seen.as_secs_f64(), detail(&alert)))
    })
}

pub fn silence_is_seen(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("The resident is stopped: the fleet page shows the device dark, and an alert says so", || {
        let start = Instant::now();
        cast.machine.kill_resident();
        let within = Duration::from_secs(u64::from(DARK_AFTER_SECONDS) + 6);
        wait::until("the device to be shown as dark", within, || {
            device_state(cast).is_ok_and(|state| state == "dark")
        })?;
        let alert =
            wait::for_value("the webhook's device-dark", within, || cast.webhook.find("device-dark", ""))?;
        let seen = start.elapsed();
        cast.machine.start_resident()?;
        wait::until("the device to be live again", within, || {
            device_state(cast).is_ok_and(|state| state == "live")
        })?;
        Ok(format!(
            "dark after {:.1} s (the demo's limit is {DARK_AFTER_SECONDS} s, 90 s by default): {}",
            seen.as_secs_f64(),
            detail(&alert)
        ))
    })
}

pub fn somebody_leaves(cast: &mut Cast, report: &mut Report) -> Result<()> {
    let mut session = cast.open(&cast.user_entry("everything")?)?;
    report.step(
        "One command ends a member's access; the next call of a running session is refused",
        || {
            session.call("echo", &json!({"message": "before"}))?["result"]
                .as_object()
                .context("the call before was refused")?;
            cast.organisation.admin(&["members", "offboard", MEMBER])?;
            let start = Instant::now();
            let refused = wait::for_value("a refusal", Duration::from_secs(2), || {
                let answer = session.call("echo", &json!({"message": "after"})).ok()?;
                answer["error"]["message"].as_str().map(str::to_owned)
            })?;
            Ok(format!("refused {} ms after the command: {refused}", start.elapsed().as_millis()))
        },
    )?;
    session.leave(Duration::from_secs(5))
}

/// Edits user-scope servers as a developer's editor would: whole file, no lock.
fn edit_user_servers(cast: &Cast, edit: impl FnOnce(&mut Value)) -> Result<()> {
    let mut config = cast.machine.config(".claude.json")?;
    edit(&mut config["mcpServers"]);
    Ok(std::fs::write(cast.machine.home.join(".claude.json"), serde_json::to_string_pretty(&config)?)?)
}

fn await_alert(cast: &Cast, code: &str, about: &str) -> Result<Value> {
    wait::for_value(&format!("the webhook's {code}"), SEEN_WITHIN, || cast.webhook.find(code, about))
}

fn await_wrapped(cast: &Cast, name: &str) -> Result<()> {
    wait::until(&format!("{name} to be behind the guard"), SEEN_WITHIN, || {
        cast.user_entry(name).is_ok_and(|entry| entry["args"][0] == "wrap")
    })
}

fn device_state(cast: &Cast) -> Result<String> {
    let devices = cast.organisation.admin_json(&["devices", "list"])?;
    let first =
        devices.as_array().or_else(|| devices["devices"].as_array()).and_then(|all| all.first()).cloned();
    Ok(first.context("no device")?["status"].as_str().unwrap_or_default().to_owned())
}

fn detail(alert: &Value) -> &str {
    alert["detail"].as_str().unwrap_or_default()
}
