//! The log's one writer: a thread that takes what waits and commits it in one go.
//!
//! A commit costs a sync of the disk, whether it holds one record or a thousand; so whoever asks
//! while one is under way shares the next.

use super::{Appended, Owner, Realigned, Spool, SpoolError};
use crate::upstream::now_ms;
use contract::record::{Batch, Durable, Record};
use contract::report::Finding;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// Requests that may wait; the next one waits outside.
const QUEUE: usize = 256;
/// A log that could not be opened is tried again after this.
const REOPEN: Duration = Duration::from_secs(1);
/// How often what is long past is forgotten.
const TIDY: Duration = Duration::from_secs(3600);
/// The most records of one commit.
const COMMIT_RECORDS: usize = 5000;

/// Where the log stands, for the uploader and the status page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpoolState {
    pub head: u64,
    pub durable: u64,
    /// Up to here lies a refused call: do not wait with it.
    pub urgent: u64,
    /// Why the last write failed; gone with the next that works.
    pub trouble: Option<String>,
    /// A damaged log was set aside, or two logs could not be joined; until the resident is restarted.
    pub mishap: Option<String>,
    /// What was found about the log and the runs in it, and is kept over restarts.
    pub findings: Vec<Finding>,
}

impl SpoolState {
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.head.saturating_sub(self.durable)
    }
}

/// Those who waited together share one answer.
type Taken = oneshot::Sender<Result<Arc<Appended>, Arc<SpoolError>>>;
type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

enum Order {
    Append(Vec<Record>, Taken),
    Batch(usize, Reply<Option<Batch>>),
    Forget(Durable, Reply<()>),
    Realign(u64, Reply<Realigned>),
    PartFrom(String, Reply<()>),
    CloseRun(Uuid, Reply<Appended>),
    Note(Finding, Reply<()>),
    Refusals(u32, Reply<Vec<Record>>),
}

/// A handle to the thread.
#[derive(Clone)]
pub struct Keeper {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<SpoolState>,
}

impl Keeper {
    /// Opens the log on the thread; where that fails it is tried again and again, and nobody is told
    /// that anything was taken. The second value ends when all handles are dropped and the log is closed.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(path: PathBuf, owner: Owner) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (orders, mut inbox) = mpsc::channel(QUEUE);
        let (tell, state) = watch::channel(SpoolState::default());
        let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(move || {
            // A record is safe in its guard's segment already, and the guard is in somebody's way.
            platform::priority::step_behind();
            if let Some(spool) = open(&path, &owner, &mut inbox, &tell) {
                keep(spool, inbox, &tell);
            }
        })?;
        Ok((Self { orders, state }, thread))
    }

    #[must_use]
    pub fn state(&self) -> watch::Receiver<SpoolState> {
        self.state.clone()
    }

    /// On disk when it returns.
    ///
    /// # Errors
    /// None of them was taken.
    pub async fn append(&self, records: Vec<Record>) -> Result<Arc<Appended>, Arc<SpoolError>> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Append(records, reply)).await.map_err(|_| SpoolError::Closed)?;
        answer.await.map_err(|_| SpoolError::Closed)?
    }

    /// # Errors
    /// The log cannot be read.
    pub async fn batch(&self, most: usize) -> Result<Option<Batch>, SpoolError> {
        self.ask(|reply| Order::Batch(most, reply)).await
    }

    /// # Errors
    /// The log cannot be written.
    pub async fn forget(&self, durable: Durable) -> Result<(), SpoolError> {
        self.ask(|reply| Order::Forget(durable, reply)).await
    }

    /// # Errors
    /// The log cannot be read or written.
    pub async fn realign(&self, through: u64) -> Result<Realigned, SpoolError> {
        self.ask(|reply| Order::Realign(through, reply)).await
    }

    /// See [`Spool::part_from`]; the sentence says why.
    ///
    /// # Errors
    /// The log cannot be written.
    pub async fn part_from(&self, why: String) -> Result<(), SpoolError> {
        self.ask(|reply| Order::PartFrom(why, reply)).await
    }

    /// See [`Spool::close_run`].
    ///
    /// # Errors
    /// The log cannot be written.
    pub async fn close_run(&self, run: Uuid) -> Result<Appended, SpoolError> {
        self.ask(|reply| Order::CloseRun(run, reply)).await
    }

    /// See [`Spool::note`].
    ///
    /// # Errors
    /// The log cannot be written.
    pub async fn note(&self, finding: Finding) -> Result<(), SpoolError> {
        self.ask(|reply| Order::Note(finding, reply)).await
    }

    /// # Errors
    /// The log cannot be read.
    pub async fn refusals(&self, limit: u32) -> Result<Vec<Record>, SpoolError> {
        self.ask(|reply| Order::Refusals(limit, reply)).await
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, SpoolError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| SpoolError::Closed)?;
        answer.await.map_err(|_| SpoolError::Closed)?
    }
}

