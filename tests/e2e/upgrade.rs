//! The resident is stopped, replaced on disk and started again under guards that are in the middle of calls:
//! no call fails, no record is lost or doubled.

use anyhow::Result;
use harness::mcp_client::Session;
use harness::process::Running;
use harness::stage::Stage;
use harness::{tools, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const GUARDS: usize = 3;
const ROUNDS: usize = 4;
/// Calls made between two events.
const BETWEEN: usize = 30;

/// The program where an installer puts it, and where it puts the next version.
struct Installed(PathBuf);

impl Installed {
    fn in_folder(folder: &Path) -> Result<Self> {
        let program = Self(folder.join("bin/portreeve"));
        std::fs::create_dir_all(folder.join("bin"))?;
        program.replace()?;
        Ok(program)
    }

    /// As package managers do: a new file beside it, then a rename.
    fn replace(&self) -> Result<()> {
        let next = self.0.with_extension("new");
        std::fs::copy(tools::program("portreeve")?, &next)?;
        Ok(std::fs::rename(next, &self.0)?)
    }

    fn resident(&self, stage: &Stage) -> Result<Running> {
        let mut command = std::process::Command::new(&self.0);
        command.args(stage.machine.command(&["run"])?.get_args()).env("HOME", &stage.machine.home);
        command.env_remove("XDG_STATE_HOME").env_remove("XDG_RUNTIME_DIR").env_remove("CLAUDE_CONFIG_DIR");
        let log = stage.folder().join("resident.log");
        let running = Running::start("the resident", &mut command, &log, false)?;
        wait::until("the resident answers", Duration::from_secs(30), || {
            stage.machine.status().is_ok_and(|status| status["resident"]["pid"] == running.id())
        })?;
        Ok(running)
    }

    /// A client's session with a guard of this program.
    fn guard(&self, stage: &Stage) -> Result<Session> {
        let mut entry = stage.entry("everything")?;
        entry["command"] = json!(self.0);
        let mut session = Session::start(&entry, &stage.machine.home, &stage.project)?;
        session.initialize()?;
        Ok(session)
    }
}

#[test]
fn a_resident_is_stopped_upgraded_and_started_under_guards_in_the_middle_of_calls() {
    let mut stage = Stage::governed().unwrap();
    stage.machine.stop_resident().unwrap();
    let installed = Installed::in_folder(stage.folder()).unwrap();
    let mut resident = Some(installed.resident(&stage).unwrap());
    let (enough, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..GUARDS)
        .map(|guard| {
            let session = installed.guard(&stage).unwrap();
            let (enough, made) = (Arc::clone(&enough), Arc::clone(&made));
            std::thread::spawn(move || call_on(session, guard, &enough, &made))
        })
        .collect();
    let more_calls = |what: &str| {
        let goal = made.load(Ordering::Relaxed) + BETWEEN;
        wait::until(what, Duration::from_secs(60), || made.load(Ordering::Relaxed) >= goal).unwrap();
    };
    for round in 0..ROUNDS {
        more_calls("calls with the resident");
        installed.replace().unwrap();
        let mut old = resident.take().unwrap();
        if round % 2 == 0 {
            old.terminate(Duration::from_secs(10)).unwrap();
        } else {
            old.kill();
        }
        more_calls("calls without a resident");
        resident = Some(installed.resident(&stage).unwrap());
    }
    more_calls("calls with the last one");
    enough.store(true, Ordering::Relaxed);
    let sent: Vec<String> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    wait::until("every record is upstream", Duration::from_secs(60), || {
        stage.organisation.records().is_ok_and(|records| {
            let calls = calls(&records);
            sent.iter().all(|message| calls.contains_key(message))
        })
    })
    .unwrap();
    let records = stage.organisation.records().unwrap();
    let doubled: Vec<_> = calls(&records).into_iter().filter(|(_, times)| *times != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    drop(resident);
}

/// Calls for as long as it may; each must be answered with a result. What was sent.
fn call_on(mut session: Session, guard: usize, enough: &AtomicBool, made: &AtomicUsize) -> Vec<String> {
    let mut sent = Vec::new();
    while !enough.load(Ordering::Relaxed) {
        let message = format!("upgrade-{guard}-{}", sent.len());
        let answer = session.call("echo", &json!({ "message": message })).unwrap();
        assert!(answer.to_string().contains(&message), "{answer}");
        sent.push(message);
        made.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
    sent
}

/// message -> how many records of it.
fn calls(records: &[Value]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for record in records.iter().filter(|record| record["kind"] == "call") {
        if let Some(message) = record["arguments"]["message"].as_str() {
            *times.entry(message.to_owned()).or_default() += 1;
        }
    }
    times
}
