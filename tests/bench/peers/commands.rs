//! How each peer is started: the shortest configuration that lets everything through.
#![expect(clippy::unnecessary_wraps, reason = "one signature for all peers: some write files")]

use super::{Installed, Peer};
use crate::contestants::{Contestant, Entrance, Launch, Role, Way};
use crate::speech::Call;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that speaks on its stdio, in a folder of its own.
fn stdio(at: &Installed<'_>, arguments: &[&str]) -> Launch {
    let (program, scratch) = (at.program.clone(), at.scratch.clone());
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Launch::Stdio(Box::new(move || Ok(command(&program, &scratch, &arguments))))
}

pub(super) fn command(program: &Path, scratch: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    // Nothing is looked up or sent elsewhere, and nothing is kept in the home of whoever runs this.
    command.args(arguments).current_dir(scratch).env("HOME", scratch);
    command.env("FASTMCP_CHECK_FOR_UPDATES", "off").env("NO_COLOR", "1");
    command
}

/// A program that listens; `start` writes its configuration and gives its arguments.
fn listens(
    at: &Installed<'_>,
    path: &'static str,
    start: impl Fn(u16) -> Result<Vec<String>> + 'static,
) -> Launch {
    let (program, scratch) = (at.program.clone(), at.scratch.clone());
    Launch::Listens(Box::new(move |port| {
        let command = command(&program, &scratch, &start(port)?);
        Ok(Entrance { command, url: Some(format!("http://127.0.0.1:{port}{path}")), headers: String::new() })
    }))
}

pub(super) fn one(peer: &Peer, way: Way, launch: Launch) -> Contestant {
    Contestant::new(peer.name, way, Role::Peer, launch)
}

/// A file in the peer's folder; its path as text.
fn file(scratch: &Path, name: &str, text: &str) -> Result<String> {
    let path: PathBuf = scratch.join(name);
    std::fs::write(&path, text)?;
    Ok(path.to_str().context("a folder of plain text")?.to_owned())
}

pub(super) fn mcp_shield(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    // Agents without a policy of their own pass by the limiter.
    let rules =
        "audit:\n  type: sqlite\n  path: audit.db\nagents: {}\ndefault_policy:\n  allowed_tools: [echo]\n";
    let transport = json!({"type": "stdio", "server": [at.server]});
    let local = file(&at.scratch, "stdio.yml", &format!("transport: {transport}\n{rules}"))?;
    let (scratch, url) = (at.scratch.clone(), at.url.to_owned());
    let door = listens(at, "/mcp", move |port| {
        let transport = json!({"type": "http", "addr": format!("127.0.0.1:{port}"), "upstream": url});
        Ok(vec![file(&scratch, "http.yml", &format!("transport: {transport}\n{rules}"))?])
    });
    let (program, scratch) = (at.program.clone(), at.scratch.clone());
    let local = Launch::Stdio(Box::new(move || {
        let mut command = command(&program, &scratch, std::slice::from_ref(&local));
        // Its log goes among the lines of the protocol, in the middle of a long one too.
        command.env("LOG_LEVEL", "off");
        Ok(command)
    }));
    Ok(vec![one(peer, Way::StdioToStdio, local), one(peer, Way::HttpToHttp, door)])
}

pub(super) fn mcp_proxy_rust(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let (scratch, url) = (at.scratch.clone(), at.url.to_owned());
    let door = listens(at, "/", move |port| {
        let text = format!(
            "[proxy]\nname = \"bench\"\nseparator = \"/\"\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n\
             [[backends]]\nname = \"echo\"\ntransport = \"http\"\nurl = \"{url}\"\n"
        );
        Ok(vec!["--config".to_owned(), file(&scratch, "proxy.toml", &text)?])
    });
    Ok(vec![Contestant { call: Call::of("echo/echo"), ..one(peer, Way::HttpToHttp, door) }])
}

pub(super) fn mcp_hub(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let text = format!("[servers.echo]\ncommand = {}\n", json!(at.server));
    let hub = file(&at.scratch, "hub.toml", &text)?;
    Ok(vec![one(peer, Way::StdioToStdio, stdio(at, &[&hub]))])
}

pub(super) fn mcp_fw(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let server =
        json!({"command": at.server, "args": [], "allow": ["FS", "IO", "NET", "PROC", "TIME", "RAND"]});
    let policy = file(&at.scratch, "policy.yaml", &json!({"servers": {"echo": server}}).to_string())?;
    let launch = stdio(at, &["run", "--config", &policy, "--server", "echo"]);
    Ok(vec![one(peer, Way::StdioToStdio, launch)])
}

pub(super) fn lasso(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let servers = json!({"echo": {"command": at.server, "args": []}});
    let gateway =
        json!({"mcpServers": {"mcp-gateway": {"command": "mcp-gateway", "args": [], "servers": servers}}});
    let path = file(&at.scratch, "mcp.json", &gateway.to_string())?;
    let launch = stdio(at, &["--mcp-json-path", &path]);
    Ok(vec![Contestant { call: Call::of("echo_echo"), ..one(peer, Way::StdioToStdio, launch) }])
}

pub(super) fn mcp_hangar(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let servers = json!({"echo": {"mode": "subprocess", "command": [at.server]}});
    let config = file(&at.scratch, "config.yaml", &json!({"mcp_servers": servers}).to_string())?;
    let (program, scratch, server) = (at.program.clone(), at.scratch.clone(), at.server.to_owned());
    let launch = Launch::Stdio(Box::new(move || {
        let mut command = command(&program, &scratch, &["serve".into(), "--config".into(), config.clone()]);
        // It starts only commands that it is told of by name.
        command.env("MCP_ALLOWED_COMMANDS", server.file_name().unwrap_or_default());
        Ok(command)
    }));
    let call =
        Call::through("hangar_call", r#"{"calls":[{"mcp_server":"echo","tool":"echo","arguments":"#, "}]}");
    Ok(vec![Contestant { call, ..one(peer, Way::StdioToStdio, launch) }])
}

pub(super) fn supergateway(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let launch = stdio(at, &["--streamableHttp", at.url, "--logLevel", "none"]);
    Ok(vec![one(peer, Way::StdioToHttp, launch)])
}

pub(super) fn mcp_remote(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let launch = stdio(at, &[at.url, "--allow-http", "--transport", "http-only", "--silent"]);
    Ok(vec![one(peer, Way::StdioToHttp, launch)])
}

pub(super) fn mcp_proxy_python(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let launch = stdio(at, &["--transport", "streamablehttp", at.url]);
    Ok(vec![one(peer, Way::StdioToHttp, launch)])
}

pub(super) fn fastmcp(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let launch = stdio(at, &["run", at.url, "--no-banner"]);
    let url = at.url.to_owned();
    let door = listens(at, "/mcp", move |port| {
        let port = port.to_string();
        let arguments = ["run", &url, "--transport", "http", "--port", &port, "--no-banner"];
        Ok(arguments.iter().map(|argument| (*argument).to_owned()).collect())
    });
    Ok(vec![one(peer, Way::StdioToHttp, launch), one(peer, Way::HttpToHttp, door)])
}
