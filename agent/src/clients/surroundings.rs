//! What lies around `~/.claude.json` and has a say in which servers run: the developer's settings,
//! the signed-in servers, the live sessions, and the project folders with their team files.
//!
//! Every folder is read once, so that planning again under Claude's lock costs nothing.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Deserialize;

use super::ClaudeCodeFiles;
use super::config_file::{ConfigProblem, read_config};
use super::config_text::ConfigText;

/// Approvals of team servers, as they stand in one settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    pub all: bool,
    pub enabled: HashSet<String>,
    pub disabled: HashSet<String>,
}

impl Approvals {
    /// Reads the three keys out of a settings file or a project of `~/.claude.json`. What is not of
    /// the expected type approves nothing.
    pub fn of(object: super::Node<'_>) -> Self {
        let names = |key: &str| -> HashSet<String> {
            object.member(key).ok().flatten().and_then(|member| member.value.read()).unwrap_or_default()
        };
        let all = object.member("enableAllProjectMcpServers").ok().flatten();
        Self {
            all: all.and_then(|member| member.value.read()).unwrap_or(false),
            enabled: names("enabledMcpjsonServers"),
            disabled: names("disabledMcpjsonServers"),
        }
    }

    pub fn approves(&self, name: &str) -> bool {
        self.all || self.enabled.contains(name)
    }

    fn of_file(path: &Path) -> Self {
        // A settings file that cannot be read approves nothing.
        read_config(path).ok().flatten().map(|text| Self::of(text.root())).unwrap_or_default()
    }
}

/// What one folder says of team servers.
#[derive(Debug)]
pub struct Folder {
    /// `.mcp.json`; `None` where there is none or where it cannot be read.
    pub team: Option<ConfigText>,
    pub team_file: PathBuf,
    /// Something is there that cannot be read now: what we know of it stays as it is.
    pub unclear: bool,
    /// `.claude/settings.local.json`: the developer's own answers.
    pub local_settings: Approvals,
    /// `.claude/settings.json`: the repository's.
    pub shared_settings: Approvals,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Surroundings {
    pub user_settings: Approvals,
    /// Where every live session works.
    pub live_folders: Vec<PathBuf>,
    signed_in: HashSet<String>,
    folders: RefCell<HashMap<PathBuf, Rc<Folder>>>,
    problems: RefCell<Vec<ConfigProblem>>,
}

impl Surroundings {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn read(files: &ClaudeCodeFiles) -> Self {
        Self {
            user_settings: Approvals::of_file(&files.folder.join("settings.json")),
            live_folders: live_folders(&files.folder.join("sessions")),
            signed_in: signed_in(&files.folder.join(".credentials.json")),
            ..Self::default()
        }
    }

    /// Does the developer sign in to this address with OAuth?
    pub fn signs_in(&self, url: &str) -> bool {
        self.signed_in.contains(comparable(url))
    }

    pub fn folder(&self, path: &Path) -> Rc<Folder> {
        if let Some(known) = self.folders.borrow().get(path) {
            return Rc::clone(known);
        }
        let team_file = path.join(".mcp.json");
        let (team, unclear) = match read_config(&team_file) {
            Ok(team) => (team, false),
            Err(problem) => {
                self.problems.borrow_mut().push(problem);
                (None, true)
            }
        };
        let folder = Rc::new(Folder {
            team,
            team_file,
            unclear,
            local_settings: Approvals::of_file(&path.join(".claude/settings.local.json")),
            shared_settings: Approvals::of_file(&path.join(".claude/settings.json")),
        });
        self.folders.borrow_mut().insert(path.to_owned(), Rc::clone(&folder));
        folder
    }

    /// Team files that could not be read, so far.
    pub fn take_problems(&self) -> Vec<ConfigProblem> {
        self.problems.take()
    }

    /// Every folder that was looked into, for the watcher.
    pub fn looked_into(&self) -> Vec<PathBuf> {
        self.folders.borrow().keys().cloned().collect()
    }
}

/// The working folders in `sessions/*.json`.
fn live_folders(sessions: &Path) -> Vec<PathBuf> {
    #[derive(Deserialize)]
    struct Session {
        cwd: PathBuf,
    }
    let Ok(found) = std::fs::read_dir(sessions) else {
        return Vec::new();
    };
    let files = found.filter_map(Result::ok).map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| read_config(&path).ok().flatten()?.root().read::<Session>())
        .map(|session| session.cwd)
        .filter(|cwd| cwd.is_absolute())
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// The addresses under `mcpOAuth`. The tokens beside them are never looked at.
fn signed_in(credentials: &Path) -> HashSet<String> {
    #[derive(Deserialize)]
    struct SignIn {
        #[serde(rename = "serverUrl")]
        server_url: String,
    }
    let read = || {
        let text = read_config(credentials).ok().flatten()?;
        let sign_ins = text.root().member("mcpOAuth").ok()??.value.members().ok()?;
        let urls = sign_ins.iter().filter_map(|member| member.value.read::<SignIn>());
        Some(urls.map(|sign_in| comparable(&sign_in.server_url).to_owned()).collect())
    };
    read().unwrap_or_default()
}

fn comparable(url: &str) -> &str {
    url.trim_end_matches('/')
}
