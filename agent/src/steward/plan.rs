//! What has to change in one file so that every server that can be governed is, and how each of
//! its servers stands. A pure function of the file's text and of what lies around it.

use std::collections::{HashMap, HashSet};

use crate::clients::{
    Beyond, ConfigFile, ConfigText, Entries, Entry, Launch, Malformed, Node, Place, Scope, Shape,
    Surroundings,
};

use super::journal::{FileMemory, Kept, Kind};
use super::splice::{Splices, quoted};
use super::wrapping::Guard;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Put the guard in front.
    Wrap,
    /// Put the guard's own command line right.
    Repair,
    /// Name the place the guard has now.
    Move,
    /// Put a guarded entry of the same name in front of the team's.
    Shadow,
    /// Bring the shadow up to the team's entry.
    Follow,
    /// Take a shadow away that has no team entry behind it.
    Unshadow,
}

/// One entry that changes.
#[derive(Clone)]
pub struct EntryChange {
    pub place: Place,
    pub scope: Scope,
    pub action: Action,
    pub identity: String,
    pub kept: Kept,
}

/// How a server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Governed,
    /// It could be governed and is not.
    Direct,
    /// It runs our guard, but not as we wrote it.
    Altered,
    /// It runs our guard as we wrote it, from where the guard was then.
    Outdated,
    LeftAlone(Beyond),
}

impl EntryChange {
    /// The server as it stood before the change, where it went around us.
    pub fn row_before(&self) -> Option<Row> {
        let standing = match self.action {
            Action::Wrap | Action::Shadow => Standing::Direct,
            Action::Repair => Standing::Altered,
            Action::Move | Action::Follow | Action::Unshadow => return None,
        };
        Some(Row {
            scope: self.scope,
            project: self.place.project.clone().unwrap_or_default(),
            entry: self.place.name.clone(),
            identity: self.identity.clone(),
            // What it sets outlasts the change, and is looked at after it.
            steered_by: Vec::new(),
            standing,
        })
    }
}

impl Standing {
    /// Why it is not governed, in a sentence; empty where it is.
    pub fn why(&self) -> String {
        match self {
            Self::Governed => String::new(),
            Self::Direct => "goes around the guard; `portreeve configs apply` puts it in front".to_owned(),
            Self::Altered => "its guard's command line was changed by hand".to_owned(),
            Self::Outdated => "its guard has moved; `portreeve configs apply` names the new place".to_owned(),
            Self::LeftAlone(reason) => reason.to_string(),
        }
    }
}

/// One server of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub scope: Scope,
    pub project: String,
    pub entry: String,
    pub identity: String,
    /// Variables it sets that decide what really runs.
    pub steered_by: Vec<String>,
    pub standing: Standing,
}

impl Row {
    /// What a reader of its identity has to know beside it; empty mostly.
    pub fn note(&self) -> String {
        match self.steered_by.as_slice() {
            [] => String::new(),
            names => format!("sets {}, which can make it run something else", listed(names)),
        }
    }
}

/// Names come from files of anybody's making: what is strange in them is escaped.
fn listed(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| name.escape_debug().to_string()).collect();
    names.join(", ")
}

/// The plan for one file.
#[derive(Default)]
pub struct FilePlan {
    pub rows: Vec<Row>,
    pub changes: Vec<EntryChange>,
    /// The whole text after the changes; `None` where there are none.
    pub text: Option<String>,
    /// Does the file hold nothing of ours now?
    pub clean: bool,
    pub problems: Vec<crate::clients::ConfigProblem>,
}

pub struct Planner<'a> {
    pub file: &'a ConfigFile,
    pub around: &'a Surroundings,
    pub memory: &'a FileMemory,
    pub guard: &'a Guard,
}

