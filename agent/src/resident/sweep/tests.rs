use super::*;
use crate::audit::spool::Owner;
use contract::record::{Client, Server};
use tempfile::TempDir;
use uuid::Uuid;

struct Stage {
    folder: TempDir,
    keeper: Keeper,
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
    let (keeper, _) = Keeper::start(folder.path().join("spool.sqlite"), owner).unwrap();
    Stage { folder, keeper }
}

impl Stage {
    fn segment(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{}.jsonl", Uuid::now_v7()));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn segment_of(&self, run: Uuid, text: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{run}.jsonl"));
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn records(&self) -> Vec<Record> {
        let batch = self.keeper.batch(500).await.unwrap().unwrap();
        batch.records.iter().map(|json| serde_json::from_str(json.get()).unwrap()).collect()
    }

    fn depth(&self) -> u64 {
        self.keeper.state().borrow().depth()
    }
}

fn record(run: Uuid, seq: u64, decision: Outcome) -> Record {
    Record {
        id: Uuid::now_v7(),
        time_ms: i64::try_from(seq).unwrap(),
        run,
        seq,
        member: String::new(),
        device: String::new(),
        os_user: String::new(),
        client: Client::default(),
        server: Server::default(),
        what: What::Call {
            method: "tools/call".to_owned(),
            tool: None,
            call: seq,
            tool_use_id: None,
            arguments: None,
            beyond: None,
            decision,
            rule: "r".to_owned(),
            reason: "because".to_owned(),
            policy_version: 1,
            redacted: 0,
            round: None,
        },
    }
}

fn line(run: Uuid, seq: u64) -> String {
    format!("{}\n", serde_json::to_string(&record(run, seq, Outcome::Allowed)).unwrap())
}

#[tokio::test]
async fn a_dead_guards_records_are_taken_and_its_torn_last_line_is_no_record() {
    let stage = stage();
    let run = Uuid::now_v7();
    let torn = line(run, 3);
    let path = stage.segment(&format!("{}{}{}", line(run, 1), line(run, 2), &torn[..torn.len() / 2]));
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert!(!path.exists());
    assert_eq!(stage.depth(), 2);
}

#[tokio::test]
async fn a_living_guards_segment_is_not_touched() {
    let stage = stage();
    let path = stage.segment(&line(Uuid::now_v7(), 1));
    let held = File::options().append(true).open(&path).unwrap();
    held.try_lock().unwrap();
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert!(path.exists());
    drop(held);
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_segment_that_was_made_just_now_may_not_be_locked_yet_and_is_left() {
    let stage = stage();
    let path = stage.segment("");
    sweep(&path, &stage.keeper, None, Duration::from_secs(3600)).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_segment_that_was_taken_before_adds_nothing() {
    let stage = stage();
    let run = Uuid::now_v7();
    let lines = format!("{}{}", line(run, 1), line(run, 2));
    for _ in 0..2 {
        let path = stage.segment(&lines);
        sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    }
    assert_eq!(stage.depth(), 2);
}

#[tokio::test]
async fn lines_that_are_no_records_are_kept_as_evidence_and_the_rest_is_taken() {
    let stage = stage();
    let run = Uuid::now_v7();
    let path = stage.segment(&format!("{}{{\"forged\":true}}\n{}", line(run, 1), line(run, 2)));
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert_eq!(stage.depth(), 2);
    assert!(!path.exists() && path.with_extension("jsonl.damaged").exists());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_leaves_the_segment() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("spool.sqlite");
    std::fs::create_dir(&log).unwrap();
    let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
    let (keeper, _) = Keeper::start(log, owner).unwrap();
    let path = folder.path().join("run.jsonl");
    std::fs::write(&path, line(Uuid::now_v7(), 1)).unwrap();
    assert!(sweep(&path, &keeper, None, Duration::ZERO).await.is_err());
    assert!(path.exists());
}

#[test]
fn refusals_of_log_and_segments_are_shown_once_newest_first() {
    let run = Uuid::now_v7();
    let known = record(run, 1, Outcome::Refused);
    let fresh = record(run, 3, Outcome::WouldRefuse);
    let waiting = vec![known.clone(), record(run, 2, Outcome::Allowed), fresh];
    let seqs = |limit| {
        let found = latest_refusals(waiting.clone(), vec![known.clone()], limit);
        found.into_iter().map(|record| record.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(10), [3, 1]);
    assert_eq!(seqs(1), [3]);
}

#[tokio::test]
async fn attack_a_segment_that_claims_another_users_calls() {
    let stage = stage();
    let forged = Record { os_user: "bob".to_owned(), ..record(Uuid::now_v7(), 1, Outcome::Allowed) };
    let path = stage.segment(&format!("{}\n", serde_json::to_string(&forged).unwrap()));
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert_eq!(stage.records().await[0].os_user, account::own_name());
}

#[tokio::test]
async fn attack_a_segment_with_a_number_that_no_log_can_keep() {
    let stage = stage();
    let run = Uuid::now_v7();
    let path = stage.segment(&format!("{}{}{}", line(run, 1), line(run, 1 << 62), line(run, 2)));
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert_eq!(stage.depth(), 2, "the good records are taken");
    assert!(!path.exists() && path.with_extension("jsonl.damaged").exists());
    assert_eq!(stage.keeper.state().borrow().trouble, None);
}

#[tokio::test]
async fn lines_taken_out_of_a_dead_guards_segment_are_a_finding() {
    let stage = stage();
    let run = Uuid::now_v7();
    let path = stage.segment_of(run, &[1, 2, 5, 9].map(|seq| line(run, seq)).concat());
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    let mut state = stage.keeper.state();
    let state = state.wait_for(|state| !state.findings.is_empty()).await.unwrap();
    let [finding] = &state.findings[..] else { panic!("{:?}", state.findings) };
    assert_eq!((finding.code.as_str(), finding.severity), ("record-gap", Severity::Critical));
    assert_eq!(finding.subject, format!("run/{run}"));
    assert!(finding.detail.contains("numbers 3-4, 6-8"), "{}", finding.detail);
}

#[tokio::test]
async fn what_was_handed_over_before_and_cut_off_is_no_gap() {
    let stage = stage();
    let run = Uuid::now_v7();
    stage.keeper.append((1..=3).map(|seq| record(run, seq, Outcome::Allowed)).collect()).await.unwrap();
    let path = stage.segment_of(run, &[3, 4].map(|seq| line(run, seq)).concat());
    sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
    assert_eq!(stage.keeper.state().borrow().findings, []);
}

#[tokio::test]
async fn a_killed_guards_record_is_closed_also_where_everything_of_it_was_taken() {
    let stage = stage();
    let run = Uuid::now_v7();
    stage.keeper.append((1..=2).map(|seq| record(run, seq, Outcome::Allowed)).collect()).await.unwrap();
    for _ in 0..2 {
        let path = stage.segment_of(run, "");
        sweep(&path, &stage.keeper, None, Duration::ZERO).await.unwrap();
        assert!(!path.exists());
    }
    let records = stage.records().await;
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let lost = |record: &Record| {
        matches!(record.what, What::Outcome { fate: contract::record::Fate::Lost, call: 1 | 2, .. })
    };
    assert!(records[2..4].iter().all(lost));
    assert!(matches!(&records[4].what, What::Stopped { why } if why.contains("was killed")));
}
