//! Approving and forgetting: done by the resident, which keeps the pins; by us only where there is none
//! and no organisation either (a trial).

use super::{Server, Which};
use crate::commands::{about, block_on, in_force};
use crate::enrolment::read_identity;
use crate::ipc::client::ask;
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out};
use crate::pins::{Changed, Entry, Pins};
use crate::trials;
use contract::record::Part;
use platform::{Layout, account};
use policy::{DefinitionsRule, ServerIdentity};
use serde_json::json;

/// Who approves definitions of one server.
enum Approver {
    Developer,
    /// The policy's author, whom this contact reaches.
    Author {
        rule: DefinitionsRule,
        contact: Option<String>,
        server: String,
    },
}

pub(super) fn approve(servers: Vec<Server>, which: &Which, layout: &Layout, out: Out) -> Exit {
    let approver = match block_on(approvers(layout, &servers)) {
        Ok(approver) => approver,
        Err(error) => return failed(out, &error.to_string()),
    };
    let mut exit = Exit::Done;
    let mut approved = 0;
    for (server, approver) in servers.into_iter().zip(approver) {
        match approver {
            Approver::Author { rule, contact, server: name } => {
                exit = ask_the_author(&server, &rule, contact.as_deref(), &name, out).unwrap_or(exit);
            }
            Approver::Developer if server.pins.iter().all(|entry| entry.held.is_none()) => {}
            Approver::Developer => {
                let identity = server.identity.clone();
                let question = ToResident::ApprovePins { identity, name: which.name.clone() };
                let here = |pins: &Pins| pins.approve(&server.identity, which.name.as_deref());
                match change(layout, &question, &server.identity, here) {
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
    }
    if exit == Exit::Done && approved == 0 {
        out.say("nothing is held back");
    }
    if exit == Exit::Done {
        out.value(&json!({ "approved": approved }));
    }
    exit
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

/// One for each server, by the policy in force here.
async fn approvers(layout: &Layout, servers: &[Server]) -> Vec<Approver> {
    let Some(in_force) = in_force(layout).await else {
        return servers.iter().map(|_| Approver::Developer).collect();
    };
    let approver = |server: &Server| {
        let identity = ServerIdentity::from_canonical(server.identity.clone());
        let rule = in_force.ruleset.definitions_of(&identity);
        if rule.pins.is_empty() {
            return Approver::Developer;
        }
        let contact = in_force.ruleset.decide(&about(&in_force, &identity)).contact;
        let server = in_force.ruleset.server_name(&identity).unwrap_or("NAME").to_owned();
        Approver::Author { rule: rule.clone(), contact, server }
    };
    servers.iter().map(approver).collect()
}

/// Says whom to ask for what, where anything is held.
fn ask_the_author(
    server: &Server,
    rule: &DefinitionsRule,
    contact: Option<&str>,
    name: &str,
    out: Out,
) -> Option<Exit> {
    let lines: Vec<String> = server.pins.iter().filter_map(|entry| line(entry, rule)).collect();
    if lines.is_empty() {
        return None;
    }
    let whom = contact.unwrap_or("whoever looks after Claude in your organisation");
    let sentence = format!(
        "your organisation approves the tools of {} itself. Ask {whom} to look at them, and to put this into the policy under [servers.{name}.pins]:",
        server.identity
    );
    let value = json!({ "error": sentence, "contact": contact, "server": name, "lines": lines });
    out.problem_as(&sentence, &value);
    for line in &lines {
        out.say(line);
    }
    Some(Exit::Failed)
}

/// `"TOOL" = "sha256:…"`, as the policy's author can paste it.
fn line(entry: &Entry, rule: &DefinitionsRule) -> Option<String> {
    let now = entry.held.as_ref().filter(|_| entry.part == Part::Tool)?;
    let digest = now.digest.to_string();
    let is_there = rule.pins.get(&entry.name).is_some_and(|approved| *approved == digest);
    let key = toml::Value::String(entry.name.clone());
    (!is_there).then(|| format!("{key} = \"{digest}\""))
}
