use super::*;
use contract::record::{Batch, Durable, to_hex};
use contract::record::{Client, Server};
use platform::files::{mode_of_others, replace_shared};
use serde_json::value::RawValue;

fn owner() -> Owner {
    Owner { member: "alice@acme.example".to_owned(), device: "dev-1".to_owned() }
}

fn record(run: Uuid, seq: u64, decision: Outcome) -> Record {
    Record {
        id: Uuid::now_v7(),
        time_ms: 1,
        run,
        seq,
        member: "somebody else".to_owned(),
        device: "another machine".to_owned(),
        os_user: "alice".to_owned(),
        client: Client::default(),
        server: Server { identity: "npm:files".to_owned(), ..Server::default() },
        what: What::Call {
            method: "tools/call".to_owned(),
            tool: Some("read".to_owned()),
            call: seq,
            tool_use_id: None,
            arguments: Some(RawValue::from_string(r#"{"path":"/tmp/1.10"}"#.to_owned()).unwrap()),
            beyond: None,
            decision,
            rule: "r".to_owned(),
            reason: "because".to_owned(),
            policy_version: 3,
            redacted: 0,
            round: None,
        },
    }
}

fn run_of(n: u64) -> (Uuid, Vec<Record>) {
    let run = Uuid::now_v7();
    (run, (1..=n).map(|seq| record(run, seq, Outcome::Allowed)).collect())
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self) -> PathBuf {
        self.0.path().join("spool.sqlite")
    }
    fn open(&self) -> Spool {
        Spool::open(&self.path(), owner()).unwrap().0
    }
}

/// What the server does with a batch: count, and link.
fn verify(batch: &Batch, previous: &str) -> String {
    assert_eq!(batch.previous, previous);
    let mut bytes = [0_u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(previous.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    let head = batch.records.iter().fold(bytes, |head, record| link(&head, record.get().as_bytes()));
    assert_eq!(to_hex(&head), batch.head);
    batch.head.clone()
}

fn depth(spool: &Spool) -> u64 {
    spool.head() - spool.durable()
}

fn zeros() -> String {
    "0".repeat(64)
}

fn durable(spool: &Spool, through: u64) -> Durable {
    Durable { epoch: spool.epoch, through }
}

#[test]
fn what_was_appended_is_there_after_the_process_died_without_closing() {
    let home = Home::new();
    let mut spool = home.open();
    let (run, records) = run_of(3);
    assert_eq!(spool.append(records, 1).unwrap().taken[&run], 3);
    // As a killed process leaves it: nothing is closed, the write-ahead log is not folded in.
    std::mem::forget(spool);

    let spool = home.open();
    assert_eq!((spool.head(), depth(&spool)), (3, 3));
    verify(&spool.batch(500).unwrap().unwrap(), &zeros());
}

#[test]
fn who_and_where_are_stamped_and_not_believed() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(1).1, 1).unwrap();
    let batch = spool.batch(500).unwrap().unwrap();
    let sent: Record = serde_json::from_str(batch.records[0].get()).unwrap();
    assert_eq!((sent.member.as_str(), sent.device.as_str()), ("alice@acme.example", "dev-1"));
    let What::Call { arguments: Some(arguments), .. } = sent.what else { panic!("not a call") };
    assert_eq!(arguments.get(), r#"{"path":"/tmp/1.10"}"#);
}

#[test]
fn a_record_that_comes_twice_is_one_record_also_when_the_first_is_long_forgotten() {
    let home = Home::new();
    let mut spool = home.open();
    let (run, records) = run_of(TAIL + 10);
    spool.append(records.clone(), 1).unwrap();
    spool.forget(&durable(&spool, TAIL + 10)).unwrap();

    let again = spool.append(records, 2).unwrap();
    assert_eq!((again.fresh, again.taken[&run]), (0, TAIL + 10));
    assert_eq!(depth(&spool), 0);
}

#[test]
fn a_hole_is_not_called_taken_until_it_is_filled() {
    let home = Home::new();
    let mut spool = home.open();
    let (run, mut records) = run_of(4);
    let second = records.remove(1);
    assert_eq!(spool.append(records, 1).unwrap().taken[&run], 1);
    assert_eq!(spool.append(vec![second], 1).unwrap().taken[&run], 4);
    assert_eq!(spool.head(), 4);
}

#[test]
fn batches_follow_each_other_without_a_gap_across_reopening() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(700).1, 1).unwrap();
    let first = spool.batch(500).unwrap().unwrap();
    let head = verify(&first, &zeros());
    spool.forget(&durable(&spool, 500)).unwrap();
    drop(spool);

    let spool = home.open();
    let second = spool.batch(500).unwrap().unwrap();
    assert_eq!((second.first, second.records.len()), (501, 200));
    verify(&second, &head);
}

