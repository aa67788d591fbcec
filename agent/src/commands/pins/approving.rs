//! Approving and forgetting: done by the resident, which keeps the pins; by us only where there is none
//! and no organisation either (a trial).

use super::{Row, Server, Which};
use crate::commands::definitions::Rulings;
use crate::commands::{about, block_on};
use crate::enrolment::read_identity;
use crate::ipc::client::ask;
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out};
use crate::pins::{Changed, Pins};
use crate::trials;
use contract::record::Part;
use platform::{Layout, account};
use policy::ServerIdentity;
use serde_json::json;
use std::path::Path;

pub(super) fn approve(
    servers: Vec<Server>,
    which: &Which,
    (layout, rulings): (&Layout, &Rulings),
    out: Out,
) -> Exit {
    let mut exit = Exit::Done;
    let mut approved = 0;
    for server in servers {
        let names: Vec<Option<&str>> = match Author::of(&server, rulings) {
            Some(author) => {
                exit = author.is_asked(&server, out).unwrap_or(exit);
                left_to_the_developer(&server).map(Some).collect()
            }
            None if server.pins.iter().all(|row| row.entry.held.is_none()) => Vec::new(),
            None => vec![which.name.as_deref()],
        };
        for name in names {
            match approve_here(&server.identity, name, layout) {
                Ok(0) => return failed(out, &on_its_way(&server)),
                Ok(count) => {
                    approved += count;
                    out.say(format_args!(
                        "{count} approved of {}; running guards take it up within seconds",
                        server.identity
                    ));
                }
                Err(why) => return failed(out, &why),
            }
        }
    }
    if exit == Exit::Done && approved == 0 {
        out.say("nothing is held back");
    }
    if exit == Exit::Done {
        out.value(&json!({ "approved": approved }));
    }
    exit
}

fn approve_here(identity: &str, name: Option<&str>, layout: &Layout) -> Result<usize, String> {
    let question = ToResident::ApprovePins { identity: identity.to_owned(), name: name.map(str::to_owned) };
    change(layout, &question, identity, |pins| pins.approve(identity, name))
}

/// A policy names tools alone: prompts and what else a server defines have no author there.
fn left_to_the_developer(server: &Server) -> impl Iterator<Item = &str> {
    let of_tools =
        |name: &str| server.pins.iter().any(|row| row.entry.part == Part::Tool && row.entry.name == name);
    let held = server.pins.iter().map(|row| &row.entry).filter(|entry| entry.held.is_some());
    held.filter(move |entry| entry.part != Part::Tool && !of_tools(&entry.name))
        .map(|entry| entry.name.as_str())
}

pub(super) fn forget(servers: &[Server], which: &Which, layout: &Layout, out: Out) -> Exit {
    if which.server.is_none() {
        return failed(out, "which server's? `portreeve pins forget --server SERVER` says it");
    }
    let mut forgotten = 0;
    for server in servers {
        let question = ToResident::ForgetPins { identity: server.identity.clone(), name: which.name.clone() };
        let here = |pins: &Pins| pins.forget(&server.identity, which.name.as_deref());
        match change(layout, &question, &server.identity, here) {
            Ok(count) => {
                forgotten += count;
                out.say(format_args!(
                    "{count} forgotten of {}; what it says next is trusted as at first sight",
                    server.identity
                ));
            }
            Err(why) => return failed(out, &why),
        }
    }
    out.value(&json!({ "forgotten": forgotten }));
    Exit::Done
}

/// A guard has seen it, and the resident has not heard of it.
fn on_its_way(server: &Server) -> String {
    format!("what is held back of {} is on its way to the resident; try again in a moment", server.identity)
}

fn failed(out: Out, why: &str) -> Exit {
    out.problem(why);
    Exit::Failed
}

/// By the resident; on a machine of nobody's, without one, on disk.
fn change(
    layout: &Layout,
    question: &ToResident,
    identity: &str,
    here: impl FnOnce(&Pins) -> Result<Changed, crate::pins::PinError>,
) -> Result<usize, String> {
    match block_on(ask(layout, question)).map_err(|error| error.to_string())? {
        Ok(FromResident::PinsChanged { count }) => Ok(count),
        Ok(_) => Err("the resident is of another version; start it again".to_owned()),
        Err(error) if error.is_absent() && matches!(read_identity(layout), Ok(None)) => {
            let changed = here(&Pins::of(layout)).map_err(|error| error.to_string())?;
            let count = changed.count;
            trials::record(layout, &changed.records(identity, &account::own_name(), 0))
                .map_err(|error| format!("it is done, and not on record: {error}"))?;
            Ok(count)
        }
        Err(error) if error.is_absent() => {
            Err("the resident keeps the pins, and does not run here; start it, or look at `portreeve doctor`"
                .to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Who names the tools of one server in its policy, which beats what anybody approves here.
struct Author<'r> {
    contact: Option<String>,
    /// The server's in the policy.
    name: String,
    /// In a trial: whoever may write to it.
    file: Option<&'r Path>,
}

impl<'r> Author<'r> {
    fn of(server: &Server, rulings: &'r Rulings) -> Option<Self> {
        let in_force = rulings.policy(&server.identity)?;
        let identity = ServerIdentity::from_canonical(server.identity.clone());
        if in_force.ruleset.definitions_of(&identity).pins.is_empty() {
            return None;
        }
        Some(Self {
            contact: in_force.ruleset.decide(&about(in_force, &identity)).contact,
            name: in_force.ruleset.server_name(&identity).unwrap_or("NAME").to_owned(),
            file: rulings.file(&server.identity).map(std::path::PathBuf::as_path),
        })
    }

    /// Says whom to ask for what, where any tool is held.
    fn is_asked(&self, server: &Server, out: Out) -> Option<Exit> {
        let lines: Vec<String> = server.pins.iter().filter_map(line).collect();
        if lines.is_empty() {
            return None;
        }
        let (identity, name) = (&server.identity, &self.name);
        let sentence = match self.file {
            Some(file) => format!(
                "the policy file {} names the tools of {identity} itself, so nothing is approved here. Look at them, and \
                 put this into it under [servers.{name}.pins]; a guard that is started anew takes it up:",
                file.display()
            ),
            None => format!(
                "your organisation approves the tools of {identity} itself. Ask {} to look at them, and to put this into \
                 the policy under [servers.{name}.pins]:",
                self.contact.as_deref().unwrap_or("whoever looks after Claude in your organisation")
            ),
        };
        let value = json!({ "error": sentence, "contact": self.contact, "server": name, "lines": lines });
        out.problem_as(&sentence, &value);
        for line in &lines {
            out.say(line);
        }
        Some(Exit::Failed)
    }
}

/// `"TOOL" = "sha256:…"`, as the policy's author can paste it.
fn line(row: &Row) -> Option<String> {
    let now = row.entry.last().filter(|_| row.entry.part == Part::Tool && row.standing.is_held())?;
    let key = toml::Value::String(row.entry.name.clone());
    Some(format!("{key} = \"{}\"", now.digest))
}
