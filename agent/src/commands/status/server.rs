//! `portreeve status --server NAME`: how one guarded server stands, by what its guards wrote, or that policy
//! refused to start it. Works without a resident. Of other users' servers it knows nothing. What a server
//! said on stderr is shown without secrets, and without what policy takes out of what it says.

use super::lines::{Line, line};
use super::print;
use crate::active_policy::InForce;
use crate::ago::{ago, moment};
use crate::commands::trials::{self, Judged};
use crate::commands::{about, block_on, explain, in_force};
use crate::out::{Exit, Out, Tone};
use crate::transport::standing::{Facts, Found, Way, in_folder};
use contract::record::{Record, What};
use platform::Layout;
use platform::process::{self, KEEPER, Process};
use policy::{Outcome, ServerIdentity};
use serde::Serialize;
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Lines of stderr that are shown; JSON has them all.
const SHOWN: usize = 12;
const ALL: usize = 1000;
/// Among which one of a whole server is looked for.
const REFUSALS: u32 = 1000;

/// What JSON says of one guard's server.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    facts: Facts,
    guarded: bool,
    /// The server's own process.
    pid: Option<u32>,
    /// It and everything below it.
    processes: usize,
    stderr: Vec<String>,
}

pub fn run(name: &str, layout: &Layout, out: Out) -> Exit {
    let now = OffsetDateTime::now_utc();
    let all = in_folder(&layout.servers());
    let of_name = |found: &&Found| found.facts.entry == name || found.facts.identity == name;
    let mut found: Vec<&Found> = all.iter().filter(of_name).collect();
    let trials = trials::judged(layout);
    let trial = trials.iter().find(|judged| judged.trial.entry == name || judged.trial.identity == name);
    if found.is_empty() {
        if let Some(waiting) = trial.and_then(waiting) {
            out.problem(&waiting);
            return Exit::Failed;
        }
        let refused = block_on(explain::refusals(layout, REFUSALS)).unwrap_or_default();
        let refused = refused.iter().find_map(|record| not_started(name, record, now));
        out.problem(&refused.unwrap_or_else(|| unknown(name, &all)));
        return Exit::Failed;
    }
    // Of the dead only the last one says anything.
    if found.iter().any(|found| found.guarded) {
        found.retain(|found| found.guarded);
    } else {
        found.truncate(1);
    }
    let in_force = match block_on(in_force(layout)) {
        Ok(in_force) => in_force,
        Err(error) => {
            out.problem(&error);
            return Exit::Failed;
        }
    };
    let running = process::list();
    let told: Vec<Told> = found.into_iter().map(|found| tell(found, &running, in_force.as_ref())).collect();
    for line in told.iter().flat_map(|told| lines(told, now)) {
        print(out, &line);
    }
    if let Some(judged) = trial {
        print(out, &policy(judged));
    }
    out.value(&told);
    if told.iter().all(Told::is_well) { Exit::Done } else { Exit::Problems }
}

impl Told {
    fn is_well(&self) -> bool {
        let runs = self.pid.is_some() || self.facts.way != Way::Command;
        self.guarded && runs && !self.facts.failing
    }
}

/// A guard of a trial has started nothing: policy will not let it, or its client has not said a word.
fn waiting(judged: &Judged) -> Option<String> {
    let (pid, name, under) = (judged.trial.pid?, judged.trial.name(), judged.under());
    let why = judged.unknown().or_else(|| judged.law.trouble.clone());
    let why = why.unwrap_or_else(|| "no client has begun a conversation yet".to_owned());
    Some(format!("{name} is guarded (pid {pid}) under {under}, and nothing was started: {why}"))
}

fn policy(judged: &Judged) -> Line {
    let text = format!("a trial under {}", judged.under());
    let mut line = line("policy", Tone::Strong, text);
    if let Some(trouble) = judged.unknown().or_else(|| judged.law.trouble.clone()) {
        line.tone = Tone::Warn;
        line.more.push(trouble);
    }
    line
}

