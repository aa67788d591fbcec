//! SIGKILL to guard, resident and policy server at random points: no record lost, none doubled.

use harness::stage::{self, Stage};
use harness::{mcp_client::Session, wait};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many rounds; more by `PORTREEVE_KILL_ROUNDS`.
const ROUNDS: u64 = 200;

/// A small generator: the seed is printed, so that a failure can be played again by `PORTREEVE_KILL_SEED`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_record_is_lost_or_doubled_whoever_is_killed() {
    let seed = number("PORTREEVE_KILL_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into());
    println!("PORTREEVE_KILL_SEED={seed}");
    let mut dice = Dice(seed | 1);
    let folder = tempfile::tempdir().unwrap();
    let seen_by_server = folder.path().join("calls.jsonl");
    let entry =
        stage::sample("everything", &[("SAMPLE_SERVER_LOG", seen_by_server.to_str().unwrap())]).unwrap();
    let mut stage =
        Stage::governed_with(&stage::usual_policy().unwrap(), &json!({"everything": entry})).unwrap();
    let mut answered = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for round in 0..number("PORTREEVE_KILL_ROUNDS").unwrap_or(ROUNDS) {
        let mut session = stage.open("everything").unwrap();
        let fatal = dice.roll(8);
        for call in 0..8 {
            let name = format!("{round}-{call}");
            let id = session.begin(
                "tools/call",
                &json!({"name": if call == 3 { "get-env" } else { "echo" }, "arguments": {"message": name}}),
            );
            if call == fatal && strike(&mut dice, &mut stage, &mut session) {
                break;
            }
            let answer = session.answer(id.unwrap()).unwrap();
            if answer.get("result").is_some() {
                answered.insert(name)
            } else {
                refused.insert(name)
            };
        }
        mend(&mut stage);
    }
    let reached = std::fs::read_to_string(&seen_by_server).unwrap();
    let reached: BTreeSet<String> =
        reached.lines().map(|line| message(&serde_json::from_str::<Value>(line).unwrap())).collect();
    let owed: BTreeSet<&String> = answered.iter().chain(&refused).chain(&reached).collect();
    assert!(owed.len() > 500, "only {} calls were made", owed.len());
    let there = |records: &[Value]| {
        let (calls, outcomes) = (calls(records), outcomes(records));
        owed.iter().all(|name| calls.contains_key(*name))
            && answered.iter().all(|name| outcomes.get(name).is_some_and(|times| *times > 0))
    };
    wait::until("every receipted record upstream", Duration::from_secs(60), || {
        stage.organisation.records().is_ok_and(|records| there(&records))
    })
    .unwrap_or_else(|error| {
        let calls = calls(&stage.organisation.records().unwrap());
        let lost: Vec<_> = owed.iter().filter(|name| !calls.contains_key(**name)).collect();
        panic!("{error}; lost: {lost:?}; {}", stage.machine.resident_log());
    });
    let records = stage.organisation.records().unwrap();
    let doubled: Vec<_> = calls(&records).into_iter().filter(|(_, times)| *times != 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    let ids: BTreeSet<String> = records.iter().map(|record| record["id"].to_string()).collect();
    assert_eq!(ids.len(), records.len(), "some record is upstream twice");
    let outcomes = outcomes(&records);
    let open: Vec<_> = answered.iter().filter(|name| outcomes.get(*name) != Some(&1)).collect();
    assert!(open.is_empty(), "answered calls without exactly one outcome: {open:?}");
}

/// Kills one of the three. True where the session is gone with it.
fn strike(dice: &mut Dice, stage: &mut Stage, session: &mut Session) -> bool {
    match dice.roll(3) {
        0 => {
            session.kill();
            true
        }
        1 => {
            stage.machine.kill_resident();
            false
        }
        _ => {
            stage.organisation.kill();
            false
        }
    }
}

/// Starts again what was killed.
fn mend(stage: &mut Stage) {
    if stage.organisation.server_id().is_none() {
        stage.organisation.start().unwrap();
    }
    if !stage.machine.resident_runs() {
        stage.machine.start_resident().unwrap();
    }
}

fn message(params: &Value) -> String {
    params["arguments"]["message"].as_str().unwrap_or_default().to_owned()
}

/// message -> how many call records upstream.
fn calls(records: &[Value]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for record in records.iter().filter(|record| record["kind"] == "call" && record["method"] == "tools/call")
    {
        *times.entry(message(record)).or_default() += 1;
    }
    times
}

/// message -> how many outcome records upstream.
fn outcomes(records: &[Value]) -> BTreeMap<String, usize> {
    let key = |record: &Value| (record["run"].to_string(), record["call"].to_string());
    let mut closed: BTreeMap<(String, String), usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record["kind"] == "outcome") {
        *closed.entry(key(record)).or_default() += 1;
    }
    let calls = records.iter().filter(|record| record["kind"] == "call" && record["method"] == "tools/call");
    calls.map(|record| (message(record), closed.get(&key(record)).copied().unwrap_or(0))).collect()
}
