//! The policy in force, its history, and publishing.

use super::{bundle, done};
use crate::cli::CliError;
use crate::cli::arguments::{Explain, Policy};
use crate::cli::connection::Connection;
use crate::cli::output::{Column, Out, text, when};
use crate::cli::policy_file;
use serde_json::json;
use std::path::Path;

pub async fn run(policy: Policy, server: &Connection, out: Out) -> Result<(), CliError> {
    const COLUMNS: &[Column] = &[
        ("VERSION", |policy| text(policy, "version")),
        ("PUBLISHED", |policy| when(policy, "created_ms")),
        ("BY", |policy| text(policy, "author")),
        ("NOTE", |policy| text(policy, "note")),
    ];
    match policy {
        Policy::Show { version } => {
            let path = version.map_or_else(
                || "/v1/admin/policy".to_owned(),
                |version| format!("/v1/admin/policy/versions/{version}"),
            );
            let shown = server.get(&path).await?.value()?;
            if out.for_programs {
                Ok(out.json(&shown)?)
            } else {
                Ok(out.bytes(text(&shown, "text").as_bytes())?)
            }
        }
        Policy::History => {
            let found = server.get("/v1/admin/policy/history?limit=1000").await?;
            Ok(out.table(&found.value()?, COLUMNS, "No policy was published yet.")?)
        }
        Policy::Publish { file, note, base } => publish(&file, &note, base, server, out).await,
        Policy::Explain(explain) => self::explain(&explain, server, out).await,
        Policy::Bundle { expires, out: file } => bundle::save(expires, &file, server, out).await,
        Policy::Check { file } => policy_file::check(&file, out),
    }
}

async fn publish(
    file: &Path,
    note: &str,
    base: Option<u64>,
    server: &Connection,
    out: Out,
) -> Result<(), CliError> {
    let base = match base {
        Some(base) => base,
        None => server.get("/v1/admin/policy").await?.value()?["version"].as_u64().unwrap_or(0),
    };
    let asked = json!({"text": policy_file::read(file)?, "note": note, "base": base});
    let published = server.post("/v1/admin/policy/publish", &asked).await?.value()?;
    let version = &published["version"];
    let sentence = if published["changed"] == true {
        format!("Policy version {version} is published.")
    } else {
        format!("Nothing changed: the text is that of version {version}, and no new version was made.")
    };
    let advice: Vec<::policy::Problem> = serde_json::from_value(published["advice"].clone())?;
    for advice in advice {
        out.aside(&format!("advice: {advice}"))?;
    }
    done(out, &sentence, &published)
}

async fn explain(explain: &Explain, server: &Connection, out: Out) -> Result<(), CliError> {
    let question = serde_json::to_value(policy_file::question(explain)?)?;
    policy_file::tell(&server.post("/v1/admin/policy/explain", &question).await?.value()?, out)
}
