//! One session with one server, directly or through Portreeve, and what each side saw of it.

use super::script::{self, Era, Heard};
use super::servers::{self, Server};
use anyhow::{Context, Result};
use harness::http::{Request, Response};
use harness::process::Running;
use harness::stage::allow_all;
use harness::tap::{self, Tap};
use harness::wire::{Address, Way};
use harness::{http, tools, wait};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const START: Duration = Duration::from_secs(30);

/// What the server is given to hear that a session is over.
const FAREWELL: Duration = Duration::from_secs(3);

/// What both sides saw, with everything that differs from run to run made the same.
#[derive(Debug)]
pub struct Seen {
    pub client: Heard,
    /// The messages the server was told, in order.
    pub server: Vec<String>,
    /// What came with them over HTTP: method, and the headers that mean something to MCP.
    pub requests: Vec<String>,
}

/// The surroundings of one run.
struct Surroundings {
    folder: tempfile::TempDir,
    page: String,
    /// What stands for what in everything that was seen.
    names: Vec<(String, &'static str)>,
}

/// Plays the server's script; `None` where the server was not fetched.
///
/// # Errors
/// Something did not start, or the script could not be played to its end.
pub fn run(server: &Server, era: Era, serves: Way, through: Option<Way>) -> Result<Option<Seen>> {
    let mut here = Surroundings::make()?;
    let Some(mut command) = server.command(here.folder(), serves) else { return Ok(None) };
    let steps = server.steps(here.folder(), &here.page)?;
    let log = here.folder().join("told.log");
    let mut remote = None;
    let target = if serves == Way::Stdio {
        let mut tapped = Command::new(tools::program("tap")?);
        tapped.arg(&log).arg(command.get_program()).args(command.get_args());
        tapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        servers::steady(&mut tapped, here.folder());
        Target::Command(tapped)
    } else {
        servers::steady(&mut command, here.folder());
        let (process, address) = serve(&mut command, &here.folder().join("server.log"))?;
        let tap = Tap::start(address)?;
        here.names.push((address.to_string(), "{server}"));
        here.names.push((tap.address.to_string(), "{server}"));
        here.names.push((address.port().to_string(), "{port}"));
        let path = if serves == Way::Http { "/mcp" } else { "/sse" };
        let url = format!("http://{}{path}", tap.address);
        remote = Some((process, tap));
        if serves == Way::Http { Target::Http(url) } else { Target::Sse(url) }
    };
    let (_guard, address) = target.reached(through, here.folder())?;
    let heard = script::play(address, era, &steps).with_context(|| format!("the logs:\n{}", here.logs()))?;
    if let (Some((_, tap)), Way::Http, Era::Handshake(_)) = (&remote, serves, era) {
        // The door answers its client's farewell before it says its own; whether it came is compared below.
        let said = || tap.told().iter().any(|request| request.method == "DELETE");
        let _ = wait::until("the session's end", FAREWELL, said);
    }
    let (server, requests) = match &remote {
        Some((_, tap)) => told_over_http(&tap.told()),
        None => (tap::lines(&log)?, Vec::new()),
    };
    Ok(Some(here.steady(Seen { client: heard, server, requests })))
}

/// The server itself, as a client would reach it.
enum Target {
    Command(Command),
    Http(String),
    Sse(String),
}

impl Target {
    fn identity(&self) -> String {
        match self {
            Self::Command(command) => format!("exec:{}*", command.get_program().display()),
            Self::Http(url) | Self::Sse(url) => url.clone(),
        }
    }