impl Planner<'_> {
    /// # Errors
    /// The file's lists of servers cannot be read.
    pub fn plan(&self, text: &ConfigText) -> Result<FilePlan, Malformed> {
        let mut entries = self.file.entries(text, self.around, &self.guard.program)?;
        recognise(&mut entries.all, self.memory)?;
        let mut plan = FilePlan { clean: true, ..FilePlan::default() };
        let team: HashMap<&Place, &Entry> = entries
            .all
            .iter()
            .filter(|entry| entry.scope == Scope::Project)
            .map(|entry| (&entry.place, entry))
            .collect();
        let mut own_local = HashSet::new();
        let mut shadows = HashMap::new();
        for entry in entries.all.iter().filter(|entry| entry.scope != Scope::Project) {
            plan.clean &= !matches!(entry.shape, Shape::Guarded(_));
            if self.is_shadow(entry) {
                let stands = self.shadow(entry, team.get(&entry.place).copied(), &entries, &mut plan)?;
                shadows.insert(&entry.place, stands);
                continue;
            }
            if entry.scope == Scope::Local {
                own_local.insert(&entry.place);
            }
            self.own(entry, &mut plan)?;
        }
        for entry in entries.all.iter().filter(|entry| entry.scope == Scope::Project) {
            // An entry of the developer's own in local scope is what runs instead.
            if !own_local.contains(&entry.place) {
                self.team(entry, shadows.get(&entry.place), &mut plan)?;
            }
        }
        plan.text = edited(text, &mut plan.changes)?;
        plan.problems = entries.problems;
        Ok(plan)
    }

    fn is_shadow(&self, entry: &Entry) -> bool {
        entry.scope == Scope::Local
            && matches!(entry.shape, Shape::Guarded(_))
            && self.memory.is_shadow(&entry.place)
    }

    /// An entry in the file itself.
    fn own(&self, entry: &Entry, plan: &mut FilePlan) -> Result<(), Malformed> {
        let (standing, action) = match &entry.shape {
            Shape::Direct(_) => (Standing::Direct, Some(Action::Wrap)),
            Shape::Guarded(guarded) if self.guard.is(&entry.place.name, guarded) => {
                (Standing::Governed, None)
            }
            Shape::Guarded(_) if self.is_moved(entry) => (Standing::Outdated, Some(Action::Move)),
            Shape::Guarded(_) => (Standing::Altered, Some(Action::Repair)),
            Shape::Beyond(reason) => (Standing::LeftAlone(reason.clone()), None),
        };
        plan.rows.push(row(entry, standing));
        if let Some(action) = action {
            let original = self.original_of(entry)?;
            let bare = bare_of(entry, self.guard)?;
            plan.changes.extend(self.change(entry, action, Some(original), &bare)?);
        }
        Ok(())
    }

    /// The entry's text before us: from the journal where it is still about the same entry.
    fn original_of(&self, entry: &Entry) -> Result<String, Malformed> {
        if matches!(entry.shape, Shape::Direct(_)) {
            return Ok(entry.text.clone());
        }
        let kept = self.memory.entries.get(&entry.place);
        Ok(original_or(kept, bare_of(entry, self.guard)?))
    }

    /// A shadow of ours, with the team's entry it stands before, if that is still there.
    fn shadow(
        &self,
        entry: &Entry,
        team: Option<&Entry>,
        entries: &Entries,
        plan: &mut FilePlan,
    ) -> Result<Standing, Malformed> {
        let unclear = entry.place.project.as_ref().is_some_and(|project| entries.unclear.contains(project));
        let exact =
            matches!(&entry.shape, Shape::Guarded(guarded) if self.guard.is(&entry.place.name, guarded));
        let standing = match exact {
            // Behind the team's entry or not, while our guard stands there nothing goes around it.
            true => Standing::Governed,
            false if self.is_moved(entry) => Standing::Outdated,
            false => Standing::Altered,
        };
        let team = team.filter(|team| !matches!(team.shape, Shape::Beyond(_)));
        match team.map(|team| Ok((team, self.guard.wrap(&team.place.name, &team.text)?))).transpose()? {
            Some((_, Some(wanted))) if same_value(&wanted, &entry.text) => {}
            Some((team, Some(_))) => {
                plan.changes.extend(self.change(entry, Action::Follow, None, &team.text)?);
            }
            // Its team file cannot be read now, so it stays as it is.
            _ if unclear => {
                plan.rows.push(Row { scope: Scope::Project, ..row(entry, standing.clone()) });
            }
            _ => {
                let mut kept = kept_of(entry, Kind::Gone, None, None);
                kept.made_list = self.made_list(&entry.place);
                plan.changes.push(EntryChange {
                    place: entry.place.clone(),
                    scope: Scope::Project,
                    action: Action::Unshadow,
                    identity: entry.identity.clone(),
                    kept,
                });
            }
        }
        Ok(standing)
    }

    /// A team's entry that is the one that runs, with how the shadow before it stands.
    fn team(&self, entry: &Entry, shadow: Option<&Standing>, plan: &mut FilePlan) -> Result<(), Malformed> {
        let standing = match (&entry.shape, shadow) {
            (Shape::Beyond(reason), _) => Standing::LeftAlone(reason.clone()),
            (_, Some(standing)) => standing.clone(),
            (_, None) => Standing::Direct,
        };
        if standing == Standing::Direct {
            plan.changes.extend(self.change(entry, Action::Shadow, None, &entry.text)?);
        }
        plan.rows.push(row(entry, standing));
        Ok(())
    }

    /// Is the entry as the journal says we wrote it, and can it be true? The journal is a file of the
    /// developer's own: the arguments must be ours all the same, and the guard gone from that place.
    fn is_moved(&self, entry: &Entry) -> bool {
        let Shape::Guarded(guarded) = &entry.shape else { return false };
        let from_there = Guard { program: guarded.program.clone(), root: self.guard.root.clone() };
        let kept = self.memory.entries.get(&entry.place);
        let written = kept.and_then(|kept| kept.written.as_ref());
        from_there.is(&entry.place.name, guarded)
            && self.guard.stood_at(&guarded.program)
            && written.is_some_and(|written| same_value(written, &entry.text))
    }

    fn made_list(&self, place: &Place) -> bool {
        self.memory.entries.get(place).is_some_and(|kept| kept.made_list)
    }

    fn change(
        &self,
        entry: &Entry,
        action: Action,
        original: Option<String>,
        source: &str,
    ) -> Result<Option<EntryChange>, Malformed> {
        let Some(written) = self.guard.wrap(&entry.place.name, source)? else {
            return Ok(None);
        };
        let shadow = matches!(action, Action::Shadow | Action::Follow);
        let kind = if shadow { Kind::Shadow } else { Kind::Wrapped };
        let mut kept = kept_of(entry, kind, original, Some(written));
        kept.made_list = self.made_list(&entry.place);
        Ok(Some(EntryChange {
            place: entry.place.clone(),
            scope: if shadow { Scope::Project } else { entry.scope },
            action,
            identity: entry.identity.clone(),
            kept,
        }))
    }
}

