//! The machine joins, its configurations are rewired, and at the end given back.

use crate::cast::{Cast, MEMBER};
use crate::report::Report;
use crate::story::policy;
use anyhow::{Result, ensure};
use std::time::Duration;

pub fn it_pushes(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("The admin publishes a first policy, whose own tests pass", || {
        cast.organisation.publish(&policy::document(cast, policy::FIRST_TOOLS), "first policy")?;
        Ok("an edit that fails its own tests would have been refused")
    })?;
    report.step("MDM places the managed profile", || {
        cast.machine.place_profile(&cast.organisation.profile_for(MEMBER)?)?;
        Ok(format!("{}", cast.machine.root.join("etc/managed.json").display()))
    })?;
    report.step("The machine enrols: a key is made on it, the server signs its certificate", || {
        Ok(cast.machine.run(&["enroll"])?.trim().to_owned())
    })?;
    report.step("The resident starts; policy arrives, is verified and adopted", || {
        cast.machine.start_resident()?;
        cast.machine.await_policy(2, Duration::from_secs(10))?;
        let status = cast.machine.status()?;
        Ok(format!("policy version {} in force for {MEMBER}", status["policy"]["version"]))
    })
}

pub fn configurations_are_rewired(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("Every server entry is behind the guard, Claude's files otherwise as they were", || {
        cast.machine.run(&["configs", "apply"])?;
        let listed = cast.machine.run(&["configs", "list"])?;
        let entry = cast.user_entry("everything")?;
        ensure!(entry["args"][0] == "wrap", "the user entry is not wrapped: {entry}");
        Ok(listed.trim_end().to_owned())
    })?;
    report.step(
        "The team's .mcp.json in git is untouched; a wrapped entry of the same name shadows it",
        || {
            let text = std::fs::read_to_string(cast.project.join(".mcp.json"))?;
            ensure!(!text.contains("portreeve"), ".mcp.json was edited");
            let projects = cast.machine.config(".claude.json")?;
            let shadow =
                &projects["projects"][cast.project.to_string_lossy().as_ref()]["mcpServers"]["team-files"];
            ensure!(shadow["args"][0] == "wrap", "there is no shadow: {shadow}");
            Ok("local scope wins over project scope")
        },
    )
}

pub fn everything_is_restored(cast: &mut Cast, report: &mut Report) -> Result<()> {
    report.step("`portreeve unenroll` gives the configurations back", || {
        cast.machine.stop_resident()?;
        cast.machine.run(&["unenroll"])?;
        for (path, original) in &cast.originals {
            let now = std::fs::read_to_string(path)?;
            ensure!(!now.contains("portreeve"), "{} still names us", path.display());
            if path.ends_with("claude_desktop_config.json") {
                ensure!(now.as_bytes() == original, "{} is not byte for byte what it was", path.display());
            }
        }
        Ok("nothing of ours is left in them; the file nobody else touched is byte for byte what it was")
    })
}
