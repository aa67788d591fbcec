//! Every MCP server entry that the Claude clients of one home would start or dial.
//!
//! Reads only. What to change about an entry is [`crate::steward`]'s business.

mod claude_code;
mod claude_desktop;
mod config_file;
mod config_text;
mod entry;
mod surroundings;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

pub use claude_code::ClaudeCodeFiles;
pub use config_file::{ConfigProblem, parse_config, read_bytes};
pub use config_text::{ConfigText, Malformed, Member, Node};
pub use entry::{Beyond, Guarded, HEADERS_VARIABLE, Launch, Shape, Transport, guard_args};
pub use surroundings::Surroundings;

/// One user's home folder. Work is done as the current user; a system-wide service makes one of
/// these for each user it has dropped its privileges to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    pub path: PathBuf,
    pub user: String,
    /// Further folders that hold what `~/.claude` and `~/.claude.json` hold (`CLAUDE_CONFIG_DIR`).
    pub config_dirs: Vec<PathBuf>,
}

impl Home {
    /// The current user's, by `HOME` (`USERPROFILE` on Windows); `None` where it is not known.
    pub fn current() -> Option<Self> {
        let path = std::env::home_dir().filter(|home| home.is_absolute())?;
        let user = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let config_dir = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        let config_dirs =
            config_dir.into_iter().filter(|folder| folder.is_absolute() && *folder != path.join(".claude"));
        Some(Self { config_dirs: config_dirs.collect(), user: user.unwrap_or_default(), path })
    }

    /// Every file that holds servers and that we may edit, whether it is there or not.
    pub fn config_files(&self) -> Vec<ConfigFile> {
        let code = ClaudeCodeFiles::of(self).into_iter().map(ConfigFile::ClaudeCode);
        let desktop =
            claude_desktop::config_paths(std::env::consts::OS, &self.path, &claude_desktop::existing);
        code.chain(desktop.into_iter().map(ConfigFile::ClaudeDesktop)).collect()
    }
}

/// A client of the Model Context Protocol that we know the files of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    ClaudeCode,
    ClaudeDesktop,
}

impl Client {
    /// As reports and subjects name it.
    pub fn id(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::ClaudeDesktop => "claude-desktop",
        }
    }

    /// As people name it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
        }
    }
}

/// Where a client finds an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    User,
    Local,
    Project,
    Desktop,
}

impl Scope {
    pub fn id(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Local => "local",
            Self::Project => "project",
            Self::Desktop => "desktop",
        }
    }
}

/// A configuration file that holds servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFile {
    ClaudeCode(ClaudeCodeFiles),
    ClaudeDesktop(PathBuf),
}

impl ConfigFile {
    pub fn path(&self) -> &Path {
        match self {
            Self::ClaudeCode(files) => &files.config,
            Self::ClaudeDesktop(path) => path,
        }
    }

    pub fn client(&self) -> Client {
        match self {
            Self::ClaudeCode(_) => Client::ClaudeCode,
            Self::ClaudeDesktop(_) => Client::ClaudeDesktop,
        }
    }

    /// What lies around the file and has a say in which of its servers run.
    pub fn surroundings(&self) -> Surroundings {
        match self {
            Self::ClaudeCode(files) => Surroundings::read(files),
            Self::ClaudeDesktop(_) => Surroundings::none(),
        }
    }

    /// Every entry of the file, and of the team files it brings into play.
    ///
    /// # Errors
    /// The lists of servers are not what a client would take for such.
    pub fn entries(
        &self,
        text: &ConfigText,
        around: &Surroundings,
        ours: &str,
    ) -> Result<Entries, Malformed> {
        match self {
            Self::ClaudeCode(_) => claude_code::entries(text, around, ours),
            Self::ClaudeDesktop(_) => claude_desktop::entries(text, ours),
        }
    }
}

/// Where an entry stands in its configuration file: `mcpServers.NAME`, or `projects.P.mcpServers.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub project: Option<String>,
    pub name: String,
}

/// What a configuration file and the team files around it hold.
#[derive(Debug, Default)]
pub struct Entries {
    pub all: Vec<Entry>,
    /// Projects of which a team file cannot be read now: what we know of them stays as it is.
    pub unclear: HashSet<String>,
    pub problems: Vec<ConfigProblem>,
}

/// One server entry.
#[derive(Clone)]
pub struct Entry {
    pub scope: Scope,
    pub place: Place,
    /// Its own JSON text.
    pub text: String,
    pub shape: Shape,
    /// Its identity where it has one, also where it is left alone.
    pub identity: String,
    /// Variables it sets that decide what really runs.
    pub steered_by: Vec<String>,
    /// The team's file it is from, for project scope.
    pub team_file: Option<PathBuf>,
}

// The text may hold tokens.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("scope", &self.scope)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// The entries of one `mcpServers` object.
fn entries_of_list(
    list: Node<'_>,
    scope: Scope,
    project: Option<&str>,
    shape: impl Fn(Node<'_>) -> Shape,
) -> Result<Vec<Entry>, Malformed> {
    let members = list.unique_members()?;
    Ok(members
        .into_iter()
        .map(|member| Entry {
            scope,
            place: Place { project: project.map(str::to_owned), name: member.key },
            text: member.value.text().to_owned(),
            identity: entry::identity_of(member.value),
            steered_by: entry::steering_variables(member.value),
            shape: shape(member.value),
            team_file: None,
        })
        .collect())
}
