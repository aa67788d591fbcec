//! Where the guard is measured: an organisation with a policy of 1,000 grants, one enrolled machine with its
//! resident and one without, and a server that is dialled.

use crate::contestants::{Entrance, Launch};
use crate::program::Program;
use crate::programs::Programs;
use crate::thousand_grants::document;
use anyhow::{Context, Result};
use harness::machine::Machine;
use harness::organisation::Organisation;
use harness::stage::MEMBER;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::time::Duration;

/// The first version is the one that an organisation is founded with.
const PUBLISHED: u64 = 2;
/// What the client shows at the HTTP door.
const TOKEN: &str = "a-token-of-the-benchmark";
const SETTLING: Duration = Duration::from_secs(20);

pub struct Stage {
    /// Of the server over HTTP.
    pub url: String,
    /// A machine whose resident runs.
    pub machine: Machine,
    /// One whose resident has brought the policy and was stopped.
    alone: Machine,
    /// Kept for as long as the stage stands.
    _organisation: Organisation,
    _server: (Program, ChildStdin),
    folder: tempfile::TempDir,
}

impl Stage {
    pub fn set(programs: &Programs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&programs.echo_server);
        command.arg("--http");
        let (server, stdin, stdout) = Program::start_for_good(command, &folder.path().join("server.log"))?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        let url = url.trim().to_owned();

        let organisation = Organisation::found(&folder.path().join("acme"), "acme", 3600)?;
        organisation.publish(&document(MEMBER, &programs.echo_server, &url), "1,000 grants")?;
        let enrolled = |name: &str| -> Result<Machine> {
            let mut machine = Machine::new(&folder.path().join(name), MEMBER)?;
            machine.place_profile(&organisation.profile_for(MEMBER)?)?;
            machine.run(&["enroll"])?;
            machine.start_resident()?;
            machine.await_policy(PUBLISHED, Duration::from_secs(60))?;
            Ok(machine)
        };
        let machine = enrolled("alice")?;
        let mut alone = enrolled("alone")?;
        alone.stop_resident()?;
        Ok(Self { url, machine, alone, _organisation: organisation, _server: (server, stdin), folder })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("programs.log")
    }

    /// `portreeve wrap` on one of the two machines.
    pub fn wrapped(&self, with_resident: bool, arguments: &[&str]) -> Launch {
        let machine = if with_resident { &self.machine } else { &self.alone };
        let (home, root) = (machine.home.clone(), machine.root.clone());
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Launch::Stdio(Box::new(move || {
            let mut command = Command::new(harness::tools::program("portreeve")?);
            command
                .arg("--root")
                .arg(&root)
                .args(["wrap", "--name", "bench"])
                .args(&arguments)
                .env("HOME", &home);
            Ok(command)
        }))
    }

    /// `portreeve serve` on one of the two machines, in front of the server that is dialled.
    pub fn served(&self, with_resident: bool) -> Result<Launch> {
        let machine = if with_resident { &self.machine } else { &self.alone };
        let (home, root) = (machine.home.clone(), machine.root.clone());
        let (token, url) = (self.folder().join("client-token"), self.url.clone());
        std::fs::write(&token, TOKEN)?;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600))?;
        Ok(Launch::Listens(Box::new(move |_| {
            let mut command = Command::new(harness::tools::program("portreeve")?);
            command.arg("--root").arg(&root).args(["serve", "--name", "bench", "--upstream", &url]);
            command.arg("--client-token-file").arg(&token).env("HOME", &home);
            Ok(Entrance { command, url: None, headers: format!("Authorization: Bearer {TOKEN}\r\n") })
        })))
    }

    /// Waits until every record is upstream, so that nobody else is measured beside that work.
    pub fn settle(&self) -> bool {
        let upstream = || {
            let Ok(status) = self.machine.status() else { return false };
            status["spool_depth"] == 0 && status["waiting_in_segments"] == 0
        };
        harness::wait::until("the record to be upstream", SETTLING, upstream).is_ok()
    }

    /// The resident's process.
    pub fn resident(&self) -> Result<u32> {
        let status = self.machine.status()?;
        let pid = status["resident"]["pid"].as_u64().context("the resident does not say its process")?;
        Ok(u32::try_from(pid)?)
    }
}
