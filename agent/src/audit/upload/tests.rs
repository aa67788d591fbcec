use super::*;
use crate::audit::spool::Owner;
use crate::upstream::fake::{Answer, FakeServer};
use contract::record::{Client, Record, Server, What, link, to_hex};
use serde_json::json;
use std::sync::Mutex;
use tempfile::TempDir;
use uuid::Uuid;

/// What a policy server does with batches: counts, links, and keeps.
#[derive(Default)]
struct Ledger {
    epoch: Option<Uuid>,
    head: [u8; 32],
    ids: Vec<Uuid>,
    /// The next so many answers are lost on the way back.
    lose: usize,
}

impl Ledger {
    fn through(&self) -> u64 {
        self.ids.len() as u64
    }

    fn take(&mut self, body: &[u8]) -> Answer {
        let batch: Batch = serde_json::from_slice(body).unwrap();
        if self.epoch != Some(batch.epoch) {
            *self = Self { epoch: Some(batch.epoch), lose: self.lose, ..Self::default() };
        }
        let durable = |through| Durable { epoch: batch.epoch, through };
        if batch.first > self.through() + 1 {
            let more = json!({ "durable": durable(self.through()) });
            return Answer::problem(409, "record-chain-broken", more);
        }
        for (seq, record) in (batch.first..).zip(&batch.records) {
            if seq > self.through() {
                self.head = link(&self.head, record.get().as_bytes());
                self.ids.push(serde_json::from_str::<Record>(record.get()).unwrap().id);
            }
        }
        if self.lose > 0 {
            self.lose -= 1;
            return Answer { status: 502, tag: None, body: Vec::new() };
        }
        Answer::ok(&durable(self.through()))
    }
}

struct Stage {
    ledger: Arc<Mutex<Ledger>>,
    uploader: Uploader,
    _server: FakeServer,
    _folder: TempDir,
}

async fn stage(ledger: Ledger) -> Stage {
    let ledger = Arc::new(Mutex::new(ledger));
    let book = Arc::clone(&ledger);
    let server = FakeServer::start(move |asked| book.lock().unwrap().take(&asked.body)).await;
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
    let (keeper, _) = Keeper::start(folder.path().join("spool.sqlite"), owner).unwrap();
    let uploader = Uploader { keeper, upstream: server.upstream(), stuck: watch::Sender::new(None) };
    Stage { ledger, uploader, _server: server, _folder: folder }
}

