//! The published MCP conformance scenarios, directly and with Portreeve between: each check has to come to
//! the same verdict.

use super::compare::Difference;
use super::differences;
use super::run::{START, allow_all};
use anyhow::{Context, Result};
use harness::process::Running;
use harness::tools;
use harness::wire::Way;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What each scenario's folder ends with.
const TIME: usize = "-2026-11-20T11-27-18-250Z".len();

/// Scenario and check, and the verdicts it came to (a check may be made several times).
type Verdicts = BTreeMap<String, Vec<String>>;

/// The fetched packages, and a folder in which our fixture programs find them.
pub struct Suite {
    packages: PathBuf,
    folder: tempfile::TempDir,
}

impl Suite {
    fn open() -> Result<Option<Self>> {
        let Some(packages) = tools::conformance_folder() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        for entry in std::fs::read_dir(tools::repository().join("tests/fixtures/conformance"))? {
            let path = entry?.path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap_or_default()))?;
        }
        std::os::unix::fs::symlink(packages.join("node_modules"), folder.path().join("node_modules"))?;
        Ok(Some(Self { packages, folder }))
    }

    fn fixture(&self, name: &str) -> Command {
        let mut node = Command::new(self.packages.join("node_modules/.bin/node"));
        node.arg(self.folder.path().join(name));
        node
    }

    /// Runs the suite's own program; what it thinks of the verdicts is not asked.
    fn conformance(&self, out: &Path, args: &[&str]) -> Result<Verdicts> {
        let mut command = Command::new(self.packages.join("node_modules/.bin/node"));
        command.arg(self.packages.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
        command.args(args).arg("-o").arg(out).current_dir(&self.packages);
        let log = std::fs::File::create(out.with_extension("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).status()?;
        let verdicts = verdicts(out)?;
        anyhow::ensure!(
            !verdicts.is_empty(),
            "no verdicts: {}",
            std::fs::read_to_string(out.with_extension("log"))?
        );
        Ok(verdicts)
    }

    /// `portreeve serve` in front of a server; its address.
    fn door(&self, name: &str, identity: &str, server: &[&str]) -> Result<(Running, String)> {
        let policy = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&policy, allow_all(identity))?;
        let mut guard = Command::new(tools::program("portreeve")?);
        guard.arg("--root").arg(self.folder.path().join(name));
        guard.args(["serve", "--client-auth", "none", "--policy"]).arg(policy).args(server);
        let door = Running::start(name, &mut guard, &self.folder.path().join("door.log"), true)?;
        let said = door.line(START)?;
        let url = said.rsplit(' ').next().unwrap_or_default().to_owned();
        Ok((door, url))
    }
}

/// Reads `SCENARIO-TIME/checks.json` of every scenario.
fn verdicts(out: &Path) -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    for scenario in std::fs::read_dir(out)?.flatten() {
        let name = scenario.file_name().to_string_lossy().into_owned();
        let name = name.get(..name.len().saturating_sub(TIME)).unwrap_or_default().to_owned();
        let Ok(checks) = std::fs::read(scenario.path().join("checks.json")) else { continue };
        let checks: Vec<Value> = serde_json::from_slice(&checks).with_context(|| name.clone())?;
        for check in checks {
            let id = format!("{name}: {}", check["id"].as_str().unwrap_or_default());
            let status = check["status"].as_str().unwrap_or_default();
            let why = check["errorMessage"].as_str().filter(|_| status != "SUCCESS").unwrap_or_default();
            verdicts.entry(id).or_default().push(format!("{status} {why}").trim().to_owned());
        }
    }
    Ok(verdicts)
}

fn compare(direct: &Verdicts, through: &Verdicts) -> BTreeSet<Difference> {
    let verdict = |verdicts: &Verdicts, check: &String| {
        let only = |said: &String| said.split(' ').next().unwrap_or_default().to_owned();
        verdicts.get(check).map_or(vec!["absent".to_owned()], |all| all.iter().map(only).collect())
    };
    let why = |verdicts: &Verdicts, check: &String| {
        verdicts.get(check).map_or("absent".to_owned(), |all| all.join("; "))
    };
    let checks: BTreeSet<&String> = direct.keys().chain(through.keys()).collect();
    let differ = checks.into_iter().filter(|check| verdict(direct, check) != verdict(through, check));
    differ
        .map(|check| Difference {
            side: "conformance",
            at: check.clone(),
            field: String::new(),
            direct: why(direct, check),
            through: why(through, check),
        })
        .collect()
}

/// Every server scenario of a revision against the fixture, directly and through the door, behind which the
/// fixture is reached in each of its own ways.
fn server_scenarios(revision: &str) {
    let Some(suite) = tools::need("the conformance suite", Suite::open().unwrap()) else { return };
    let log = suite.folder.path().join("fixture.log");
    let fixture = Running::start("fixture", &mut suite.fixture("server.mjs"), &log, true).unwrap();
    let url = fixture.line(START).unwrap();
    let program = suite.packages.join("node_modules/.bin/node").display().to_string();
    let script = suite.folder.path().join("server.mjs").display().to_string();
    let (_http, over_http) = suite.door("http", &url, &["--upstream", &url]).unwrap();
    let (_stdio, over_stdio) = suite
        .door("stdio", &format!("exec:{program} {script}*"), &["--", &program, &script, "--stdio"])
        .unwrap();
    let run = |name: &str, url: &str| {
        suite.conformance(
            &suite.folder.path().join(format!("{name}-out")),
            &["server", "--url", url, "--requirements", revision],
        )
    };
    let (direct, over_http, over_stdio) = std::thread::scope(|threads| {
        let direct = threads.spawn(|| run("direct", &url).unwrap());
        let http = threads.spawn(|| run("http", &over_http).unwrap());
        let stdio = threads.spawn(|| run("stdio", &over_stdio).unwrap());
        (direct.join().unwrap(), http.join().unwrap(), stdio.join().unwrap())
    });
    let passed = direct.values().flatten().filter(|verdict| *verdict == "SUCCESS").count();
    assert!(passed >= 80, "only {passed} checks pass directly: the fixture is not what it was");
    let mut wrong = Vec::new();
    for (way, through) in [(Way::Http, over_http), (Way::Stdio, over_stdio)] {
        let name = format!("conformance {revision} http to {}", way.name());
        wrong.extend(differences::judge(&name, &compare(&direct, &through)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn server_scenarios_of_2025_11_25_come_to_the_same_verdicts() {
    server_scenarios("2025-11-25");
}

#[test]
fn server_scenarios_of_2026_07_28_come_to_the_same_verdicts() {
    server_scenarios("2026-07-28");
}
