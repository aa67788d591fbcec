//! For how long each border has been fed, over all runs: `corpus/hours.json`, beside what was found.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, Default)]
pub struct Fed {
    pub seconds: u64,
    pub executions: u64,
}

fn path() -> PathBuf {
    fuzz::corpus::path("hours.json")
}

fn all() -> Result<Value> {
    match std::fs::read(path()) {
        Ok(text) => serde_json::from_slice(&text).context("hours.json is no JSON"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(json!({})),
        Err(error) => Err(error).context("hours.json cannot be read"),
    }
}

pub fn of(target: &str) -> Result<Fed> {
    let all = all()?;
    let number = |key: &str| all[target][key].as_u64().unwrap_or_default();
    Ok(Fed { seconds: number("seconds"), executions: number("executions") })
}

pub fn add(target: &str, fed: Fed) -> Result<()> {
    let before = of(target)?;
    let mut all = all()?;
    all[target] = json!({
        "seconds": before.seconds + fed.seconds,
        "executions": before.executions + fed.executions,
    });
    std::fs::write(path(), format!("{all:#}\n")).context("hours.json cannot be written")
}