#[test]
fn a_batch_stays_near_a_mebibyte_and_a_record_larger_than_that_goes_alone() {
    let home = Home::new();
    let mut spool = home.open();
    let (run, mut records) = run_of(3);
    for record in &mut records {
        let What::Call { reason, .. } = &mut record.what else { panic!("not a call") };
        *reason = "x".repeat(2 * BATCH_BYTES);
    }
    records.push(record(run, 4, Outcome::Allowed));
    spool.append(records, 1).unwrap();
    assert_eq!(spool.batch(500).unwrap().unwrap().records.len(), 1);
}

#[test]
fn the_server_was_put_back_and_gets_the_tail_again() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(50).1, 1).unwrap();
    spool.forget(&durable(&spool, 50)).unwrap();
    assert_eq!(spool.realign(20).unwrap(), Realigned::From { through: 20 });
    let batch = spool.batch(500).unwrap().unwrap();
    assert_eq!((batch.first, batch.records.len()), (21, 30));
}

#[test]
fn the_server_forgot_more_than_we_remember_and_a_new_epoch_begins_with_all_we_have() {
    let home = Home::new();
    let mut spool = home.open();
    let epoch = spool.epoch;
    spool.append(run_of(TAIL + 500).1, 1).unwrap();
    spool.forget(&durable(&spool, TAIL + 500)).unwrap();
    assert!(matches!(spool.realign(0).unwrap(), Realigned::NewEpoch { .. }));
    assert_ne!(spool.epoch, epoch);
    assert_eq!(depth(&spool), TAIL);
    let batch = spool.batch(500).unwrap().unwrap();
    assert_eq!(batch.first, 1);
    verify(&batch, &zeros());
}

#[test]
fn the_server_has_more_than_the_device_and_a_new_epoch_begins() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(5).1, 1).unwrap();
    let Realigned::NewEpoch { why } = spool.realign(9).unwrap() else { panic!("no new epoch") };
    assert!(why.contains("holds 9 records"), "{why}");
    assert_eq!(depth(&spool), 5);
}

#[test]
fn a_new_enrolment_is_a_new_epoch_that_carries_over_what_was_not_sent() {
    let home = Home::new();
    let mut spool = home.open();
    let epoch = spool.epoch;
    spool.append(run_of(10).1, 1).unwrap();
    spool.forget(&durable(&spool, 4)).unwrap();
    drop(spool);

    let next = Owner { device: "dev-2".to_owned(), ..owner() };
    let (spool, _) = Spool::open(&home.path(), next).unwrap();
    assert_ne!(spool.epoch, epoch);
    let batch = spool.batch(500).unwrap().unwrap();
    assert_eq!((batch.first, batch.records.len()), (1, 6));
    verify(&batch, &zeros());
}

#[test]
fn news_of_another_epoch_forgets_nothing() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(3).1, 1).unwrap();
    spool.forget(&Durable { epoch: Uuid::now_v7(), through: 3 }).unwrap();
    spool.forget(&durable(&spool, 99)).unwrap();
    assert_eq!(depth(&spool), 3);
}

