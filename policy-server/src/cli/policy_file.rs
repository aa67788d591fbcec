//! Policy files on disk, asked without any server.

use super::CliError;
use super::arguments::Explain;
use super::output::{Out, text};
use crate::author::{self, Asked, Question, Unanswered};
use policy::Standing;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub fn read(file: &Path) -> Result<String, CliError> {
    let bytes = std::fs::read(file).map_err(|error| CliError::File(file.to_owned(), error))?;
    String::from_utf8(bytes).map_err(|_| CliError::Said(format!("{}: not text in UTF-8", file.display())))
}

pub fn check(file: &Path, out: Out) -> Result<(), CliError> {
    let checked = author::check_now(&read(file)?);
    if !checked.problems.is_empty() {
        return Err(CliError::Policy(file.to_owned(), checked.problems));
    }
    if out.for_programs {
        let found = json!({"file": file, "problems": [], "advice": checked.advice, "tests": checked.tests});
        return Ok(out.json(&found)?);
    }
    for advice in &checked.advice {
        out.line(&format!("advice: {advice}"))?;
    }
    Ok(out.line(&format!("{}: no problems, {} test(s) passed", file.display(), checked.tests))?)
}

pub fn question(explain: &Explain) -> Result<Question, CliError> {
    let arguments = match explain.args.as_deref() {
        None => None,
        Some(text) => {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| CliError::Said(format!("--args is not JSON: {error}")))?;
            if !value.is_object() {
                return Err(CliError::Said("--args is not a JSON object".into()));
            }
            Some(value)
        }
    };
    Ok(Question {
        member: explain.member.clone(),
        device: explain.device.clone(),
        client: explain.client.clone(),
        server: explain.server.clone(),
        asked: Asked {
            tool: explain.asked.tool.clone(),
            resource: explain.asked.resource.clone(),
            prompt: explain.asked.prompt.clone(),
            client_feature: explain.asked.client_feature.clone(),
            method: explain.asked.method.clone(),
        },
        arguments,
    })
}

pub fn explain(explain: &Explain, out: Out) -> Result<(), CliError> {
    let file: PathBuf = explain.file.clone().ok_or_else(|| CliError::Said("which policy file?".into()))?;
    let answer = author::explain(&read(&file)?, &Standing::default(), 0, &question(explain)?).map_err(
        |why| match why {
            Unanswered::NotOne(why) => CliError::Said(why.to_string()),
            Unanswered::Problems(problems) => CliError::Policy(file, problems),
        },
    )?;
    tell(&serde_json::to_value(answer)?, out)
}

/// Prints an [`author::Answer`], whoever gave it.
pub fn tell(answer: &Value, out: Out) -> Result<(), CliError> {
    if out.for_programs {
        return Ok(out.json(answer)?);
    }
    let outcome = match answer["outcome"].as_str() {
        Some("allowed") => "allowed",
        Some("would-refuse") => "would be refused (monitor mode lets it through)",
        _ => "refused",
    };
    let line = answer["line"].as_u64().map(|line| format!(", line {line}")).unwrap_or_default();
    out.line(&format!("{outcome} by {}{line}", text(answer, "rule")))?;
    let redactions: Vec<_> =
        answer["redactions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !redactions.is_empty() {
        out.line(&format!("redacted by: {}", redactions.join(", ")))?;
    }
    // Reason and contact are for whoever is refused: a grant's are about what it does not allow.
    if answer["outcome"] == "allowed" {
        return Ok(());
    }
    out.line(&text(answer, "reason"))?;
    match answer["contact"].as_str() {
        Some(contact) => Ok(out.line(&format!("ask: {contact}"))?),
        None => Ok(()),
    }
}
