//! How each server of a file stands: governed, direct, altered, or left alone, and why.

use std::collections::HashSet;

use policy::identity::{Steered, steering};

use crate::clients::{Beyond, ConfigText, Entry, Launch, Malformed, Scope, Shape};

use super::super::journal::{FileMemory, Kept};
use super::edit::same_value;

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
    /// A server of whose entry a variable makes another program is not governed, guard or no guard: policy
    /// judges one thing, and another runs. One that is only reached by way of a proxy, or believed by
    /// another certificate, stays governed.
    pub fn is_governed(&self) -> bool {
        self.standing == Standing::Governed && self.replaced_by().is_none()
    }

    /// Why it is not governed, in a sentence; empty where it is.
    pub fn why(&self) -> String {
        match self.replaced_by() {
            Some(name) if self.standing == Standing::Governed => {
                format!("its env sets {}, which decides what really runs", name.escape_debug())
            }
            _ => self.standing.why(),
        }
    }

    fn replaced_by(&self) -> Option<&String> {
        self.steered_by.iter().find(|name| steering(name) == Some(Steered::Program))
    }

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

pub(super) fn row(entry: &Entry, standing: Standing) -> Row {
    Row {
        scope: entry.scope,
        project: entry.place.project.clone().unwrap_or_default(),
        entry: entry.place.name.clone(),
        identity: entry.identity.clone(),
        steered_by: entry.steered_by.clone(),
        standing,
    }
}

/// A guard of ours may bear another name by now (the program was renamed, an edit replaced its path).
/// The journal knows it: by the program, or by the place where the very arguments stand that only we
/// write. Whatever else merely looks like a guard is a program like any other.
pub(super) fn recognise(entries: &mut [Entry], memory: &FileMemory) -> Result<(), Malformed> {
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