/// `None` where the resident stops before the log could be opened.
fn open(
    path: &Path,
    owner: &Owner,
    inbox: &mut mpsc::Receiver<Order>,
    tell: &watch::Sender<SpoolState>,
) -> Option<Spool> {
    loop {
        let why = match Spool::open(path, owner.clone()) {
            Ok((spool, mishap)) => {
                let (head, durable, findings) = (spool.head(), spool.durable(), spool.findings().to_vec());
                tell.send_replace(SpoolState { head, durable, mishap, findings, ..SpoolState::default() });
                return Some(spool);
            }
            Err(error) => error.to_string(),
        };
        tracing::warn!(why, "spool.open");
        tell.send_if_modified(|state| state.trouble.replace(why.clone()).as_ref() != Some(&why));
        let again = Instant::now() + REOPEN;
        while Instant::now() < again {
            match inbox.try_recv() {
                Ok(order) => order.refuse(&why),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Order {
    /// A caller that has gone needs no answer.
    fn refuse(self, why: &str) {
        let error = || SpoolError::NotOpen(why.to_owned());
        match self {
            Self::Append(_, reply) => drop(reply.send(Err(Arc::new(error())))),
            Self::Batch(_, reply) => drop(reply.send(Err(error()))),
            Self::Forget(_, reply) | Self::PartFrom(_, reply) | Self::Note(_, reply) => {
                drop(reply.send(Err(error())));
            }
            Self::Realign(_, reply) => drop(reply.send(Err(error()))),
            Self::CloseRun(_, reply) => drop(reply.send(Err(error()))),
            Self::Refusals(_, reply) => drop(reply.send(Err(error()))),
        }
    }
}

fn keep(mut spool: Spool, mut inbox: mpsc::Receiver<Order>, tell: &watch::Sender<SpoolState>) {
    let (mut set_back, mut tidied) = (None, None);
    while let Some(order) = set_back.take().or_else(|| inbox.blocking_recv()) {
        if tidied.is_none_or(|tidied: Instant| tidied.elapsed() > TIDY) {
            tidied = Some(Instant::now());
            if let Err(error) = spool.tidy(now_ms()) {
                tracing::warn!(%error, "spool.tidy");
            }
        }
        match order {
            Order::Append(records, reply) => set_back = commit(&mut spool, &mut inbox, tell, records, reply),
            // A reply nobody waits for any more is no matter.
            Order::Batch(most, reply) => drop(reply.send(batch(&mut spool, most))),
            Order::CloseRun(run, reply) => drop(reply.send(spool.close_run(run, now_ms()))),
            Order::Note(finding, reply) => drop(reply.send(spool.note(&finding))),
            Order::PartFrom(why, reply) => {
                let done = spool.part_from(now_ms());
                if done.is_ok() {
                    tell.send_modify(|state| state.mishap = Some(why));
                }
                let _ = reply.send(done);
            }
            Order::Forget(durable, reply) => drop(reply.send(spool.forget(&durable))),
            Order::Realign(through, reply) => {
                let done = spool.realign(through);
                if let Ok(Realigned::NewEpoch { why }) = &done {
                    tell.send_modify(|state| state.mishap = Some(why.clone()));
                }
                let _ = reply.send(done);
            }
            Order::Refusals(limit, reply) => drop(reply.send(spool.refusals(limit))),
        }
        let (head, durable) = (spool.head(), spool.durable());
        tell.send_if_modified(|state| {
            let moved = (state.head, state.durable) != (head, durable);
            (state.head, state.durable) = (head, durable);
            let found = state.findings != spool.findings();
            if found {
                state.findings = spool.findings().to_vec();
            }
            moved || found
        });
    }
}

/// What is not as it was written does not keep the rest from going up.
fn batch(spool: &mut Spool, most: usize) -> Result<Option<Batch>, SpoolError> {
    match spool.batch(most) {
        Err(SpoolError::Altered) => {
            spool.set_altered_aside(now_ms())?;
            spool.batch(most)
        }
        done => done,
    }
}

/// Commits these records and those of everybody who waits behind them; gives back the first order
/// that was something else.
fn commit(
    spool: &mut Spool,
    inbox: &mut mpsc::Receiver<Order>,
    tell: &watch::Sender<SpoolState>,
    records: Vec<Record>,
    reply: Taken,
) -> Option<Order> {
    let (mut count, mut waiting, mut set_back) = (records.len(), vec![(records, reply)], None);
    while count < COMMIT_RECORDS {
        match inbox.try_recv() {
            Ok(Order::Append(more, reply)) => {
                count += more.len();
                waiting.push((more, reply));
            }
            Ok(other) => {
                set_back = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    let together = waiting.iter().flat_map(|(records, _)| records).cloned().collect();
    match append(spool, tell, together) {
        // One record that cannot be kept is its sender's affair, not that of those beside it.
        Err(error) if error.is_of_a_record() && waiting.len() > 1 => {
            for (records, reply) in waiting {
                let _ = reply.send(append(spool, tell, records));
            }
        }
        done => {
            for (_, reply) in waiting {
                let _ = reply.send(done.clone());
            }
        }
    }
    set_back
}

fn append(
    spool: &mut Spool,
    tell: &watch::Sender<SpoolState>,
    records: Vec<Record>,
) -> Result<Arc<Appended>, Arc<SpoolError>> {
    let done = spool.append(records, now_ms()).map(Arc::new).map_err(Arc::new);
    if done.as_ref().is_err_and(|error| error.is_of_a_record()) {
        // It says nothing of the log.
        return done;
    }
    let trouble = done.as_ref().err().map(ToString::to_string);
    tell.send_if_modified(|state| {
        let changed = state.trouble != trouble;
        state.trouble = trouble;
        if done.as_ref().is_ok_and(|done| done.urgent) {
            state.urgent = spool.head();
        }
        changed
    });
    done
}
