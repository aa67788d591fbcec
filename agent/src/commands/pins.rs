//! `portreeve pins`: what the servers of this device say their tools are, what changed, and approving it
//! where policy leaves that to the developer.
//!
//! Every name and text here is a server's: [`Out`] escapes them, the comparison has made them visible.

mod approving;
mod chosen;

use crate::ago::{moment, stamp};
use crate::out::{Exit, Out, Tone};
use crate::pins::{self, Entry, Pinned, Pins, Stored};
use clap::{Args, Subcommand};
use contract::record::{DefinitionChange, Part};
use platform::Layout;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub enum PinsVerb {
    /// What is pinned, server by server
    #[command(after_help = crate::cli::EXIT_CODES)]
    List(Which),
    /// What changed: what is held back, or what was pinned before
    #[command(after_help = crate::cli::EXIT_CODES)]
    Diff(Which),
    /// Take what is held back for good, where policy leaves that to you
    #[command(after_help = crate::cli::EXIT_CODES)]
    Approve(Which),
    /// Forget what is pinned: what is seen next is trusted as at first sight
    #[command(after_help = crate::cli::EXIT_CODES)]
    Forget(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    /// The server: its identity, a part of it that no other has, or its name in the policy or at the client
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// One tool or prompt
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// What of one server is asked about.
#[derive(Debug, Serialize)]
struct Server {
    identity: String,
    pins: Vec<Entry>,
}

/// A file of pins that is none.
#[derive(Debug, Serialize)]
struct Unreadable {
    path: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct Found {
    servers: Vec<Server>,
    unreadable: Vec<Unreadable>,
}

pub fn run(verb: &PinsVerb, layout: &Layout, out: Out) -> Exit {
    let (PinsVerb::List(which) | PinsVerb::Diff(which) | PinsVerb::Approve(which) | PinsVerb::Forget(which)) =
        verb;
    let found = match find(&Pins::of(layout), which, layout) {
        Ok(found) => found,
        Err(why) => {
            out.problem(&why);
            return Exit::Failed;
        }
    };
    for Unreadable { why, .. } in &found.unreadable {
        out.problem(why);
    }
    let exit = if found.unreadable.is_empty() { Exit::Done } else { Exit::Problems };
    match verb {
        PinsVerb::List(_) => list(&found, out),
        PinsVerb::Diff(_) => diff(&found, out),
        PinsVerb::Approve(_) => return approving::approve(found.servers, which, layout, out),
        PinsVerb::Forget(_) => return approving::forget(&found.servers, which, layout, out),
    }
    exit
}

fn find(kept: &Pins, which: &Which, layout: &Layout) -> Result<Found, String> {
    let mut found = Found { servers: Vec::new(), unreadable: Vec::new() };
    for pins::Found { path, pinned } in kept.all().map_err(|error| error.to_string())? {
        match pinned {
            Ok(Pinned { identity, pins }) => found.servers.push(Server { identity, pins }),
            Err(error) => {
                let path = path.display().to_string();
                found.unreadable.push(Unreadable { path, why: error.to_string() });
            }
        }
    }
    if let Some(asked) = &which.server {
        found.servers =
            chosen::one_of(found.servers, asked, |servers| chosen::named(servers, asked, layout))?;
    }
    if let Some(name) = &which.name {
        for server in &mut found.servers {
            server.pins.retain(|entry| entry.name == *name);
        }
        found.servers.retain(|server| !server.pins.is_empty());
        if found.servers.is_empty() {
            return Err(format!("nothing called {name:?} is pinned; `portreeve pins list` says what is"));
        }
    }
    Ok(found)
}

fn list(found: &Found, out: Out) {
    out.value(found);
    if found.servers.is_empty() && found.unreadable.is_empty() {
        out.say("nothing is pinned yet: pins are made when a guarded server lists its tools");
    }
    for server in &found.servers {
        out.say(out.tone(Tone::Strong, &server.identity));
        for entry in &server.pins {
            if let Some(held) = &entry.held {
                let what = if entry.pinned.is_some() { "changed" } else { "new" };
                let word = out.tone(Tone::Bad, format_args!("{what}, held back"));
                out.say(format_args!("  {entry}  {word} since {}{}", since(held), signs(held)));
            } else if let Some(pinned) = &entry.pinned {
                let digest = out.tone(Tone::Faint, pinned.digest);
                let how = if pinned.approved { "approved" } else { "pinned" };
                out.say(format_args!("  {entry}  {how} {}{}  {digest}", since(pinned), signs(pinned)));
            }
        }
    }
}

#[derive(Serialize)]
struct Difference<'a> {
    server: &'a str,
    part: Part,
    name: &'a str,
    held: bool,
    was: Option<String>,
    is: String,
    since_ms: i64,
    signs: &'a [contract::record::DefinitionFlag],
    changes: Vec<DefinitionChange>,
    /// Of what is new, all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<Value>,
}

fn diff(found: &Found, out: Out) {
    let differences: Vec<Difference<'_>> = found
        .servers
        .iter()
        .flat_map(|server| server.pins.iter().filter_map(|entry| difference(server, entry)))
        .collect();
    out.value(&differences);
    if differences.is_empty() {
        out.say("nothing changed: every definition is what it was when it was first seen or approved");
    }
    for it in &differences {
        let word = if it.held { out.tone(Tone::Bad, "held back") } else { "in use".to_owned() };
        let name = out.tone(Tone::Strong, if it.name.is_empty() { "instructions" } else { it.name });
        out.say(format_args!("{name} of {}, {word} since {}", it.server, stamp(moment(it.since_ms))));
        for sign in it.signs {
            out.say(format_args!("  ! {} {}: {}", sign.sign, sign.member, sign.excerpt));
        }
        if let Some(definition) = &it.definition {
            out.say(format_args!("  new: {definition}"));
        } else if it.changes.is_empty() {
            out.say("  what differs is too long or too secret to be shown");
        }
        for change in &it.changes {
            out.say(format_args!("  {}", change.member));
            for (sign, tone, text) in [("-", Tone::Bad, &change.was), ("+", Tone::Good, &change.is)] {
                if let Some(text) = text {
                    out.say(format_args!("    {}", out.tone(tone, format_args!("{sign} {text}"))));
                }
            }
        }
    }
}

fn difference<'a>(server: &'a Server, entry: &'a Entry) -> Option<Difference<'a>> {
    let (was, is, held) = match (&entry.held, &entry.pinned, &entry.before) {
        (Some(held), pinned, _) => (pinned.as_ref(), held, true),
        (None, Some(pinned), Some(before)) => (Some(before), pinned, false),
        _ => return None,
    };
    let value = |stored: &Stored| serde_json::from_str::<Value>(stored.definition.as_ref()?.get()).ok();
    let (old, new) = (was.and_then(value), value(is));
    let changes = match (&old, &new) {
        (Some(old), Some(new)) => gate::definitions::changes(old, new),
        _ => Vec::new(),
    };
    let change = |gate::definitions::Change { member, was, is }| DefinitionChange { member, was, is };
    Some(Difference {
        server: &server.identity,
        part: entry.part,
        name: &entry.name,
        held,
        was: was.map(|was| was.digest.to_string()),
        is: is.digest.to_string(),
        since_ms: is.since_ms,
        signs: &is.flags,
        changes: changes.into_iter().map(change).collect(),
        definition: if was.is_none() { new } else { None },
    })
}

fn since(stored: &Stored) -> String {
    stamp(moment(stored.since_ms))
}

fn signs(stored: &Stored) -> String {
    let signs: Vec<&str> = stored.flags.iter().map(|flag| flag.sign.as_str()).collect();
    if signs.is_empty() { String::new() } else { format!(" ({})", signs.join(", ")) }
}