#[test]
fn refusals_stay_readable_after_the_upload_newest_first() {
    let home = Home::new();
    let mut spool = home.open();
    let run = Uuid::now_v7();
    let decisions = [Outcome::Refused, Outcome::Allowed, Outcome::WouldRefuse];
    let records = (1..).zip(decisions).map(|(seq, decision)| record(run, seq, decision)).collect();
    assert!(spool.append(records, 1).unwrap().urgent);
    spool.forget(&durable(&spool, 3)).unwrap();
    let seqs: Vec<u64> = spool.refusals(10).unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [3, 1]);
    let glance = glance(&home.path(), 1).unwrap().unwrap();
    assert_eq!((glance.depth, glance.refusals.len()), (0, 1));
}

#[test]
fn a_damaged_log_is_set_aside_with_its_bytes_and_said_so() {
    let home = Home::new();
    std::fs::write(home.path(), b"this was never a database, and is long enough to be taken for one")
        .unwrap();
    let (spool, said) = Spool::open(&home.path(), owner()).unwrap();
    assert_eq!(spool.head(), 0);
    assert!(said.unwrap().contains("was damaged"));
    let kept = std::fs::read_dir(home.0.path()).unwrap().flatten().any(|entry| {
        entry.file_name().to_string_lossy().contains("damaged")
            && std::fs::read(entry.path()).unwrap().starts_with(b"this was never")
    });
    assert!(kept);
}

