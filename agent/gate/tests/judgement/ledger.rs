//! Any conversation, however it goes: the record adds up, and everybody gets one answer.

use crate::stage::{Stage, call, heard, result};
use gate::{EntryKind, Release};
use policy::Outcome;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    Call { id: u64, allowed: bool },
    Cancel { id: u64 },
    Answer { id: u64 },
    Broken { id: u64 },
    Noise,
    ServerAsks { id: u64 },
    ClientAnswers { id: u64 },
    DiskFull(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0u64..5;
    prop_oneof![
        4 => (id.clone(), any::<bool>()).prop_map(|(id, allowed)| Step::Call { id, allowed }),
        1 => id.clone().prop_map(|id| Step::Cancel { id }),
        4 => id.clone().prop_map(|id| Step::Answer { id }),
        1 => id.clone().prop_map(|id| Step::Broken { id }),
        1 => Just(Step::Noise),
        1 => id.clone().prop_map(|id| Step::ServerAsks { id }),
        1 => id.prop_map(|id| Step::ClientAnswers { id }),
        1 => any::<bool>().prop_map(Step::DiskFull),
    ]
}

fn play(stage: &mut Stage, step: &Step) -> Release {
    match step {
        Step::Call { id, allowed } => {
            stage.client(&call(*id, if *allowed { "read_file" } else { "delete_file" }, "{}"))
        }
        Step::Cancel { id } => stage.client(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        )),
        Step::Answer { id } => stage.server(&result(*id, "{}")),
        Step::Broken { id } => stage.server(&result(*id, r#"{"a":1,"a":1}"#)),
        Step::Noise => stage.server("starting…"),
        Step::ServerAsks { id } => {
            stage.server(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#))
        }
        Step::ClientAnswers { id } => stage.client(&result(*id, "{}")),
        Step::DiskFull(full) => {
            stage.book.full = full.then_some("the disk is full");
            Release::Nothing
        }
    }
}

proptest! {
    #[test]
    fn every_call_that_left_is_on_record_and_ends_once(steps in prop::collection::vec(step(), 0..60)) {
        let mut stage = Stage::new();
        // Ids of calls the server has and the client waits for.
        let mut waiting = BTreeSet::new();
        for step in &steps {
            let before = stage.book.entries.len();
            let release = play(&mut stage, step);
            let entered = &stage.book.entries[before..];
            match (step, &release) {
                (Step::Call { id, allowed }, Release::ToServer(bytes)) => {
                    prop_assert!(*allowed && stage.book.full.is_none());
                    let read = call(*id, "read_file", "{}");
                    prop_assert_eq!(bytes.bytes(), read.as_bytes());
                    prop_assert_eq!(entered.len(), 1, "a record before the release");
                    prop_assert!(waiting.insert(*id), "an open id is not given out again");
                }
                (Step::Call { .. }, release) => {
                    let answer = heard(release);
                    prop_assert!(answer["error"]["message"].is_string());
                    prop_assert!(answer["id"].as_u64().is_none_or(|id| !waiting.contains(&id)));
                }
                (Step::Answer { id } | Step::Broken { id }, Release::ToClient(_)) => {
                    prop_assert!(waiting.remove(id), "nobody waits for {id}");
                    prop_assert_eq!(&heard(&release)["id"], &serde_json::json!(id));
                }
                (Step::Answer { id } | Step::Broken { id }, release) => {
                    prop_assert_eq!(release, &Release::Nothing);
                    prop_assert!(!waiting.contains(id), "the client would wait for ever");
                }
                (Step::Cancel { id }, _) => { waiting.remove(id); }
                (Step::Noise, release) => prop_assert_eq!(release, &Release::Nothing),
                _ => {}
            }
        }
        let full = steps.iter().any(|step| matches!(step, Step::DiskFull(true)));
        let told = stage.server_dies("it is over");
        let told = told.iter().filter(|release| **release != Release::Nothing);
        let told: BTreeSet<_> = told.filter_map(|release| heard(release)["id"].as_u64()).collect();
        prop_assert_eq!(told, waiting, "who waits is told, and nobody else");
        adds_up(&stage, full)?;
    }
}

/// Outcomes only of calls that left, one each; and where the disk was never full, none is missing.
fn adds_up(stage: &Stage, some_lost: bool) -> Result<(), TestCaseError> {
    let mut left = BTreeMap::new();
    for entry in &stage.book.entries {
        match &entry.kind {
            EntryKind::Call { number, outcome, .. } => {
                let sent = *outcome == Outcome::Allowed;
                prop_assert!(left.insert(*number, sent).is_none(), "numbers are not used twice");
            }
            EntryKind::Outcome { number, .. } => {
                prop_assert_eq!(left.insert(*number, false), Some(true), "one outcome of a call that left");
            }
            EntryKind::Listed { .. }
            | EntryKind::Malformed { .. }
            | EntryKind::Redacted { .. }
            | EntryKind::Definition { .. } => {}
        }
    }
    prop_assert!(some_lost || left.values().all(|open| !open), "a call without an outcome");
    Ok(())
}
