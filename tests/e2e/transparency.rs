//! The transparency test: with a policy that allows everything, a client and a server cannot tell that
//! Portreeve is between them. Each session is played directly and through it, and what each side saw is
//! compared byte for byte; what differs is in `transparency/differences.toml`, with its reason.

mod claude_code;
mod compare;
mod conformance;
mod differences;
mod run;
mod script;
mod sdks;
mod servers;
mod steady;

use compare::{Order, compare};
use harness::tools;
use harness::wire::Way;
use run::{Seen, run};
use script::Era;
use serde_json::Value;
use servers::{HANDSHAKE, Server};

/// Plays the server's script directly, and through Portreeve from a client of each way; compares.
fn compared(server: &Server, era: Era, serves: Way) {
    compared_from(&Way::ALL, server, era, serves);
}

/// Tools that a new version of a server may have brought, and that the script does not know.
fn not_called(direct: &Seen) -> Vec<String> {
    let lists = direct.client.answers.values().filter(|(method, _)| method == "tools/list");
    let lists = lists.map(|(_, text)| serde_json::from_str::<Value>(text).unwrap());
    let names = lists.flat_map(|list| list["result"]["tools"].as_array().cloned().unwrap_or_default());
    let names = names.filter_map(|tool| tool["name"].as_str().map(str::to_owned));
    let is_called =
        |name: &String| direct.server.iter().any(|told| told.contains(&format!("\"name\":\"{name}\"")));
    names.filter(|name| !is_called(name)).map(|name| format!("the script does not call `{name}`")).collect()
}

fn compared_from(ways: &[Way], server: &Server, era: Era, serves: Way) {
    let (direct, guarded) = std::thread::scope(|threads| {
        let direct = threads.spawn(|| run(server, era, serves, None));
        let guarded: Vec<_> = ways
            .iter()
            .map(|way| (*way, threads.spawn(move || run(server, era, serves, Some(*way)))))
            .collect();
        let guarded: Vec<_> = guarded.into_iter().map(|(way, run)| (way, run.join().unwrap())).collect();
        (direct.join().unwrap(), guarded)
    });
    let Some(direct) = tools::need(server.name, direct.unwrap()) else { return };
    let revision = match era {
        Era::Handshake(version) => version,
        Era::Stateless => "2026-07-28",
    };
    let mut wrong = if server.whole { not_called(&direct) } else { Vec::new() };
    for (way, guarded) in guarded {
        let name = format!("{} {revision} {} to {}", server.name, way.name(), serves.name());
        let guarded = match guarded {
            Ok(guarded) => guarded.unwrap(),
            Err(error) => {
                wrong.push(format!("{name}: {error:#}"));
                continue;
            }
        };
        let order = if way == Way::Stdio && serves == Way::Stdio { Order::Whole } else { Order::WithinKinds };
        wrong.extend(differences::judge(&name, &compare(&direct, &guarded, order, way == serves)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everything_over_stdio_is_the_same() {
    compared(&servers::EVERYTHING, HANDSHAKE, Way::Stdio);
}

#[test]
fn everything_over_streamable_http_is_the_same() {
    compared(&servers::EVERYTHING, HANDSHAKE, Way::Http);
}

#[test]
fn everything_over_the_older_http_is_the_same() {
    compared(&servers::EVERYTHING, HANDSHAKE, Way::Sse);
}

/// The older HTTP is of the first revision; a client of the last one that speaks it is none.
const SINCE_2026: [Way; 2] = [Way::Stdio, Way::Http];

#[test]
fn a_server_of_2026_07_28_over_stdio_is_the_same() {
    compared_from(&SINCE_2026, &servers::MODERN, Era::Stateless, Way::Stdio);
}

#[test]
fn a_server_of_2026_07_28_over_streamable_http_is_the_same() {
    compared_from(&SINCE_2026, &servers::MODERN, Era::Stateless, Way::Http);
}

#[test]
fn the_revisions_before_are_the_same() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        compared(&servers::EVERYTHING_IN_SHORT, Era::Handshake(revision), Way::Stdio);
    }
}

/// The SDK's stdio server takes no batches, in any revision.
#[test]
fn batches_of_2025_03_26_are_the_same() {
    compared_from(&[Way::Http], &servers::EVERYTHING_IN_BATCHES, Era::Handshake("2025-03-26"), Way::Http);
}

#[test]
fn the_filesystem_server_is_the_same() {
    compared(&servers::FILESYSTEM, HANDSHAKE, Way::Stdio);
}

#[test]
fn the_memory_server_is_the_same() {
    compared(&servers::MEMORY, HANDSHAKE, Way::Stdio);
}

#[test]
fn the_sequential_thinking_server_is_the_same() {
    compared(&servers::SEQUENTIAL_THINKING, HANDSHAKE, Way::Stdio);
}

#[test]
fn the_time_server_is_the_same_in_both_eras() {
    compared(&servers::TIME, HANDSHAKE, Way::Stdio);
    compared(&servers::TIME, Era::Stateless, Way::Stdio);
}

#[test]
fn the_git_server_is_the_same_in_both_eras() {
    compared(&servers::GIT, HANDSHAKE, Way::Stdio);
    compared(&servers::GIT, Era::Stateless, Way::Stdio);
}

#[test]
fn the_fetch_server_is_the_same_in_both_eras() {
    compared(&servers::FETCH, HANDSHAKE, Way::Stdio);
    compared(&servers::FETCH, Era::Stateless, Way::Stdio);
}