#[tokio::test]
async fn the_keeper_commits_for_all_who_wait_and_tells_where_the_log_stands() {
    let home = Home::new();
    let (keeper, thread) = Keeper::start(home.path(), owner()).unwrap();
    let mut state = keeper.state();
    let asks = (0..20).map(|_| {
        let (run, records) = run_of(7);
        let keeper = keeper.clone();
        async move { (run, keeper.append(records).await.unwrap()) }
    });
    for (run, done) in futures_util::future::join_all(asks).await {
        assert_eq!(done.taken[&run], 7);
    }
    assert_eq!(state.wait_for(|state| state.head == 140).await.unwrap().depth(), 140);
    drop(keeper);
    thread.join().unwrap();
    assert_eq!(depth(&home.open()), 140);
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_takes_nothing_says_why_and_is_tried_again() {
    let home = Home::new();
    // A folder in its place: what a full or read-only disk comes to, and root feels it too.
    std::fs::create_dir(home.path()).unwrap();
    let (keeper, _thread) = Keeper::start(home.path(), owner()).unwrap();
    let mut state = keeper.state();
    assert!(keeper.append(run_of(1).1).await.is_err());
    assert!(state.wait_for(|state| state.trouble.is_some()).await.is_ok());
    std::fs::remove_dir(home.path()).unwrap();
    assert!(state.wait_for(|state| state.trouble.is_none()).await.is_ok());
    assert_eq!(keeper.append(run_of(1).1).await.unwrap().fresh, 1);
}

#[test]
fn another_user_of_the_machine_reads_nobodys_arguments() {
    let home = Home::new();
    let files =
        ["", "-wal", "-shm"].map(|suffix| PathBuf::from(format!("{}{suffix}", home.path().display())));
    let mut spool = home.open();
    spool.append(run_of(1).1, 1).unwrap();
    for file in &files {
        assert_eq!(mode_of_others(file).unwrap(), None, "{}", file.display());
    }
    // As an older version left them, and a killed resident its journals.
    let bytes = files.clone().map(|file| std::fs::read(file).unwrap());
    drop(spool);
    for (file, bytes) in files.iter().zip(&bytes) {
        replace_shared(file, bytes).unwrap();
    }
    let _spool = home.open();
    for file in &files {
        assert_eq!(mode_of_others(file).unwrap(), None, "{}", file.display());
    }
}

/// What somebody with the right to write the file does to it.
fn tamper(home: &Home, sql: &str) {
    assert!(Connection::open(home.path()).unwrap().execute(sql, []).unwrap() > 0, "{sql}");
}

fn sent(spool: &Spool) -> Vec<u64> {
    let batch = spool.batch(500).unwrap().unwrap();
    verify(&batch, &zeros());
    batch.records.iter().map(|json| serde_json::from_str::<Record>(json.get()).unwrap().seq).collect()
}

#[test]
fn altered_and_removed_records_are_set_aside_and_the_intact_go_on_in_a_new_epoch() {
    for (sql, left, said) in [
        (
            "UPDATE record SET json = replace(json, 'read', 'list') WHERE seq IN (3, 6)",
            vec![1, 2, 4, 5, 7, 8],
            "2 records were altered (numbers 3, 6)",
        ),
        (
            "UPDATE record SET json = 'x' WHERE seq = 1",
            vec![2, 3, 4, 5, 6, 7, 8],
            "1 record was altered (number 1)",
        ),
        ("UPDATE record SET link = x'00' WHERE seq = 8", vec![1, 2, 3, 4, 5, 6, 7], "(number 8)"),
        // What follows a hole cannot be shown to be what was written.
        (
            "DELETE FROM record WHERE seq IN (4, 5)",
            vec![1, 2, 3, 7, 8],
            "2 records were removed (numbers 4-5)",
        ),
    ] {
        let home = Home::new();
        let mut spool = home.open();
        spool.append(run_of(8).1, 1).unwrap();
        let epoch = spool.epoch;
        tamper(&home, sql);
        assert!(matches!(spool.batch(500), Err(SpoolError::Altered)), "{sql}");
        assert!(glance(&home.path(), 0).unwrap().unwrap().not_as_written > 0, "{sql}");
        spool.set_altered_aside(1_700_000_000_000).unwrap();
        assert_ne!(spool.epoch, epoch);
        assert_eq!(sent(&spool), left, "{sql}");
        assert_eq!(glance(&home.path(), 0).unwrap().unwrap().not_as_written, 0, "{sql}");

        // What is said of it outlives the resident.
        drop(spool);
        let spool = home.open();
        let [finding] = spool.findings() else { panic!("{:?}", spool.findings()) };
        assert_eq!(finding.code, "spool-tampered");
        assert!(finding.detail.contains(said), "{}", finding.detail);
        assert!(finding.detail.contains("2023-11-14 22:13:20 UTC"), "{}", finding.detail);
    }
}

#[test]
fn enrolling_again_does_not_launder_an_altered_record() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(5).1, 1).unwrap();
    drop(spool);
    tamper(&home, "UPDATE record SET json = replace(json, 'alice', 'bob') WHERE seq = 2");

    let next = Owner { device: "dev-2".to_owned(), ..owner() };
    let (spool, _) = Spool::open(&home.path(), next).unwrap();
    assert_eq!(sent(&spool), [1, 3, 4, 5]);
    assert!(spool.findings().iter().any(|finding| finding.code == "spool-tampered"));
    let kept: String = spool.db.query_row("SELECT json FROM aside", [], |row| row.get(0)).unwrap();
    assert!(kept.contains("bob"), "the evidence is kept: {kept}");
}

#[tokio::test]
async fn an_altered_record_does_not_keep_the_others_from_going_up() {
    let home = Home::new();
    let (keeper, _thread) = Keeper::start(home.path(), owner()).unwrap();
    keeper.append(run_of(5).1).await.unwrap();
    tamper(&home, "UPDATE record SET json = json || ' ' WHERE seq = 2");
    assert_eq!(keeper.batch(500).await.unwrap().unwrap().records.len(), 4);
    let mut state = keeper.state();
    assert!(state.wait_for(|state| state.findings.len() == 1).await.is_ok());
}

