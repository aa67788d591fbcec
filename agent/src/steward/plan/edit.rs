//! What is written into a file: each entry's text with the guard and without it, and the file around them, of which
//! every other byte stays.

use std::collections::{HashMap, HashSet};

use crate::clients::{ConfigFile, ConfigText, Entry, Malformed, Node, Place, Scope, Shape, Surroundings};

use super::super::journal::{FileMemory, Kept, Kind};
use super::super::splice::{Splices, quoted};
use super::super::wrapping::Guard;
use super::standing::recognise;
use super::{Action, EntryChange};

/// The entry's text without a guard of ours, whatever the guard is called.
pub(super) fn bare_of(entry: &Entry, guard: &Guard) -> Result<String, Malformed> {
    let Shape::Guarded(guarded) = &entry.shape else { return Ok(entry.text.clone()) };
    let theirs = Guard { program: guarded.program.clone(), root: None };
    guard.unwrap(&theirs.unwrap(&entry.text)?)
}

/// The journal's text where it says the same, because it has the developer's own spelling.
pub(super) fn original_or(kept: Option<&Kept>, bare: String) -> String {
    let original = kept.and_then(|kept| kept.original.clone());
    original.filter(|original| same_value(original, &bare)).unwrap_or(bare)
}

pub(super) fn kept_of(entry: &Entry, kind: Kind, original: Option<String>, written: Option<String>) -> Kept {
    let Place { project, name } = entry.place.clone();
    Kept { project, name, kind, original, written, made_list: false }
}

/// Do two texts say the same? White space and the order of keys do not count.
pub(super) fn same_value(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || value(one).is_some_and(|one| value(other) == Some(one))
}

/// The file's text with the changes made; `None` where there are none.
pub(super) fn edited(text: &ConfigText, changes: &mut [EntryChange]) -> Result<Option<String>, Malformed> {
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
