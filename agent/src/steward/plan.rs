//! What has to change in one file so that every server that can be governed is, and how each of
//! its servers stands. A pure function of the file's text and of what lies around it.
//! What stands there is told by `standing`, what is written by `edit`.

pub(super) mod edit;
mod standing;

pub use edit::without_us;
pub use standing::{Row, Standing};

use std::collections::{HashMap, HashSet};

use crate::clients::{ConfigFile, ConfigText, Entries, Entry, Malformed, Place, Scope, Shape, Surroundings};

use super::journal::{FileMemory, Kept, Kind};
use super::wrapping::Guard;
use edit::{bare_of, edited, kept_of, original_or, same_value};
use standing::{recognise, row};

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
