//! Policy files on disk, asked without any server.

use super::CliError;
use super::arguments::Explain;
use super::output::Out;
use crate::author::{self, Answer, Question};
use policy::{Outcome, Standing};
use serde_json::json;
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
        return Ok(out.json(&json!({"file": file, "problems": [], "tests": checked.tests}))?);
    }
    Ok(out.line(&format!("{}: no problems, {} test(s) passed", file.display(), checked.tests))?)
}

pub fn question(explain: &Explain) -> Result<Question, CliError> {
    let arguments = match explain.args.as_deref() {
        None => None,
        Some(text) => {
            let value: serde_json::Value = serde_json::from_str(text)
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
        tool: explain.tool.clone(),
        arguments,
    })
}

pub fn explain(explain: &Explain, out: Out) -> Result<(), CliError> {
    let file: PathBuf = explain.file.clone().ok_or_else(|| CliError::Said("which policy file?".into()))?;
    let answer = author::explain(&read(&file)?, &Standing::default(), 0, &question(explain)?)
        .map_err(|problems| CliError::Policy(file, problems))?;
    if out.for_programs { Ok(out.json(&answer)?) } else { tell(&answer, out) }
}

fn tell(answer: &Answer, out: Out) -> Result<(), CliError> {
    let outcome = match answer.outcome {
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
        Outcome::WouldRefuse => "would be refused (monitor mode lets it through)",
    };
    let line = answer.line.map(|line| format!(", line {line}")).unwrap_or_default();
    out.line(&format!("{outcome} by {}{line}", answer.rule))?;
    out.line(&answer.reason)?;
    if let Some(contact) = &answer.contact {
        out.line(&format!("ask: {contact}"))?;
    }
    Ok(())
}