    /// Directly, or with a guard between that speaks `through` to the client.
    fn reached(self, through: Option<Way>, folder: &Path) -> Result<(Option<Running>, Address)> {
        let log = folder.join("client.log");
        let Some(through) = through else {
            let address = match self {
                Self::Command(command) => Address::command(command, &log),
                Self::Http(url) => Address::Http(url),
                Self::Sse(url) => Address::Sse(url),
            };
            return Ok((None, address));
        };
        let policy = folder.join("policy.toml");
        std::fs::write(&policy, allow_all(&self.identity()))?;
        let mut guard = Command::new(tools::program("portreeve")?);
        guard.arg("--root").arg(folder.join("portreeve"));
        if through == Way::Stdio {
            guard.args(["wrap", "--policy"]).arg(&policy);
            self.named_to(&mut guard, ["--http", "--sse"].map(|flag| vec![flag]), folder);
            return Ok((None, Address::command(guard, &log)));
        }
        guard.args(["serve", "--listen", "127.0.0.1:0", "--client-auth", "none", "--policy"]).arg(&policy);
        self.named_to(&mut guard, [vec!["--upstream"], vec!["--sse", "--upstream"]], folder);
        let door = Running::start("the door", &mut guard, &log, true)?;
        let said = door.line(START)?;
        let url = said.rsplit(' ').next().unwrap_or_default().to_owned();
        let older = Address::Sse(url.replace("/mcp", "/sse"));
        Ok((Some(door), if through == Way::Http { Address::Http(url) } else { older }))
    }

    /// Says to a command line of ours which server it is to guard.
    fn named_to(self, guard: &mut Command, flags: [Vec<&str>; 2], folder: &Path) {
        let [http, sse] = flags;
        match self {
            Self::Command(command) => {
                guard.arg("--").arg(command.get_program()).args(command.get_args());
                guard.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            }
            Self::Http(url) => drop(guard.args(http).arg(url)),
            Self::Sse(url) => drop(guard.args(sse).arg(url)),
        }
        servers::steady(guard, folder);
    }
}

/// Starts an HTTP server that takes its port from the environment and cannot choose one itself.
fn serve(command: &mut Command, log: &Path) -> Result<(Running, SocketAddr)> {
    // Between the choice of a port and its use another program may take it.
    for _ in 0..5 {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.env("PORT", address.port().to_string());
        let mut process = Running::start("the server", command, log, false)?;
        wait::until("the server to listen, or to end", START, || {
            process.ended().is_some() || TcpStream::connect(address).is_ok()
        })?;
        if process.ended().is_none() {
            return Ok((process, address));
        }
    }
    anyhow::bail!("the server did not start: {}", std::fs::read_to_string(log)?)
}

fn told_over_http(requests: &[Request]) -> (Vec<String>, Vec<String>) {
    let messages = requests.iter().filter(|request| !request.body.is_empty());
    let messages = messages.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    (messages, requests.iter().map(head).collect())
}

/// Of the headers, those that a server of MCP acts on.
fn head(request: &Request) -> String {
    let meant = |name: &str| {
        name.starts_with("mcp-")
            || ["accept", "authorization", "content-type", "last-event-id", "origin", "cookie"]
                .contains(&name)
    };
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .filter(|(name, _)| meant(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let path = request.target.split('?').next().unwrap_or_default();
    format!("{} {path} [{}]", request.method, headers.join(", "))
}

impl Surroundings {
    fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("transparency-").tempdir()?;
        servers::furnish(folder.path())?;
        let page = http::Server::start(|_| {
            Response::text(200, "text/html", "<html><body><h1>A gate</h1><p>Who may pass?</p></body></html>")
        })?
        .url("/page");
        let names = vec![(folder.path().display().to_string(), "{folder}"), (page.clone(), "{page}")];
        Ok(Self { folder, page, names })
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn logs(&self) -> String {
        let logs = ["client.log", "server.log", "told.log"].map(|name| -> Option<String> {
            let path: PathBuf = self.folder().join(name);
            let text = std::fs::read_to_string(path).ok()?;
            Some(format!("-- {name}\n{}", text.chars().take(4000).collect::<String>()))
        });
        logs.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    fn steady(&self, seen: Seen) -> Seen {
        let one = |text: String| super::steady::steady(&text, &self.names);
        let all = |texts: Vec<String>| texts.into_iter().map(one).collect::<Vec<_>>();
        let Heard { answers, progress, unasked, order, exchanges } = seen.client;
        Seen {
            client: Heard {
                answers: answers.into_iter().map(|(id, (what, text))| (id, (what, one(text)))).collect(),
                progress: progress.into_iter().map(|(id, texts)| (id, all(texts))).collect(),
                unasked: unasked.into_iter().map(|(method, texts)| (method, all(texts))).collect(),
                order: all(order),
                exchanges: all(exchanges),
            },
            server: all(seen.server),
            requests: all(seen.requests),
        }
    }
}
