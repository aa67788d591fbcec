//! The SDKs of TypeScript and Python as client and as server, directly and with Portreeve between: what the
//! client's own SDK makes of every answer has to be the same.

use super::compare::Difference;
use super::differences;
use super::run::START;
use super::steady::steady;
use anyhow::Result;
use harness::process::{self, Running};
use harness::stage::allow_all;
use harness::tools;
use harness::wire::Way;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder in which our fixture programs find the fetched packages.
pub struct Suite {
    packages: PathBuf,
    folder: tempfile::TempDir,
}

impl Suite {
    /// `None` where the packages were not fetched.
    ///
    /// # Errors
    /// The folder could not be made.
    pub fn open() -> Result<Option<Self>> {
        let Some(packages) = tools::conformance_folder() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        for entry in std::fs::read_dir(tools::repository().join("tests/fixtures/conformance"))? {
            let path = entry?.path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap_or_default()))?;
        }
        std::os::unix::fs::symlink(packages.join("node_modules"), folder.path().join("node_modules"))?;
        std::fs::write(folder.path().join("allow-all.toml"), allow_all("{identity}"))?;
        Ok(Some(Self { packages, folder }))
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The words of a command line that runs a program of the folder with the Node of the packages.
    #[must_use]
    pub fn command(&self, program: &str) -> Vec<String> {
        let node = self.packages.join("node_modules/.bin/node");
        [node, self.folder().join(program)].map(|path| path.display().to_string()).to_vec()
    }

    #[must_use]
    pub fn node(&self, program: &str) -> Command {
        started_by(&self.command(program))
    }

    fn python(&self, program: &str) -> Option<Vec<String>> {
        let python = tools::pypi_program("python")?;
        Some([python, self.folder().join(program)].map(|path| path.display().to_string()).to_vec())
    }

    /// An SDK's client, where it was fetched.
    #[must_use]
    pub fn client(&self, sdk: &str) -> Option<Vec<String>> {
        if sdk == "python" { self.python("client.py") } else { Some(self.command("client.mjs")) }
    }

    fn server(&self, sdk: &str) -> Option<Vec<String>> {
        if sdk == "python" { self.python("server.py") } else { Some(self.command("server.mjs")) }
    }

    /// Starts a program that prints its address, and takes the last word of that line for it.
    ///
    /// # Errors
    /// It did not start.
    pub fn started(&self, name: &str, command: &mut Command) -> Result<(Running, String)> {
        let running = Running::start(name, command, &self.folder().join(format!("{name}.log")), true)?;
        let said = running.line(START)?;
        Ok((running, said.rsplit(' ').next().unwrap_or_default().to_owned()))
    }

    /// The beginning of a command line of Portreeve's that judges by an allow-all policy for this server.
    fn portreeve(&self, name: &str, identity: &str, verb: &[&str]) -> Result<Vec<String>> {
        let policy = self.folder().join(format!("{name}.toml"));
        std::fs::write(&policy, allow_all(identity))?;
        let path = |path: PathBuf| path.display().to_string();
        let mut words =
            vec![path(tools::program("portreeve")?), "--root".to_owned(), path(self.folder().join(name))];
        words.extend(verb.iter().map(|word| (*word).to_owned()));
        words.extend(["--policy".to_owned(), path(policy)]);
        Ok(words)
    }

    /// `portreeve serve` in front of a server; its address.
    ///
    /// # Errors
    /// It did not start.
    pub fn door(&self, name: &str, identity: &str, server: &[&str]) -> Result<(Running, String)> {
        let words = self.portreeve(name, identity, &["serve", "--client-auth", "none"])?;
        self.started(name, started_by(&words).args(server))
    }
}