/// What policy refuses whole is refused with the first word to it, and never started.
fn not_started(name: &str, record: &Record, now: OffsetDateTime) -> Option<String> {
    let What::Call { method, tool: None, decision: Outcome::Refused, reason, .. } = &record.what else {
        return None;
    };
    let is_it = record.server.entry == name || record.server.identity == name;
    let first_word = matches!(method.as_str(), "initialize" | "server/discover");
    let when = ago(moment(record.time_ms), now);
    (is_it && first_word).then(|| {
        format!(
            "`{name}` was refused by policy {when}, and not started: {reason} \
             `portreeve explain` says whom to ask"
        )
    })
}

fn unknown(name: &str, all: &[Found]) -> String {
    // A guard that was given no name is asked for by what it guards.
    let called = |found: &Found| match found.facts.entry.as_str() {
        "" => found.facts.identity.clone(),
        entry => entry.to_owned(),
    };
    let known: Vec<_> = all.iter().map(called).collect::<BTreeSet<_>>().into_iter().collect();
    let known = match known.as_slice() {
        [] => ", or any other".to_owned(),
        known => format!("; there were: {}", known.join(", ")),
    };
    format!("no guard of yours has had a server `{name}`{known}")
}

fn tell(found: &Found, running: &[Process], in_force: Option<&InForce>) -> Told {
    let facts = found.facts.clone();
    let (pid, processes) = match facts.process.filter(|_| found.guarded) {
        Some(root) => server_below(root, running),
        None => (None, 0),
    };
    let stderr = masked(&found.last_lines(ALL), &facts.identity, in_force);
    Told { guarded: found.guarded, pid, processes, stderr, facts }
}

fn masked(lines: &[String], identity: &str, in_force: Option<&InForce>) -> Vec<String> {
    let server = ServerIdentity::from_canonical(identity.to_owned());
    let rules = in_force
        .map(|in_force| in_force.ruleset.redactions_of_server(&about(in_force, &server)))
        .unwrap_or_default();
    gate::shown_text(&lines.join("\n"), &rules).lines().map(str::to_owned).collect()
}

/// The server among what the guard started, and how many processes it is: on Linux there are keepers above it.
fn server_below(root: u32, running: &[Process]) -> (Option<u32>, usize) {
    let Some(mut server) = running.iter().find(|process| process.pid == root) else { return (None, 0) };
    while server.name == KEEPER {
        let below = running.iter().find(|process| process.parent == Some(server.pid));
        let Some(below) = below else { return (None, 0) };
        server = below;
    }
    let mut tree = BTreeSet::from([server.pid]);
    loop {
        let before = tree.len();
        let children = running.iter().filter(|process| process.parent.is_some_and(|pid| tree.contains(&pid)));
        let children: Vec<u32> = children.map(|process| process.pid).collect();
        tree.extend(children);
        if tree.len() == before {
            return (Some(server.pid), before);
        }
    }
}

fn lines(told: &Told, now: OffsetDateTime) -> Vec<Line> {
    let facts = &told.facts;
    let name = if facts.entry.is_empty() { "(no name)" } else { &facts.entry };
    let speaks = match (&facts.protocol, &facts.server) {
        (Some(protocol), Some(server)) => format!("{protocol}; it is {server}"),
        (Some(protocol), None) => protocol.clone(),
        (None, _) => "nothing yet".to_owned(),
    };
    let (tone, restarted) = match facts.restarts {
        0 => (Tone::Good, "never".to_owned()),
        1 => (Tone::Warn, "once".to_owned()),
        times => (Tone::Warn, format!("{times} times")),
    };
    let mut lines = vec![
        line("server", Tone::Strong, format!("{name}: {}", facts.identity)),
        running(told, now),
        line("speaks", Tone::Faint, speaks),
        line("restarted", tone, restarted),
    ];
    if let Some(error) = &facts.last_error {
        let when = facts.last_error_ms.map_or_else(String::new, |at| ago(moment(at), now));
        let mut last = line("error", Tone::Warn, when);
        last.more.push(error.clone());
        lines.push(last);
    }
    let mut said =
        line("stderr", Tone::Faint, if told.stderr.is_empty() { "nothing kept" } else { "its end:" });
    said.more = told.stderr[told.stderr.len().saturating_sub(SHOWN)..].to_vec();
    lines.push(said);
    lines
}

