//! Who runs: direct, the floors, the guard, and the peers, for each way from client to server.

use crate::program::Program;
use crate::programs::Programs;
use crate::speech::Call;
use crate::stage::Stage;
use crate::wire::{Http, Stdio, Wire};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{ChildStdout, Command};
use std::time::{Duration, Instant};

/// What a program that listens gets until it answers; the slowest peer takes half a minute.
const PATIENCE: Duration = Duration::from_secs(55);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    StdioToStdio,
    StdioToHttp,
    HttpToHttp,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::StdioToStdio, Self::StdioToHttp, Self::HttpToHttp];

    pub fn name(self) -> &'static str {
        match self {
            Self::StdioToStdio => "stdio→stdio",
            Self::StdioToHttp => "stdio→HTTP",
            Self::HttpToHttp => "HTTP→HTTP",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Direct,
    Floor,
    Guard,
    /// The guard with nobody who takes its records.
    GuardAlone,
    Peer,
}

pub enum Launch {
    /// Speaks on its stdin and stdout.
    Stdio(Box<dyn Fn() -> Result<Command>>),
    /// Listens on this port.
    Listens(Box<dyn Fn(u16) -> Result<Entrance>>),
    /// Runs already.
    There(String),
}

/// How to start and to reach a program that listens.
pub struct Entrance {
    pub command: Command,
    /// Where it does not say it itself, in its first line with a URL.
    pub url: Option<String>,
    /// Whole header lines that it asks for.
    pub headers: String,
}

pub struct Contestant {
    pub name: String,
    pub way: Way,
    pub role: Role,
    pub call: Call,
    pub launch: Launch,
}

/// A contestant that was started and has shaken hands.
pub struct Session {
    /// Dropped after the wire, as a client leaves.
    pub wire: Wire,
    pub program: Option<Program>,
    /// From the start of its process to its first answer.
    pub start: Duration,
}

impl Contestant {
    /// One whose calls need nothing special.
    pub fn new(name: &str, way: Way, role: Role, launch: Launch) -> Self {
        Self { name: name.to_owned(), way, role, call: Call::of("echo"), launch }
    }

    pub fn open(&self, log: &Path) -> Result<Session> {
        let began = Instant::now();
        let (mut wire, program) = match &self.launch {
            Launch::Stdio(command) => {
                let (program, stdin, stdout) = Program::start(command()?, log)?;
                (Wire::Stdio(Stdio::new(stdin, stdout)), Some(program))
            }
            Launch::There(url) => (Wire::Http(Http::new(url, "")?), None),
            Launch::Listens(entrance) => return enter(entrance(free_port()?)?, log, began),
        };
        wire.greet()?;
        Ok(Session { wire, program, start: began.elapsed() })
    }
}

/// Starts it and knocks until it answers.
fn enter(Entrance { command, url, headers }: Entrance, log: &Path, began: Instant) -> Result<Session> {
    let (mut program, _, stdout) = Program::start(command, log)?;
    let url = match url {
        Some(url) => url,
        None => said_url(stdout)?,
    };
    loop {
        let knock = || -> Result<Wire> {
            let mut wire = Wire::Http(Http::new(&url, &headers)?);
            wire.greet()?;
            Ok(wire)
        };
        match knock() {
            Ok(wire) => return Ok(Session { wire, program: Some(program), start: began.elapsed() }),
            Err(error) if program.has_ended() => return Err(error.context("it ended")),
            Err(error) if began.elapsed() > PATIENCE => {
                return Err(error.context("it did not answer in time"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// The first URL in its output; the rest of the output goes nowhere.
fn said_url(stdout: ChildStdout) -> Result<String> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next() {
        let line = line?;
        if let Some(at) = line.find("http://") {
            let url = line.get(at..).unwrap_or_default();
            let end = url.find(|c: char| c.is_whitespace() || "\"',".contains(c)).unwrap_or(url.len());
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(url.get(..end).unwrap_or_default().to_owned());
        }
    }
    bail!("it ended without saying where it listens")
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A command line as a closure that makes it anew for each start.
fn stdio(program: &Path, arguments: &[&str]) -> Launch {
    let program = program.to_owned();
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    Launch::Stdio(Box::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        Ok(command)
    }))
}

/// All of ours.
pub fn ours(programs: &Programs, stage: &Stage) -> Result<Vec<Contestant>> {
    let url = stage.url.clone();
    let record = stage.folder().join("floor-record.jsonl");
    let record = record.to_str().context("a folder of plain text")?;
    let server = programs.echo_server.to_str().context("a folder of plain text")?;
    let floor = |arguments: &[&str]| stdio(&programs.floor, arguments);
    Ok(vec![
        Contestant::new("direct", Way::StdioToStdio, Role::Direct, stdio(&programs.echo_server, &[])),
        Contestant::new(
            "floor: frames, scans, looks up, appends a record",
            Way::StdioToStdio,
            Role::Floor,
            floor(&["forward", record, "--", server]),
        ),
        Contestant::new(
            "**portreeve**",
            Way::StdioToStdio,
            Role::Guard,
            stage.wrapped(true, &["--", server]),
        ),
        Contestant::new(
            "portreeve, no resident",
            Way::StdioToStdio,
            Role::GuardAlone,
            stage.wrapped(false, &["--", server]),
        ),
        Contestant::new("direct (HTTP)", Way::StdioToHttp, Role::Direct, Launch::There(url.clone())),
        Contestant::new(
            "floor: frames, scans, looks up, appends a record, posts by hyper",
            Way::StdioToHttp,
            Role::Floor,
            floor(&["post", record, &url]),
        ),
        Contestant::new(
            "**portreeve**",
            Way::StdioToHttp,
            Role::Guard,
            stage.wrapped(true, &["--http", &url]),
        ),
        Contestant::new(
            "portreeve, no resident",
            Way::StdioToHttp,
            Role::GuardAlone,
            stage.wrapped(false, &["--http", &url]),
        ),
        Contestant::new("direct", Way::HttpToHttp, Role::Direct, Launch::There(url.clone())),
        Contestant::new("floor: one hyper hop without policy", Way::HttpToHttp, Role::Floor, {
            let (floor, url) = (programs.floor.clone(), url);
            Launch::Listens(Box::new(move |_| {
                let mut command = Command::new(&floor);
                command.args(["hop", &url]);
                Ok(Entrance { command, url: None, headers: String::new() })
            }))
        }),
        Contestant::new("**portreeve**", Way::HttpToHttp, Role::Guard, stage.served(true)?),
        Contestant::new("portreeve, no resident", Way::HttpToHttp, Role::GuardAlone, stage.served(false)?),
    ])
}