/// A guard of ours may bear another name by now (the program was renamed, an edit replaced its path).
/// The journal knows it: by the program, or by the place where the very arguments stand that only we
/// write. Whatever else merely looks like a guard is a program like any other.
fn recognise(entries: &mut [Entry], memory: &FileMemory) -> Result<(), Malformed> {
    let programs: HashSet<String> = memory.entries.values().filter_map(written_program).collect();
    for entry in entries.iter_mut().filter(|entry| entry.scope != Scope::Project) {
        let Shape::Direct(Launch::Stdio { command, .. }) = &entry.shape else { continue };
        let text = ConfigText::parse(entry.text.as_bytes().to_vec())?;
        let Shape::Guarded(guarded) = Shape::of(text.root(), command) else { continue };
        let of_ours = memory.entries.get(&entry.place).is_some_and(|kept| {
            let untouched = kept.original.as_ref().is_some_and(|it| same_value(it, &entry.text));
            !untouched && guarded.as_written && guarded.name == entry.place.name
        });
        if of_ours || programs.contains(command) {
            entry.shape = Shape::Guarded(guarded);
        }
    }
    Ok(())
}

fn written_program(kept: &Kept) -> Option<String> {
    let written: serde_json::Value = serde_json::from_str(kept.written.as_ref()?).ok()?;
    written["command"].as_str().map(str::to_owned)
}

/// The entry's text without a guard of ours, whatever the guard is called.
fn bare_of(entry: &Entry, guard: &Guard) -> Result<String, Malformed> {
    let Shape::Guarded(guarded) = &entry.shape else { return Ok(entry.text.clone()) };
    let theirs = Guard { program: guarded.program.clone(), root: None };
    guard.unwrap(&theirs.unwrap(&entry.text)?)
}

/// The journal's text where it says the same, because it has the developer's own spelling.
fn original_or(kept: Option<&Kept>, bare: String) -> String {
    let original = kept.and_then(|kept| kept.original.clone());
    original.filter(|original| same_value(original, &bare)).unwrap_or(bare)
}

fn row(entry: &Entry, standing: Standing) -> Row {
    Row {
        scope: entry.scope,
        project: entry.place.project.clone().unwrap_or_default(),
        entry: entry.place.name.clone(),
        identity: entry.identity.clone(),
        steered_by: entry.steered_by.clone(),
        standing,
    }
}

fn kept_of(entry: &Entry, kind: Kind, original: Option<String>, written: Option<String>) -> Kept {
    let Place { project, name } = entry.place.clone();
    Kept { project, name, kind, original, written, made_list: false }
}

/// Do two texts say the same? White space and the order of keys do not count.
pub fn same_value(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || value(one).is_some_and(|one| value(other) == Some(one))
}