fn running(told: &Told, now: OffsetDateTime) -> Line {
    let facts = &told.facts;
    let guard = format!("guard {} since {}", facts.guard, ago(moment(facts.since_ms), now));
    match (told.guarded, told.pid) {
        (false, _) => {
            let ended = facts.ended_ms.map(|at| format!("; its last guard ended {}", ago(moment(at), now)));
            line("running", Tone::Warn, format!("no{}", ended.unwrap_or_default()))
        }
        (true, Some(pid)) => {
            let since = facts.process_since_ms.map_or_else(String::new, |at| ago(moment(at), now));
            let count = match told.processes {
                1 => String::new(),
                count => format!(", {count} processes"),
            };
            line("running", Tone::Good, format!("pid {pid}{count}, started {since}; {guard}"))
        }
        (true, None) if facts.way == Way::Command => {
            line("running", Tone::Warn, format!("no: it has ended, and the next call starts it; {guard}"))
        }
        (true, None) if facts.failing => {
            line("running", Tone::Bad, format!("elsewhere, and no use to us: see the error below; {guard}"))
        }
        (true, None) => line("running", Tone::Good, format!("elsewhere; {guard}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::standing::Standing;

    fn process(pid: u32, parent: u32, name: &str) -> Process {
        Process {
            pid,
            parent: Some(parent),
            name: name.to_owned(),
            exe: None,
            command: Vec::new(),
            started: 0,
        }
    }

    #[test]
    fn the_server_is_found_below_its_keepers_and_counted_with_its_children() {
        let running = [
            process(5, 4, KEEPER),
            process(6, 5, KEEPER),
            process(7, 6, "node"),
            process(8, 7, "sh"),
            process(9, 1, "x"),
        ];
        assert_eq!(server_below(5, &running), (Some(7), 2));
        assert_eq!(server_below(7, &running), (Some(7), 2));
        assert_eq!(server_below(6, &running[..2]), (None, 0));
        assert_eq!(server_below(99, &running), (None, 0));
    }

    #[test]
    fn attack_a_servers_stderr_shows_a_token() {
        let lines =
            ["using ghp_012345678901234567890123456789abcdef", "-----BEGIN PRIVATE KEY-----", "MIIE", "x"];
        let shown = masked(&lines.map(str::to_owned), "npm:x", None).join("\n");
        assert!(shown.starts_with("using [masked]") && !shown.contains("MIIE"), "{shown}");
    }

    #[test]
    fn a_guard_without_a_name_is_listed_by_what_it_guards() {
        let folder = tempfile::tempdir().unwrap();
        assert!(unknown("x", &in_folder(folder.path())).contains("or any other"));
        for (entry, identity) in [("", "npm:nameless"), ("files", "npm:files"), ("", "npm:nameless")] {
            Standing::in_folder(folder.path(), entry, identity, Way::Command).end();
        }
        let said = unknown("x", &in_folder(folder.path()));
        assert!(said.ends_with("`x`; there were: files, npm:nameless"), "{said}");
    }

    #[test]
    fn a_remote_server_that_refuses_everything_is_not_said_to_be_well() {
        let told = |failing| {
            let facts = Facts { entry: "gh".to_owned(), way: Way::Http, failing, ..Facts::default() };
            Told { facts, guarded: true, pid: None, processes: 0, stderr: Vec::new() }
        };
        let said = |told: &Told| running(told, OffsetDateTime::now_utc()).text;
        assert!(told(false).is_well() && said(&told(false)).starts_with("elsewhere; guard"));
        assert!(!told(true).is_well() && said(&told(true)).contains("no use to us: see the error below"));
    }

    #[test]
    fn a_dead_server_is_said_to_be_dead() {
        let last_error = Some("it fell".to_owned());
        let facts = Facts { entry: "files".to_owned(), restarts: 2, last_error, ..Facts::default() };
        let told = Told { facts, guarded: true, pid: None, processes: 0, stderr: vec!["no key".to_owned()] };
        let lines = lines(&told, OffsetDateTime::now_utc());
        let text: Vec<_> =
            lines.into_iter().map(|line| format!("{} {}", line.text, line.more.join(" "))).collect();
        let text = text.join("\n");
        for part in ["files", "it has ended", "2 times", "it fell", "no key"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
