//! The published MCP conformance scenarios, directly and with Portreeve between: each check has to come to
//! the same verdict.

use super::compare::Difference;
use super::differences;
use super::sdks::Suite;
use anyhow::{Context, Result};
use harness::tools;
use harness::wire::Way;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

/// What each scenario's folder ends with.
const TIME: usize = "-2026-11-20T11-27-18-250Z".len();

/// What the suite writes down among its checks without judging it; that is compared by the scripts, in full.
const TRAFFIC: [&str; 5] =
    ["incoming-request", "outgoing-response", "outgoing-request", "incoming-response", "incoming-sse-event"];

/// Scenario and check, and the verdicts it came to (a check may be made several times).
type Verdicts = BTreeMap<String, Vec<String>>;

impl Suite {
    /// Runs the suite's own program; what it thinks of the verdicts is not asked.
    fn conformance(&self, name: &str, between: Option<Way>, args: &[&str]) -> Result<Verdicts> {
        let out = self.folder().join(name);
        let mut command = self.node("node_modules/@modelcontextprotocol/conformance/dist/index.js");
        command.args(args).arg("-o").arg(&out).current_dir(self.folder());
        if let Some(way) = between {
            command.env("WAY", way.name()).env("PORTREEVE", tools::program("portreeve")?);
            command.env("POLICY", self.folder().join("allow-all.toml"));
        }
        let log = out.with_extension("log");
        let file = std::fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?;
        let verdicts = verdicts(&out).unwrap_or_default();
        anyhow::ensure!(!verdicts.is_empty(), "no verdicts of {args:?}: {}", std::fs::read_to_string(log)?);
        Ok(verdicts)
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
        for check in checks.iter().filter(|check| !TRAFFIC.iter().any(|traffic| check["id"] == *traffic)) {
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
    let (_fixture, url) = suite.started("fixture", &mut suite.node("server.mjs")).unwrap();
    let (_http, over_http) = suite.door("http", &url, &["--upstream", &url]).unwrap();
    let command = suite.command("server.mjs");
    let identity = format!("exec:{}*", command.join(" "));
    let guarded: Vec<&str> =
        ["--"].into_iter().chain(command.iter().map(String::as_str)).chain(["--stdio"]).collect();
    let (_stdio, over_stdio) = suite.door("stdio", &identity, &guarded).unwrap();
    let run = |name: &str, url: &str| {
        suite.conformance(name, None, &["server", "--url", url, "--requirements", revision])
    };
    let (direct, over_http, over_stdio) = std::thread::scope(|threads| {
        let direct = threads.spawn(|| run("direct-out", &url).unwrap());
        let http = threads.spawn(|| run("http-out", &over_http).unwrap());
        let stdio = threads.spawn(|| run("stdio-out", &over_stdio).unwrap());
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

/// Client scenarios with an SDK's client, directly and with Portreeve between, to which the client speaks
/// over HTTP and over stdio. Those of OAuth cannot be compared: `between` changes the address that the
/// client's tokens are for, and a guard that passed them on would be the one that is wrong.
fn client_scenarios(sdk: &str, revision: &str, scenarios: &[&str]) {
    let Some(suite) = tools::need("the conformance suite", Suite::open().unwrap()) else { return };
    let Some(client) = tools::need("the Python SDK", suite.client(sdk)) else { return };
    let (client, between) = (client.join(" "), suite.command("between.mjs").join(" "));
    let mut wrong = Vec::new();
    for scenario in scenarios {
        let run = |way: Option<Way>| {
            let name = format!("{scenario}-{}", way.map_or("direct", Way::name));
            let command = way.map_or(client.clone(), |_| format!("{between} {client}"));
            let args = ["client", "--command", &command, "--scenario", scenario, "--spec-version", revision];
            suite.conformance(&name, way, &args).unwrap()
        };
        let (direct, http, stdio) = std::thread::scope(|threads| {
            let http = threads.spawn(|| run(Some(Way::Http)));
            let stdio = threads.spawn(|| run(Some(Way::Stdio)));
            (run(None), http.join().unwrap(), stdio.join().unwrap())
        });
        for (way, through) in [(Way::Http, http), (Way::Stdio, stdio)] {
            let name = format!("conformance {sdk} client {scenario} {revision} {} to http", way.name());
            wrong.extend(differences::judge(&name, &compare(&direct, &through)));
        }
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

#[test]
fn client_scenarios_of_2025_11_25_come_to_the_same_verdicts() {
    let scenarios = [
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "json-schema-2020-12-preservation",
    ];
    client_scenarios("typescript", "2025-11-25", &scenarios);
    client_scenarios("python", "2025-11-25", &scenarios[1..3]);
}

#[test]
fn client_scenarios_of_2026_07_28_come_to_the_same_verdicts() {
    let scenarios = [
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ];
    client_scenarios("typescript", "2026-07-28", &scenarios);
    client_scenarios("python", "2026-07-28", &scenarios[..2]);
}