#[test]
fn a_log_of_the_first_version_is_brought_up_to_date_with_its_records() {
    let home = Home::new();
    let mut spool = home.open();
    spool.append(run_of(3).1, 1).unwrap();
    drop(spool);
    tamper(&home, "UPDATE log SET durable = 0");
    let db = Connection::open(home.path()).unwrap();
    db.execute_batch(
        "DROP TABLE aside; DROP TABLE noted; ALTER TABLE run DROP COLUMN life; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(db);
    assert_eq!(sent(&home.open()), [1, 2, 3]);
}

fn outcome(run: Uuid, seq: u64, call: u64) -> Record {
    let what = What::Outcome {
        method: "tools/call".to_owned(),
        tool: None,
        call,
        tool_use_id: None,
        fate: contract::record::Fate::Ok,
        duration_us: 1,
        bytes: 1,
        redacted: 0,
        round: None,
    };
    Record { what, ..record(run, seq, Outcome::Allowed) }
}

#[test]
fn a_killed_guards_run_is_closed_once_with_its_open_calls_lost() {
    let home = Home::new();
    let mut spool = home.open();
    let run = Uuid::now_v7();
    let records = vec![
        record(run, 1, Outcome::Allowed),
        record(run, 2, Outcome::Refused),
        outcome(run, 3, 1),
        record(run, 4, Outcome::WouldRefuse),
    ];
    spool.append(records, 1).unwrap();
    drop(spool);
    let mut spool = home.open();
    assert_eq!(spool.close_run(run, 9).unwrap().fresh, 2);
    assert_eq!(spool.close_run(run, 10).unwrap().fresh, 0);
    let batch = spool.batch(500).unwrap().unwrap();
    let closing: Vec<Record> =
        batch.records[4..].iter().map(|json| serde_json::from_str(json.get()).unwrap()).collect();
    assert!(matches!(&closing[0].what, What::Outcome { call: 4, fate: contract::record::Fate::Lost, .. }));
    assert!(matches!(&closing[1].what, What::Stopped { why } if why.starts_with("the guard was killed")));
    assert_eq!((closing[0].seq, closing[1].seq, closing[1].os_user.as_str()), (5, 6, "alice"));
    assert_eq!(closing[0].server.identity, "npm:files");
    assert_eq!(closing[0].id.get_version_num(), 8);
}

#[test]
fn a_run_that_ended_or_is_not_known_is_not_closed() {
    let home = Home::new();
    let mut spool = home.open();
    let run = Uuid::now_v7();
    let end = Record {
        what: What::Stopped { why: "the client left".to_owned() },
        ..record(run, 2, Outcome::Allowed)
    };
    spool.append(vec![record(run, 1, Outcome::Allowed), end], 1).unwrap();
    assert_eq!(spool.close_run(run, 9).unwrap().fresh, 0);
    assert_eq!(spool.close_run(Uuid::now_v7(), 9).unwrap().fresh, 0);
}

/// From the socket, which anybody on the machine may dial: SQLite's integers end at 2^63 - 1.
#[tokio::test]
async fn attack_one_record_that_cannot_be_stored_fails_nobody_elses() {
    let home = Home::new();
    let (keeper, _) = Keeper::start(home.path(), owner()).unwrap();
    let poison = || vec![record(Uuid::now_v7(), 1 << 63, Outcome::Allowed)];
    assert!(keeper.append(poison()).await.unwrap_err().is_of_a_record());
    assert_eq!(keeper.state().borrow().trouble, None, "the log is well");
    // All at once, so that they share commits.
    let asked: Vec<_> = (0..60)
        .map(|n| {
            let keeper = keeper.clone();
            let records = if n % 3 == 0 { poison() } else { run_of(2).1 };
            tokio::spawn(async move { (n, keeper.append(records).await) })
        })
        .collect();
    for answer in asked {
        let (n, done) = answer.await.unwrap();
        assert_eq!(done.is_err(), n % 3 == 0, "{n}: {done:?}");
    }
    let mut state = keeper.state();
    let state = state.wait_for(|state| state.head >= 80).await.unwrap();
    assert_eq!((&state.trouble, state.head), (&None, 80));
}
