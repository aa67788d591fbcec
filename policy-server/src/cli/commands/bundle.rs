//! The signed bundle as a file, for machines that cannot fetch it.

use super::done;
use crate::cli::CliError;
use crate::cli::connection::Connection;
use crate::cli::output::{Out, text};
use contract::bundle::POLICY_TARGET;
use serde_json::{Value, json};
use std::path::Path;

pub async fn save(expires: Option<u64>, file: &Path, server: &Connection, out: Out) -> Result<(), CliError> {
    let query = expires.map(|seconds| format!("?expires={seconds}")).unwrap_or_default();
    let answer = server.get(&format!("/v1/admin/policy/bundle{query}")).await?;
    // Not a byte is added: what is carried is what was signed.
    if file == Path::new("-") {
        return Ok(out.bytes(answer.text().as_bytes())?);
    }
    std::fs::write(file, answer.text()).map_err(|error| CliError::File(file.to_owned(), error))?;
    let bundle = answer.value()?;
    let (targets, timestamp) = (metadata(&bundle, "targets")?, metadata(&bundle, "timestamp")?);
    let version = &targets["signed"]["targets"][POLICY_TARGET]["custom"]["policy_version"];
    let until = text(&timestamp["signed"], "expires");
    let sentence = format!("Policy version {version} is in {}, good until {until}.", file.display());
    done(out, &sentence, &json!({"version": version, "expires": until, "file": file}))
}

/// A role's metadata in the bundle.
fn metadata(bundle: &Value, role: &str) -> Result<Value, CliError> {
    let metadata = bundle["files"][format!("metadata/{role}.json")].as_str().unwrap_or_default();
    Ok(serde_json::from_str(metadata)?)
}
