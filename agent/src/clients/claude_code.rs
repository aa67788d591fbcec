//! Claude Code's servers: user and local scope in `~/.claude.json`, and the team's `.mcp.json`
//! files of every project folder and the folders above it.
//!
//! Plugins, agent files, command-line flags and SDK hosts are not files of ours to edit; the other
//! fences hold them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::config_text::{ConfigText, Malformed, Node};
use super::entry::{Beyond, Launch, Shape};
use super::surroundings::{Approvals, Folder, Surroundings};
use super::{ConfigProblem, Entries, Entry, Home, Scope, entries_of_list};

/// One set of Claude Code's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaudeCodeFiles {
    /// `~/.claude.json`
    pub config: PathBuf,
    /// `~/.claude`
    pub folder: PathBuf,
}

impl ClaudeCodeFiles {
    pub fn of(home: &Home) -> Vec<Self> {
        let own = Self { config: home.path.join(".claude.json"), folder: home.path.join(".claude") };
        let moved = home.config_dirs.iter();
        let moved = moved.map(|folder| Self { config: folder.join(".claude.json"), folder: folder.clone() });
        std::iter::once(own).chain(moved).collect()
    }
}

/// # Errors
/// A list of servers is not an object, or a name occurs twice.
pub fn entries(text: &ConfigText, around: &Surroundings, ours: &str) -> Result<Entries, Malformed> {
    let root = text.root();
    let shape = |entry: Node<'_>| signed_in_aside(Shape::of(entry, ours), around);
    let mut found = Entries::default();
    if let Some(list) = root.member("mcpServers")? {
        found.all = entries_of_list(list.value, Scope::User, None, shape)?;
    }
    for project in Project::all(root, &around.live_folders)? {
        if let Some(list) = project.node.member("mcpServers")? {
            found.all.extend(entries_of_list(list.value, Scope::Local, Some(&project.key), shape)?);
        }
        project.team_entries(around, &shape, &mut found);
    }
    Ok(found)
}

/// A remote entry whose credential is a sign-in of the client's own cannot be dialled by a guard.
fn signed_in_aside(shape: Shape, around: &Surroundings) -> Shape {
    match &shape {
        Shape::Direct(Launch::Remote { url, headers, .. })
            if around.signs_in(url)
                && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) =>
        {
            Shape::Beyond(Beyond::SignsIn)
        }
        _ => shape,
    }
}

/// One member of `.projects`.
struct Project<'a> {
    key: String,
    node: Node<'a>,
    /// The developer accepted the folder's trust dialog, here or for a folder above it.
    trusted: bool,
    /// Live sessions work in these folders below it.
    live: Vec<PathBuf>,
}

impl<'a> Project<'a> {
    fn all(root: Node<'a>, live_folders: &[PathBuf]) -> Result<Vec<Self>, Malformed> {
        let Some(projects) = root.member("projects")? else {
            return Ok(Vec::new());
        };
        let members = projects.value.unique_members()?;
        let accepted = |node: Node<'_>| {
            let answer = node.member("hasTrustDialogAccepted").ok().flatten();
            answer.and_then(|member| member.value.read()).unwrap_or(false)
        };
        let objects: Vec<_> = members.into_iter().filter(|member| member.value.is_object()).collect();
        let keys: HashSet<&Path> = objects.iter().map(|member| Path::new(&member.key)).collect();
        let trusted: HashSet<&Path> = objects
            .iter()
            .filter(|member| accepted(member.value))
            .map(|member| Path::new(&member.key))
            .collect();
        // Claude Code keeps a session's settings under its repository's folder, so a session in a
        // folder below belongs to the nearest project above.
        let mut live: HashMap<&Path, Vec<PathBuf>> = HashMap::new();
        for folder in live_folders {
            if let Some(project) = folder.ancestors().find(|above| keys.contains(above)) {
                live.entry(project).or_default().push(folder.clone());
            }
        }
        let project = |member: &super::Member<'a>| Self {
            trusted: Path::new(&member.key).ancestors().any(|folder| trusted.contains(folder)),
            live: live.get(Path::new(&member.key)).cloned().unwrap_or_default(),
            key: member.key.clone(),
            node: member.value,
        };
        Ok(objects.iter().map(project).collect())
    }

    /// The team's servers that Claude Code would load here: the nearest file wins a name.
    fn team_entries(&self, around: &Surroundings, shape: &impl Fn(Node<'_>) -> Shape, found: &mut Entries) {
        let own = Path::new(&self.key);
        if !own.is_absolute() {
            return;
        }
        let mut names = HashSet::new();
        let settled = self.approvals(around);
        for folder in above(own).map(|path| around.folder(path)) {
            for mut entry in self.list_of(&folder, shape, found) {
                if names.insert(entry.place.name.clone()) {
                    if !settled.approve(&entry.place.name) {
                        entry.shape = Shape::Beyond(Beyond::NotApproved);
                    }
                    found.all.push(entry);
                }
            }
        }
        let below = self.live.iter().flat_map(|live| above(live).take_while(|folder| *folder != own));
        for folder in below.map(|path| around.folder(path)) {
            for mut entry in self.list_of(&folder, shape, found) {
                if names.insert(entry.place.name.clone()) {
                    entry.shape = Shape::Beyond(if settled.approve(&entry.place.name) {
                        Beyond::BelowProject(folder.team_file.clone())
                    } else {
                        Beyond::NotApproved
                    });
                    found.all.push(entry);
                }
            }
        }
    }

    fn list_of(
        &self,
        folder: &Folder,
        shape: &impl Fn(Node<'_>) -> Shape,
        found: &mut Entries,
    ) -> Vec<Entry> {
        let read = |text: &ConfigText| match text.root().member("mcpServers")? {
            Some(list) => entries_of_list(list.value, Scope::Project, Some(&self.key), shape),
            None => Ok(Vec::new()),
        };
        let list = folder.team.as_ref().map_or(Ok(Vec::new()), read);
        if folder.unclear || list.is_err() {
            found.unclear.insert(self.key.clone());
        }
        if let Err(source) = &list {
            let (path, source) = (folder.team_file.clone(), source.clone());
            found.problems.push(ConfigProblem::Malformed { path, source });
        }
        let mut list = list.unwrap_or_default();
        for entry in &mut list {
            entry.team_file = Some(folder.team_file.clone());
        }
        list
    }

    fn approvals(&self, around: &Surroundings) -> Settled {
        let folder = around.folder(Path::new(&self.key));
        let mut settled = Settled {
            // The developer's own files count as they stand …
            approving: vec![around.user_settings.clone(), Approvals::of(self.node)],
            refusing: vec![folder.local_settings.clone(), folder.shared_settings.clone()],
        };
        // … those in the folder, which a hostile repository can bring along, only once it is trusted.
        if self.trusted {
            settled.approving.append(&mut settled.refusing);
        }
        settled
    }
}

/// All files that have a say in a project's team servers. A refusal anywhere counts.
struct Settled {
    approving: Vec<Approvals>,
    refusing: Vec<Approvals>,
}

impl Settled {
    fn approve(&self, name: &str) -> bool {
        let refused = self.approving.iter().chain(&self.refusing).any(|file| file.disabled.contains(name));
        !refused && self.approving.iter().any(|file| file.approves(name))
    }
}

/// The folder and those above it; Claude Code does not look into the root.
fn above(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().filter(|path| path.parent().is_some())
}

#[cfg(test)]
mod tests;
