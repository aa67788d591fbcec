//! Claude's own side of a machine: realistic configuration files, and Claude Code itself, run
//! offline against the scripted model.

use crate::machine::Machine;
use crate::model::Model;
use crate::{process, tools};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The commands of the reference servers: npm's where Node is there, else a sample server of ours.
#[derive(Debug, Clone)]
pub struct Servers {
    /// `None` where the sample server stands in.
    pub npm: Option<PathBuf>,
    everything: PathBuf,
    filesystem: PathBuf,
}

impl Servers {
    /// The reference servers where they were fetched, else copies of the sample server in `folder`, one
    /// for each that it stands in for: an identity is the program, not its arguments.
    ///
    /// # Errors
    /// Not even the sample server is built.
    pub fn find(folder: &Path, sample_only: bool) -> Result<Self> {
        let copy = |name: &str| -> Result<PathBuf> {
            let program = folder.join(name);
            std::fs::copy(tools::program("sample-server")?, &program)?;
            Ok(program)
        };
        std::fs::create_dir_all(folder)?;
        let (everything, filesystem) = (copy("sample-everything")?, copy("sample-filesystem")?);
        Ok(Self { npm: tools::npm_folder().filter(|_| !sample_only), everything, filesystem })
    }

    /// The folder a client has to be in for `npx` to find the servers without asking the registry.
    #[must_use]
    pub fn is_npm(&self) -> bool {
        self.npm.is_some()
    }

    /// An entry for the server with many tools.
    #[must_use]
    pub fn everything(&self) -> Value {
        if self.is_npm() {
            json!({"command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything"]})
        } else {
            json!({"command": self.everything, "args": ["everything"]})
        }
    }

    /// An entry for the file server, with the folder it may show.
    #[must_use]
    pub fn filesystem(&self, shown: &Path) -> Value {
        if self.is_npm() {
            json!({"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", shown]})
        } else {
            json!({"command": self.filesystem, "args": ["filesystem", shown]})
        }
    }

    /// What the policy's catalogue must match for them.
    #[must_use]
    pub fn identities(&self) -> (String, String) {
        if self.is_npm() {
            (
                "npm:@modelcontextprotocol/server-everything".into(),
                "npm:@modelcontextprotocol/server-filesystem".into(),
            )
        } else {
            let identity =
                |program: &Path| format!("exec:{}", program.display().to_string().replace(' ', "%20"));
            (identity(&self.everything), identity(&self.filesystem))
        }
    }

    /// A command that serves `everything` over Streamable HTTP on a port of its choosing, said on its
    /// first line of stdout.
    #[must_use]
    pub fn remote(&self) -> Command {
        let mut command = Command::new(&self.everything);
        command.args(["everything", "--http"]);
        command
    }

    /// Makes `npx` in `project` find the fetched packages: by a link to their folder.
    ///
    /// # Errors
    /// The link cannot be made.
    pub fn install_into(&self, project: &Path) -> Result<()> {
        if let Some(npm) = &self.npm {
            std::os::unix::fs::symlink(npm.join("node_modules"), project.join("node_modules"))?;
        }
        Ok(())
    }
}

/// The text of a lived-in `~/.claude.json`: two-space JSON with history, numbers and Unicode, as Claude writes it.
#[must_use]
pub fn claude_json(user: &Value, project: &Path, local: &Value) -> String {
    let project = project.to_string_lossy().into_owned();
    let value = json!({
        "numStartups": 128,
        "installMethod": "native",
        "autoUpdates": false,
        "tipsHistory": {"new-user-warmup": 3, "memory-command": 97, "theme-command": 112},
        "userID": "6b0d3f2c9f1e4a7788c5d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a998877",
        "firstStartTime": "2026-03-02T08:14:55.120Z",
        "hasCompletedOnboarding": true,
        "lastOnboardingVersion": "2.1.328",
        "customApiKeyResponses": {"approved": [], "rejected": []},
        "oauthNote": "Grüße aus Zürich — 日本語 \u{1F680}",
        "cachedCost": 12.30,
        "mcpServers": user,
        "projects": {
            project: {
                "allowedTools": [],
                "history": [{"display": "fix the \"flaky\" test\n\twith tabs", "pastedContents": {}}],
                "mcpServers": local,
                "enabledMcpjsonServers": ["team-files"],
                "disabledMcpjsonServers": [],
                "hasTrustDialogAccepted": true,
                "projectOnboardingSeenCount": 4,
                "lastCost": 0.48210,
                "lastSessionId": "0c1e9a38-51f5-4c39-9a11-8a0f62d8f3a5"
            }
        },
        "bypassPermissionsModeAccepted": false
    });
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

/// Runs Claude Code in print mode in `cwd` until its turn is over; what it printed.
///
/// # Errors
/// It is not fetched, or ended badly.
pub fn ask(machine: &Machine, cwd: &Path, model: &Model, allowed_tools: &str) -> Result<String> {
    let program = tools::claude_code().context("Claude Code is not fetched")?;
    let mut command = Command::new(program);
    command
        .args(["-p", "go on", "--output-format", "json", "--allowedTools", allowed_tools])
        .current_dir(cwd);
    offline(&mut command, machine, model).stdin(Stdio::null());
    process::output(&mut command)
}

/// The environment in which Claude Code talks to nobody but the scripted model.
fn offline<'a>(command: &'a mut Command, machine: &Machine, model: &Model) -> &'a mut Command {
    command
        .env("HOME", &machine.home)
        .env("ANTHROPIC_BASE_URL", model.url())
        .env("ANTHROPIC_API_KEY", "sk-ant-fake")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .env_remove("CLAUDECODE")
        .env_remove("CLAUDE_CONFIG_DIR")
        .env_remove("ANTHROPIC_AUTH_TOKEN")
}
