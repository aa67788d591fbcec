//! The smallest whole stage: an organisation, one enrolled machine, two servers of the sample kind.

use crate::machine::Machine;
use crate::organisation::Organisation;
use crate::{claude, tools};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const MEMBER: &str = "alice@acme.example";

/// What a test plays on. Dropped, it takes its processes with it.
#[derive(Debug)]
pub struct Stage {
    pub organisation: Organisation,
    pub machine: Machine,
    pub project: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    /// An organisation with the usual policy, and a machine that is enrolled and whose home holds one
    /// direct server, `everything`. Nothing is rewired and no resident runs yet.
    ///
    /// # Errors
    /// Some step of it failed.
    pub fn enrolled() -> Result<Self> {
        Self::enrolled_with(&usual_policy()?, &json!({"everything": sample("everything", &[])?}))
    }

    /// The same with a policy and user-scope servers of one's own.
    ///
    /// # Errors
    /// As [`Stage::enrolled`].
    pub fn enrolled_with(policy: &str, servers: &Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let organisation = Organisation::found(&folder.path().join("acme"), "acme", 90)?;
        organisation.publish(policy, "the test's policy")?;
        let machine = Machine::new(&folder.path().join("alice"), MEMBER)?;
        let project = folder.path().join("project");
        std::fs::create_dir_all(&project)?;
        std::fs::write(
            machine.home.join(".claude.json"),
            claude::claude_json(servers, &project, &json!({})),
        )?;
        machine.place_profile(&organisation.profile_for(MEMBER)?)?;
        machine.run(&["enroll"])?;
        Ok(Self { organisation, machine, project, folder })
    }

    /// The same, with the resident running, policy adopted and every entry rewired.
    ///
    /// # Errors
    /// As [`Stage::enrolled`].
    pub fn governed() -> Result<Self> {
        Self::governed_with(&usual_policy()?, &json!({"everything": sample("everything", &[])?}))
    }

    /// The same with a policy and user-scope servers of one's own.
    ///
    /// # Errors
    /// As [`Stage::enrolled`].
    pub fn governed_with(policy: &str, servers: &Value) -> Result<Self> {
        let mut stage = Self::enrolled_with(policy, servers)?;
        stage.machine.start_resident()?;
        stage.machine.await_policy(2, Duration::from_secs(20))?;
        stage.machine.run(&["configs", "apply"])?;
        Ok(stage)
    }

    /// A folder of this stage for anything else.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The user-scope entry as it is in the configuration now.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn entry(&self, name: &str) -> Result<Value> {
        Ok(self.machine.config(".claude.json")?["mcpServers"][name].clone())
    }

    /// A session of a client that starts this entry, handshake done.
    ///
    /// # Errors
    /// It did not start.
    pub fn open(&self, name: &str) -> Result<crate::mcp_client::Session> {
        let mut session = self.start(name)?;
        session.initialize()?;
        Ok(session)
    }

    /// The same without the handshake, which may be refused.
    ///
    /// # Errors
    /// It did not start.
    pub fn start(&self, name: &str) -> Result<crate::mcp_client::Session> {
        crate::mcp_client::Session::start(&self.entry(name)?, &self.machine.home, &self.project)
    }
}

/// An entry that starts the sample server, with more environment.
///
/// # Errors
/// It is not built.
pub fn sample(kind: &str, environment: &[(&str, &str)]) -> Result<Value> {
    let environment: serde_json::Map<String, Value> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Ok(json!({"command": tools::program("sample-server")?, "args": [kind], "env": environment}))
}

/// A policy that lets everything through, for one server.
#[must_use]
pub fn allow_all(identity: &str) -> String {
    format!(
        r#"[defaults]
mode = "enforce"
[servers.any]
match = ["{identity}"]
[roles.everybody]
members = ["*"]
[[grants]]
name = "everything-goes"
roles = ["everybody"]
servers = ["any"]
tools = ["*"]
resources = ["*"]
prompts = ["*"]
client-features = ["*"]
"#
    )
}

/// Alice may echo and add, and not see the environment; on the sample server and npm's.
///
/// # Errors
/// The sample server is not built.
pub fn usual_policy() -> Result<String> {
    let sample = tools::program("sample-server")?;
    Ok(format!(
        r#"[defaults]
mode = "enforce"
contact = "security@acme.example"
heal = true

[servers.everything]
match = ["exec:{}*", "npm:@modelcontextprotocol/server-everything"]

[roles.engineering]
members = ["{MEMBER}"]

[[grants]]
name = "try-things-out"
roles = ["engineering"]
servers = ["everything"]
tools = ["echo", "get-sum"]

[[grants]]
name = "no-environment"
effect = "deny"
roles = ["engineering"]
servers = ["everything"]
tools = ["get-env"]
reason = "Environment variables hold tokens."
"#,
        sample.display()
    ))
}
