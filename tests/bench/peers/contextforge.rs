//! ContextForge: its stdio wrapper, and its gateway, which wants a person and the server told before it serves.

use super::commands::{command, one};
use super::{Installed, Peer};
use crate::contestants::{Contestant, Entrance, Launch, Way, free_port};
use crate::program::Program;
use crate::wire::post;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const PERSON: &str = "admin@example.com";
/// It takes no shorter one. The gateway runs on loopback, for as long as it is measured.
const PASSWORD: &str = "Of-a-gateway-of-a-minute-1!";
const KEY: &str = "a key of a gateway that runs for a minute, on loopback";

pub(super) fn contestants(peer: &Peer, at: &Installed<'_>) -> Result<Vec<Contestant>> {
    let (python, scratch) = (at.program.with_file_name("python"), at.scratch.clone());
    let wrapper = ["-m", "mcpgateway.wrapper", "--url", at.url, "--log-level", "OFF"].map(str::to_owned);
    let wrapped = Launch::Stdio(Box::new(move || Ok(keyed(&python, &scratch, &wrapper))));

    let headers =
        format!("Authorization: Bearer {}\r\n", registered(at).context("telling it of the server")?);
    let (program, scratch) = (at.program.clone(), at.scratch.clone());
    let door = Launch::Listens(Box::new(move |port| {
        let url = Some(format!("http://127.0.0.1:{port}/mcp"));
        Ok(Entrance { command: gateway(&program, &scratch, port), url, headers: headers.clone() })
    }));
    let door = Contestant { call: crate::speech::Call::of("echo-echo"), ..one(peer, Way::HttpToHttp, door) };
    Ok(vec![one(peer, Way::StdioToHttp, wrapped), door])
}

/// Neither of its programs starts without keys.
fn keyed(program: &Path, scratch: &Path, arguments: &[String]) -> Command {
    let mut command = command(program, scratch, arguments);
    command.env("JWT_SECRET_KEY", KEY).env("AUTH_ENCRYPTION_SECRET", KEY);
    command
}

fn gateway(program: &Path, scratch: &Path, port: u16) -> Command {
    let arguments = ["--host", "127.0.0.1", "--port", &port.to_string()].map(str::to_owned);
    let mut command = keyed(program, scratch, &arguments);
    let database: PathBuf = scratch.join("contextforge.db");
    command.env("DATABASE_URL", format!("sqlite:///{}", database.display()));
    for name in ["PLATFORM_ADMIN_PASSWORD", "DEFAULT_USER_PASSWORD", "BASIC_AUTH_PASSWORD"] {
        command.env(name, PASSWORD);
    }
    for name in ["SSRF_ALLOW_LOCALHOST", "SSRF_ALLOW_PRIVATE_NETWORKS", "AUTH_REQUIRED"] {
        command.env(name, "true");
    }
    for name in ["PASSWORD_CHANGE_ENFORCEMENT_ENABLED", "ADMIN_REQUIRE_PASSWORD_CHANGE_ON_BOOTSTRAP"] {
        command.env(name, "false");
    }
    command
}

/// Starts it once, tells it of the server, and gives the token of the person who did. Its database keeps both.
fn registered(at: &Installed<'_>) -> Result<String> {
    let port = free_port()?;
    let log = at.scratch.join("registering.log");
    let (mut program, _stdin, _stdout) = Program::start(gateway(&at.program, &at.scratch, port), &log)?;
    let address = format!("127.0.0.1:{port}");
    let began = Instant::now();
    let person = json!({"email": PERSON, "password": PASSWORD});
    let token = loop {
        let answered = post(&address, "/auth/email/login", "", &person);
        if let Ok((200, answer)) = &answered
            && let Some(token) = answer["access_token"].as_str()
        {
            break token.to_owned();
        }
        ensure!(!program.has_ended() && began.elapsed() < PATIENCE, "nobody can log in: {answered:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let server: Value = json!({"name": "echo", "url": at.url, "transport": "STREAMABLEHTTP"});
    let (status, answer) =
        post(&address, "/gateways", &format!("Authorization: Bearer {token}\r\n"), &server)?;
    ensure!(matches!(status, 200 | 201), "it answers {status}: {answer}");
    Ok(token)
}