fn records(n: u64) -> Vec<Record> {
    let run = Uuid::now_v7();
    let record = |seq| Record {
        id: Uuid::now_v7(),
        time_ms: 1,
        run,
        seq,
        member: String::new(),
        device: String::new(),
        os_user: String::new(),
        client: Client::default(),
        server: Server::default(),
        what: What::Stopped { why: format!("reason {seq}") },
    };
    (1..=n).map(record).collect()
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_record_is_upstream_once_although_answers_are_lost() {
    let stage = stage(Ledger { lose: 3, ..Ledger::default() }).await;
    let sent = records(1200);
    let ids: Vec<Uuid> = sent.iter().map(|record| record.id).collect();
    stage.uploader.keeper.append(sent).await.unwrap();
    assert!(stage.uploader.flush(LONG).await);
    assert_eq!(stage.ledger.lock().unwrap().ids, ids);
    assert_eq!(stage.uploader.keeper.state().borrow().depth(), 0);
}

#[tokio::test]
async fn a_server_put_back_to_an_older_state_gets_the_missing_stretch_again() {
    let stage = stage(Ledger::default()).await;
    let sent = records(20);
    let ids: Vec<Uuid> = sent.iter().map(|record| record.id).collect();
    stage.uploader.keeper.append(sent).await.unwrap();
    assert!(stage.uploader.flush(LONG).await);
    {
        let mut ledger = stage.ledger.lock().unwrap();
        ledger.ids.truncate(8);
    }
    let later = records(2);
    let later_ids: Vec<Uuid> = later.iter().map(|record| record.id).collect();
    stage.uploader.keeper.append(later).await.unwrap();
    assert!(stage.uploader.flush(LONG).await);
    assert_eq!(stage.ledger.lock().unwrap().ids, [ids, later_ids].concat());
}

#[tokio::test]
async fn a_server_that_has_more_than_the_device_gets_a_new_epoch_and_the_device_says_so() {
    let stage = stage(Ledger::default()).await;
    stage.uploader.keeper.append(records(5)).await.unwrap();
    assert!(stage.uploader.flush(LONG).await);
    let before = stage.ledger.lock().unwrap().epoch;
    // As if this device's disk had been put back to yesterday's.
    assert!(matches!(stage.uploader.keeper.realign(99).await, Ok(Realigned::NewEpoch { .. })));
    assert!(stage.uploader.flush(LONG).await);
    assert_ne!(stage.ledger.lock().unwrap().epoch, before);
    assert_eq!(stage.ledger.lock().unwrap().ids.len(), 5);
    let state = stage.uploader.keeper.state();
    assert!(state.borrow().mishap.as_deref().is_some_and(|why| why.contains("99 records")));
}

#[tokio::test]
async fn a_refused_record_is_reported_and_stays_and_the_others_before_it_go_up() {
    let taken = Arc::new(Mutex::new(0));
    let book = Arc::clone(&taken);
    let server = FakeServer::start(move |asked| {
        let batch: Batch = serde_json::from_slice(&asked.body).unwrap();
        if batch.records.iter().any(|record| record.get().contains("reason 6\"")) {
            return Answer::problem(422, "record-malformed", json!({}));
        }
        let through = batch.first + batch.records.len() as u64 - 1;
        *book.lock().unwrap() = through;
        Answer::ok(&Durable { epoch: batch.epoch, through })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
    let (keeper, _) = Keeper::start(folder.path().join("spool.sqlite"), owner).unwrap();
    let uploader = Uploader { keeper, upstream: server.upstream(), stuck: watch::Sender::new(None) };
    uploader.keeper.append(records(9)).await.unwrap();
    let mut stuck = uploader.stuck.subscribe();
    let flushing = tokio::spawn(async move { uploader.flush(LONG).await });
    let reached = async {
        while *taken.lock().unwrap() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stuck.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    };
    let why = tokio::time::timeout(LONG, reached).await.unwrap();
    assert!(why.contains("record-malformed"), "{why}");
    assert_eq!(*taken.lock().unwrap(), 5);
    flushing.abort();
}

#[tokio::test]
async fn a_refused_call_does_not_wait_for_company() {
    let state = watch::Sender::new(SpoolState { head: 1, ..SpoolState::default() });
    let mut seen = state.subscribe();
    assert_eq!(until_due(&mut seen).await, Some(Due::Gathered));
    state.send_modify(|state| (state.head, state.urgent) = (2, 2));
    assert_eq!(until_due(&mut seen).await, Some(Due::Urgent));
}

#[tokio::test]
async fn a_whole_batch_does_not_wait_for_company() {
    let state = watch::Sender::new(SpoolState { head: MOST as u64, ..SpoolState::default() });
    assert_eq!(until_due(&mut state.subscribe()).await, Some(Due::Much));
}

/// As the server does, with its own memory of where the chain stands.
fn chained(batch: &Batch, stand: &mut (Option<Uuid>, u64, [u8; 32], Vec<Uuid>)) -> Answer {
    if stand.0 != Some(batch.epoch) {
        (stand.0, stand.1, stand.2) = (Some(batch.epoch), 0, [0; 32]);
    }
    let durable = |through| Durable { epoch: batch.epoch, through };
    if batch.first != stand.1 + 1 || batch.previous != to_hex(&stand.2) {
        return Answer::problem(409, "record-chain-broken", json!({ "durable": durable(stand.1) }));
    }
    for record in &batch.records {
        stand.2 = link(&stand.2, record.get().as_bytes());
        stand.1 += 1;
        let id = serde_json::from_str::<Record>(record.get()).unwrap().id;
        if !stand.3.contains(&id) {
            stand.3.push(id);
        }
    }
    Answer::ok(&durable(stand.1))
}

#[tokio::test]
async fn a_log_that_the_server_contradicts_does_not_wedge_the_device() {
    let stand = Arc::new(Mutex::new((None, 0, [0; 32], Vec::new())));
    let book = Arc::clone(&stand);
    let server = FakeServer::start(move |asked| {
        chained(&serde_json::from_slice(&asked.body).unwrap(), &mut book.lock().unwrap())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner { member: "alice".to_owned(), device: "d".to_owned() };
    let (keeper, _) = Keeper::start(folder.path().join("spool.sqlite"), owner).unwrap();
    let uploader = Uploader { keeper, upstream: server.upstream(), stuck: watch::Sender::new(None) };
    let sent = records(9);
    let ids: Vec<Uuid> = sent.iter().map(|record| record.id).collect();
    uploader.keeper.append(sent[..4].to_vec()).await.unwrap();
    assert!(uploader.flush(LONG).await);
    // The server's memory of the chain is another one from here on.
    stand.lock().unwrap().2 = [7; 32];
    uploader.keeper.append(sent[4..].to_vec()).await.unwrap();
    assert!(uploader.flush(LONG).await);
    assert_eq!(stand.lock().unwrap().3, ids);
    let mishap = uploader.keeper.state().borrow().mishap.clone();
    assert!(mishap.is_some_and(|why| why.contains("are not the same here and at the policy server")));
}
