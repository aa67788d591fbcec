//! Who is in the story: an organisation, Alice's machine, a remote server, and a webhook's receiver.

use crate::report::Report;
use anyhow::{Context, Result, bail};
use harness::claude::{self, Servers};
use harness::fetch::Fetched;
use harness::http::{Response, Server};
use harness::machine::Machine;
use harness::organisation::Organisation;
use harness::process::{self, Running};
use harness::tools;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const MEMBER: &str = "alice@acme.example";
/// How long a device may be silent in the demo before it is shown as dark (90 s by default in earnest).
pub const DARK_AFTER_SECONDS: u32 = 4;

/// Everything the story needs, and everything it has to take down again.
#[derive(Debug)]
pub struct Cast {
    pub folder: PathBuf,
    pub project: PathBuf,
    pub servers: Servers,
    pub remote_url: String,
    pub organisation: Organisation,
    pub machine: Machine,
    pub webhook: Webhook,
    /// Files as they were before anything was rewired.
    pub originals: Vec<(PathBuf, Vec<u8>)>,
    remote: Option<Running>,
}

impl Cast {
    /// Makes the stage: servers, home, organisation.
    pub fn gather(sample_only: bool, report: &mut Report) -> Result<Self> {
        report.chapter("The stage");
        report.step("Real MCP servers are at hand", || fetch(sample_only))?;
        let folder = tools::target_folder()?.join("demo");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let servers = Servers::find(&folder.join("servers"), sample_only)?;
        let project = folder.join("project");
        std::fs::create_dir_all(&project)?;
        servers.install_into(&project)?;
        let (remote, remote_url) = start_remote(&servers, &folder)?;
        let machine = Machine::new(&folder.join("alice"), MEMBER)?;
        let mut founded = None;
        report.step("An organisation is founded and its policy server starts", || {
            let organisation = Organisation::found(&folder.join("acme"), "acme", DARK_AFTER_SECONDS)?;
            let said = format!(
                "acme, at https://{} (SQLite inside {})",
                organisation.address,
                organisation.data.display()
            );
            founded = Some(organisation);
            Ok(said)
        })?;
        let organisation = founded.context("the organisation was founded")?;
        let webhook = Webhook::start()?;
        organisation.admin(&["webhooks", "add", &webhook.url()])?;
        let originals = Vec::new();
        let mut cast = Self {
            folder,
            project,
            servers,
            remote_url,
            organisation,
            machine,
            webhook,
            originals,
            remote: Some(remote),
        };
        report.step("A developer's home has Claude Code's and Claude Desktop's configurations", || {
            cast.furnish()
        })?;
        Ok(cast)
    }

    /// Writes the configurations of a lived-in home.
    fn furnish(&mut self) -> Result<String> {
        let shown = self.project.join("notes");
        std::fs::create_dir_all(&shown)?;
        std::fs::write(shown.join("todo.txt"), "ship it\n")?;
        std::fs::write(self.project.join("private.txt"), "not for the model\n")?;
        let remote = json!({"type": "http", "url": self.remote_url, "headers": {"Authorization": "Bearer demo-token-of-alice"}});
        let user = json!({"everything": self.servers.everything(), "tracker": remote});
        let local = json!({"scratch": self.servers.everything()});
        std::fs::write(
            self.machine.home.join(".claude.json"),
            claude::claude_json(&user, &self.project, &local),
        )?;
        let team = json!({"mcpServers": {"team-files": self.servers.filesystem(&self.project)}});
        std::fs::write(self.project.join(".mcp.json"), serde_json::to_string_pretty(&team)?)?;
        let desktop = self.machine.home.join(".config/Claude");
        std::fs::create_dir_all(&desktop)?;
        let config = json!({"mcpServers": {"files": self.servers.filesystem(&self.project)}, "preferences": {"menuBarEnabled": true}});
        std::fs::write(
            desktop.join("claude_desktop_config.json"),
            serde_json::to_string_pretty(&config)? + "\n",
        )?;
        for path in [self.machine.home.join(".claude.json"), desktop.join("claude_desktop_config.json")] {
            self.originals.push((path.clone(), std::fs::read(path)?));
        }
        Ok(format!("{}: 5 servers in 3 files, none governed", self.machine.home.display()))
    }