/// The file's text with the changes made; `None` where there are none.
fn edited(text: &ConfigText, changes: &mut [EntryChange]) -> Result<Option<String>, Malformed> {
    if changes.is_empty() {
        return Ok(None);
    }
    let mut by_project: HashMap<Option<String>, Vec<&mut EntryChange>> = HashMap::new();
    for change in changes {
        by_project.entry(change.place.project.clone()).or_default().push(change);
    }
    let holders = holders(text.root())?;
    let mut splices = Splices::default();
    for (project, changes) in by_project {
        if let Some(holder) = holders.get(&project) {
            edit_list(&mut splices, *holder, changes)?;
        }
    }
    Ok(Some(splices.apply(text.as_str())))
}

/// The objects that may hold a list of servers: the outermost (`None`), and each project.
pub fn holders(root: Node<'_>) -> Result<HashMap<Option<String>, Node<'_>>, Malformed> {
    let projects = match root.member("projects")? {
        Some(projects) => projects.value.unique_members()?,
        None => Vec::new(),
    };
    let projects = projects.into_iter().map(|member| (Some(member.key), member.value));
    Ok(projects.chain([(None, root)]).collect())
}

fn edit_list(
    splices: &mut Splices,
    holder: Node<'_>,
    changes: Vec<&mut EntryChange>,
) -> Result<(), Malformed> {
    let list = holder.member("mcpServers")?.map(|member| member.value);
    let members = list.map(Node::unique_members).transpose()?.unwrap_or_default();
    let present: HashMap<&str, Node<'_>> =
        members.iter().map(|member| (member.key.as_str(), member.value)).collect();
    let ours_alone = changes.iter().all(|change| change.kept.made_list);
    let mut added = Vec::new();
    let mut taken = HashSet::new();
    for change in changes {
        match (&change.kept.written, present.get(change.place.name.as_str())) {
            (Some(written), Some(value)) => splices.replace(value.span(), written.clone()),
            (Some(written), None) => {
                change.kept.made_list |= list.is_none();
                added.push((change.place.name.clone(), written.clone()));
            }
            (None, _) => {
                taken.insert(change.place.name.as_str());
            }
        }
    }
    match list {
        _ if added.is_empty() && taken.is_empty() => Ok(()),
        Some(_) if ours_alone && added.is_empty() && taken.len() == members.len() => {
            splices.edit_members(holder, &HashSet::from(["mcpServers"]), &[])
        }
        Some(list) => splices.edit_members(list, &taken, &added),
        None => {
            let members: Vec<String> =
                added.iter().map(|(name, text)| format!("{}: {text}", quoted(name))).collect();
            let list = ("mcpServers".to_owned(), format!("{{{}}}", members.join(", ")));
            splices.edit_members(holder, &HashSet::new(), &[list])
        }
    }
}

/// The file's text without anything of ours: the journal's text of an entry where it is still what
/// we wrote, else the guard taken off it as it is now. `None` where nothing of ours is there.
///
/// # Errors
/// The file's lists of servers cannot be read.
pub fn without_us(
    file: &ConfigFile,
    text: &ConfigText,
    memory: &FileMemory,
    guard: &Guard,
) -> Result<Option<(String, usize)>, Malformed> {
    let mut entries = file.entries(text, &Surroundings::none(), &guard.program)?;
    recognise(&mut entries.all, memory)?;
    let mut changes = Vec::new();
    let ours = |entry: &&Entry| entry.scope != Scope::Project && matches!(entry.shape, Shape::Guarded(_));
    for entry in entries.all.iter().filter(ours) {
        let known = memory.entries.get(&entry.place);
        let as_we_wrote = known
            .filter(|kept| kept.written.as_ref().is_some_and(|written| same_value(written, &entry.text)));
        let bare = match (known, as_we_wrote.and_then(|kept| kept.original.clone())) {
            (Some(Kept { kind: Kind::Shadow, .. }), _) => None,
            (_, Some(original)) => Some(guard.unwrap(&original)?),
            (_, None) => Some(original_or(known, bare_of(entry, guard)?)),
        };
        let mut kept = kept_of(entry, Kind::Gone, None, bare);
        kept.made_list = known.is_some_and(|kept| kept.made_list);
        changes.push(EntryChange {
            place: entry.place.clone(),
            scope: entry.scope,
            action: Action::Unshadow,
            identity: entry.identity.clone(),
            kept,
        });
    }
    Ok(edited(text, &mut changes)?.map(|text| (text, changes.len())))
}
