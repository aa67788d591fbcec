//! `portreeve pins`: what the servers of this device say their tools are, what changed, and approving it
//! where policy leaves that to the developer.
//!
//! Every name and text here is a server's: [`Out`] escapes them, the comparison has made them visible.

mod approving;
mod chosen;

use crate::ago::{moment, stamp};
use crate::commands::block_on;
use crate::commands::definitions::{Rulings, rulings};
use crate::out::{Exit, Out, Tone};
use crate::pins::{self, Entry, Pinned, Pins, Ruling, Stored, Verdict};
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
    pins: Vec<Row>,
}

/// One definition, and what policy makes of it.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    entry: Entry,
    standing: Verdict,
    /// The fingerprint that the policy names for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_names: Option<String>,
}

impl Row {
    fn of(entry: Entry, ruling: Option<&Ruling>) -> Self {
        let policy_names = ruling.and_then(|ruling| ruling.named(&entry)).map(str::to_owned);
        Self { standing: entry.verdict(ruling), policy_names, entry }
    }
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
    let rulings = match block_on(rulings(layout)) {
        Ok(rulings) => rulings,
        Err(error) => {
            out.problem(&error.to_string());
            return Exit::Failed;
        }
    };
    let found = match find(&Pins::of(layout), which, &rulings, layout) {
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
        PinsVerb::Approve(_) => return approving::approve(found.servers, which, (layout, &rulings), out),
        PinsVerb::Forget(_) => return approving::forget(&found.servers, which, layout, out),
    }
    exit
}

fn find(kept: &Pins, which: &Which, rulings: &Rulings, layout: &Layout) -> Result<Found, String> {
    let mut found = Found { servers: Vec::new(), unreadable: Vec::new() };
    for pins::Found { path, pinned } in kept.all().map_err(|error| error.to_string())? {
        match pinned {
            Ok(Pinned { identity, pins }) => {
                let ruling = rulings.of(&identity);
                let pins = pins.into_iter().map(|entry| Row::of(entry, ruling.as_ref())).collect();
                found.servers.push(Server { identity, pins });
            }
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
            server.pins.retain(|row| row.entry.name == *name);
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
        for row in &server.pins {
            let Some(last) = row.entry.last() else { continue };
            let word = match row.standing {
                Verdict::InUse if row.policy_names.is_some() => "approved by the policy, seen".to_owned(),
                Verdict::InUse if last.approved => "approved".to_owned(),
                Verdict::InUse => "pinned".to_owned(),
                Verdict::HeldNoMore => row.standing.words().to_owned(),
                held => format!("{} since", out.tone(Tone::Bad, held.words())),
            };
            let digest = out.tone(Tone::Faint, last.digest);
            out.say(format_args!("  {}  {word} {}{}  {digest}", row.entry, since(last), signs(last)));
        }
    }
}

#[derive(Serialize)]
struct Difference<'a> {
    server: &'a str,
    part: Part,
    name: &'a str,
    standing: Verdict,
    held: bool,
    was: Option<String>,
    is: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_names: Option<&'a str>,
    since_ms: i64,
    signs: &'a [contract::record::DefinitionFlag],
    changes: Vec<DefinitionChange>,
    /// Where there is nothing to compare it with, all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<Value>,
}

fn diff(found: &Found, out: Out) {
    let differences: Vec<Difference<'_>> = found
        .servers
        .iter()
        .flat_map(|server| server.pins.iter().filter_map(|row| difference(server, row)))
        .collect();
    out.value(&differences);
    if differences.is_empty() {
        out.say("nothing changed: every definition is what it was when it was first seen or approved");
    }
    for it in &differences {
        let words = it.standing.words();
        let word = if it.held { out.tone(Tone::Bad, words) } else { words.to_owned() };
        let name = out.tone(Tone::Strong, if it.name.is_empty() { "instructions" } else { it.name });
        out.say(format_args!("{name} of {}, {word} since {}", it.server, stamp(moment(it.since_ms))));
        if let Some(named) = it.policy_names.filter(|named| *named != it.is) {
            out.say(format_args!("  fingerprint {}, and the policy names {named}", it.is));
        }
        for sign in it.signs {
            out.say(format_args!("  ! {} {}: {}", sign.sign, sign.member, sign.excerpt));
        }
        if let Some(definition) = &it.definition {
            let label = if it.standing == Verdict::New { "new" } else { "definition" };
            out.say(format_args!("  {label}: {definition}"));
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

fn difference<'a>(server: &'a Server, row: &'a Row) -> Option<Difference<'a>> {
    let Row { entry, standing, policy_names } = row;
    let (is, held) = (entry.last()?, standing.is_held());
    let other = |stored: &&Stored| stored.digest != is.digest;
    let was = entry.pinned.as_ref().filter(other);
    // What is held for its fingerprint alone is told as it is, not against what it was once.
    let was = was.or_else(|| entry.before.as_ref().filter(|before| !held && other(before)));
    if was.is_none() && !held && entry.pinned.is_some() {
        return None;
    }
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
        standing: *standing,
        held,
        policy_names: policy_names.as_deref(),
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