    /// The entry a client would start, out of the configuration as it is now.
    pub fn user_entry(&self, name: &str) -> Result<Value> {
        Ok(self.machine.config(".claude.json")?["mcpServers"][name].clone())
    }

    /// A session as Claude would open it.
    pub fn open(&self, entry: &Value) -> Result<harness::mcp_client::Session> {
        let mut session = harness::mcp_client::Session::start(entry, &self.machine.home, &self.project)?;
        session.initialize()?;
        Ok(session)
    }

    /// Leaves the organisation up for a person to look at.
    pub fn stay(&mut self, report: &Report) -> Result<()> {
        self.machine.start_resident()?;
        let link = self.organisation.admin(&["admin", "link"])?;
        report.note(&format!(
            "\nThe console is open until you press Enter (its certificate is the demo's own):\n  {}",
            link.trim()
        ));
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        Ok(())
    }

    /// Takes everything down and looks for what is left.
    pub fn leave(mut self) -> Result<String> {
        self.machine.stop_resident()?;
        self.organisation.stop()?;
        if let Some(mut remote) = self.remote.take() {
            remote.kill();
        }
        let folder = self.folder.to_string_lossy().into_owned();
        harness::wait::until("every process of the demo to end", Duration::from_secs(5), || {
            process::mentioning(&folder).is_empty()
        })
        .with_context(|| format!("still there: {:?}", process::mentioning(&folder)))?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok("no process, no file".to_owned())
    }
}

fn fetch(sample_only: bool) -> Result<String> {
    if sample_only || tools::on_path("npx").is_none() {
        return Ok(
            "the small sample server of ours (there is no Node here, or --sample was given)".to_owned()
        );
    }
    match Fetched::NpmServers.ensure() {
        Ok(_) => Ok("@modelcontextprotocol/server-everything and server-filesystem, from npm".to_owned()),
        Err(error) if tools::is_ci() => Err(error),
        Err(error) => Ok(format!(
            "the small sample server of ours, as npm did not give the reference servers: {error:#}"
        )),
    }
}

/// The reference server over Streamable HTTP, or the sample server's.
fn start_remote(servers: &Servers, folder: &std::path::Path) -> Result<(Running, String)> {
    let log = folder.join("remote.log");
    let Some(npm) = &servers.npm else {
        let running = Running::start("the remote server", &mut servers.remote(), &log, true)?;
        let url = running.line(Duration::from_secs(10))?;
        return Ok((running, url));
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("node");
    command
        .arg(npm.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"))
        .arg("streamableHttp");
    let mut running =
        Running::start("the remote server", command.env("PORT", port.to_string()), &log, false)?;
    harness::wait::until("the remote server to listen", Duration::from_secs(30), || {
        running.ended().is_some() || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })?;
    if running.ended().is_some() {
        bail!("the remote server ended: {}", running.log_tail());
    }
    Ok((running, format!("http://127.0.0.1:{port}/mcp")))
}

/// Receives what the policy server sends when an alert is raised.
#[derive(Debug)]
pub struct Webhook {
    server: Server,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    fn start() -> Result<Self> {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&received);
        let server = Server::start(move |request| {
            keep.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(request.json());
            Response::empty(204)
        })?;
        Ok(Self { server, received })
    }

    fn url(&self) -> String {
        self.server.url("/alerts")
    }

    /// The first alert received with this code whose subject contains `about`.
    pub fn find(&self, code: &str, about: &str) -> Option<Value> {
        let received = self.received.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        received
            .iter()
            .find(|alert| {
                alert["code"] == code && alert["subject"].as_str().is_some_and(|text| text.contains(about))
            })
            .cloned()
    }
}