fn started_by(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// What a client says of a server that it reaches directly, or through Portreeve in this way.
fn met(suite: &Suite, pair: Pair, serves: Way, through: Option<Way>) -> Result<Option<Vec<String>>> {
    let (Some(client), Some(mut server)) = (suite.client(pair.client), suite.server(pair.server)) else {
        return Ok(None);
    };
    let name = format!("{}-{}-{}", pair.era, serves.name(), through.map_or("direct", Way::name));
    let identity = format!("exec:{}*", server.join(" "));
    let mut remote = None;
    let (identity, reached) = if serves == Way::Stdio {
        if pair.server == "typescript" {
            server.push("--stdio".to_owned());
        }
        (identity, server)
    } else {
        let http = (pair.server == "python").then_some("--http");
        let (running, url) = suite.started(&format!("{name}-server"), started_by(&server).args(http))?;
        remote = Some(running);
        (url.clone(), vec![url])
    };
    let own: Vec<&str> = match (serves, through) {
        (Way::Stdio, _) => vec!["--"],
        (_, Some(Way::Stdio)) => vec!["--http"],
        _ => vec!["--upstream"],
    };
    let own: Vec<&str> = own.into_iter().chain(reached.iter().map(String::as_str)).collect();
    let mut door = None;
    let target = match through {
        None => reached.clone(),
        Some(Way::Stdio) => {
            let mut words = suite.portreeve(&name, &identity, &["wrap"])?;
            words.extend(own.iter().map(|word| (*word).to_owned()));
            words
        }
        Some(_) => {
            let (running, url) = suite.door(&name, &identity, &own)?;
            door = Some(running);
            vec![url]
        }
    };
    let said =
        process::output(started_by(&client).args(target).env("ERA", pair.era).env("TOOLS", pair.tools))?;
    drop((door, remote));
    Ok(Some(said.lines().map(|line| steady(line, &[])).collect()))
}

/// Who speaks with whom, in which revision, about which tools.
#[derive(Debug, Clone, Copy)]
struct Pair {
    client: &'static str,
    server: &'static str,
    era: &'static str,
    tools: &'static str,
}

fn compared(pair: Pair) {
    let Some(suite) = tools::need("the TypeScript SDK", Suite::open().unwrap()) else { return };
    let mut wrong = Vec::new();
    for serves in [Way::Stdio, Way::Http] {
        let run = |through| met(&suite, pair, serves, through).unwrap();
        let (direct, stdio, http) = std::thread::scope(|threads| {
            let stdio = threads.spawn(|| run(Some(Way::Stdio)));
            let http = threads.spawn(|| run(Some(Way::Http)));
            (run(None), stdio.join().unwrap(), http.join().unwrap())
        });
        let Some(direct) = tools::need("the Python SDK", direct) else { return };
        assert!(direct.len() > 8, "the client met too little: {direct:?}");
        for (way, through) in [(Way::Stdio, stdio), (Way::Http, http)] {
            let through = through.unwrap_or_default();
            let Pair { client, server, era, .. } = pair;
            let name = format!("{client} with {server} {era} {} to {}", way.name(), serves.name());
            wrong.extend(differences::judge(&name, &differ(&direct, &through)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differ(direct: &[String], through: &[String]) -> BTreeSet<Difference> {
    let lines = 0..direct.len().max(through.len());
    let line = |lines: &[String], number: usize| lines.get(number).cloned().unwrap_or("absent".to_owned());
    let differ = lines.filter(|number| direct.get(*number) != through.get(*number));
    differ
        .map(|number| Difference {
            side: "client",
            at: format!("line {number}"),
            field: String::new(),
            direct: line(direct, number),
            through: line(through, number),
        })
        .collect()
}

#[test]
fn a_typescript_client_meets_the_same_python_server() {
    for era in ["2025-11-25", "2026-07-28"] {
        compared(Pair { client: "typescript", server: "python", era, tools: "" });
    }
}

#[test]
fn a_python_client_meets_the_same_typescript_server() {
    for era in ["2025-11-25", "2026-07-28"] {
        compared(Pair { client: "python", server: "typescript", era, tools: "test_" });
    }
}
