//! The device's log on its way upstream: batch after batch, without a gap, until the server has all.
//!
//! Forgetting is the spool's: it happens only on the server's word that a record is on its disk.

use crate::audit::spool::{Keeper, Realigned, SpoolState};
use crate::backoff::Backoff;
use crate::upstream::{CallError, Contact, Refused, Upstream};
use contract::paths;
use contract::record::{Batch, Durable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// What is not urgent waits this long for company.
const GATHER: Duration = Duration::from_millis(800);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);
const MOST: usize = 500;
/// After so many batches in a row, what they took of memory is more than what the next ones take.
const BACKLOG: u32 = 20;
/// The server's word that a batch does not follow from what it has.
const CHAIN_BROKEN: &str = "record-chain-broken";

#[derive(Clone)]
pub struct Uploader {
    pub keeper: Keeper,
    pub upstream: Arc<Upstream>,
    /// Why records do not go up although the server answers; a sentence for the report.
    pub stuck: watch::Sender<Option<String>>,
}

/// What is remembered from one try to the next.
#[derive(Debug)]
struct Pace {
    /// The most records of the next batch.
    most: usize,
    /// The batch that the server said does not follow, which we then sent again as it wanted.
    contradicted: Option<(Uuid, u64)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { most: MOST, contradicted: None }
    }
}

/// What one try came to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The server has more of the log.
    Moved,
    /// The server has all of it.
    Idle,
    /// It did not work; try again later.
    Failed,
}

impl Uploader {
    /// Never ends; the resident drops it.
    pub async fn run(self) {
        let mut state = self.keeper.state();
        let mut contact = self.upstream.contact();
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let mut pace = Pace::default();
        let mut batches = 0_u32;
        loop {
            if state.borrow().depth() == 0 && std::mem::take(&mut batches) >= BACKLOG {
                platform::memory::give_back();
            }
            if until_due(&mut state).await.is_none() {
                return;
            }
            match self.step(&mut pace).await {
                Step::Moved => {
                    batches = batches.saturating_add(1);
                    backoff.reset();
                }
                Step::Idle => backoff.reset(),
                Step::Failed => until_worth_a_try(&mut contact, backoff.wait()).await,
            }
        }
    }

    /// Sends until the server has all, or the time is over. True if it has.
    pub async fn flush(&self, within: Duration) -> bool {
        let mut backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(1));
        let mut pace = Pace::default();
        let all = async {
            loop {
                match self.step(&mut pace).await {
                    Step::Moved => {}
                    Step::Idle => return,
                    Step::Failed => tokio::time::sleep(backoff.wait()).await,
                }
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    async fn step(&self, pace: &mut Pace) -> Step {
        let batch = match self.keeper.batch(pace.most).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Step::Idle,
            Err(error) => {
                tracing::warn!(%error, "spool.read");
                return Step::Failed;
            }
        };
        match self.upstream.post::<Durable>(paths::RECORDS, &batch).await {
            Ok(durable) => {
                *pace = Pace::default();
                self.confirmed(&batch, durable).await
            }
            Err(CallError::Refused(refused)) => self.refused(&batch, &refused, pace).await,
            Err(error) => {
                tracing::debug!(%error, "records.upload");
                Step::Failed
            }
        }
    }

    async fn confirmed(&self, batch: &Batch, durable: Durable) -> Step {
        self.stuck.send_if_modified(|stuck| stuck.take().is_some());
        // A server that confirms nothing of what it was just given would have us send it for ever.
        if durable.epoch != batch.epoch || durable.through < batch.first {
            return self.realign(durable.through).await;
        }
        tracing::debug!(through = durable.through, "records.durable");
        match self.keeper.forget(durable).await {
            Ok(()) => Step::Moved,
            Err(error) => {
                tracing::warn!(%error, "spool.forget");
                Step::Failed
            }
        }
    }

    async fn refused(&self, batch: &Batch, refused: &Refused, pace: &mut Pace) -> Step {
        let (code, detail) = (&refused.problem.code, &refused.problem.detail);
        tracing::warn!(code, detail, first = batch.first, records = batch.records.len(), "records.refused");
        if code == CHAIN_BROKEN {
            let durable = refused.body.get("durable").cloned().map(serde_json::from_value::<Durable>);
            if let Some(Ok(durable)) = durable
                && durable.epoch == batch.epoch
            {
                if pace.contradicted.replace((batch.epoch, batch.first)) == Some((batch.epoch, batch.first)) {
                    *pace = Pace::default();
                    return self.part(durable.through).await;
                }
                return self.realign(durable.through).await;
            }
        }
        // Too large, or one record of it is not understood: halving leads to the one it is about.
        if batch.records.len() > 1 {
            pace.most = batch.records.len() / 2;
        }
        let why = format!("the policy server refuses records of this device ({code}): {detail}");
        self.stuck.send_if_modified(|stuck| stuck.replace(why.clone()) != Some(why));
        Step::Failed
    }

    /// It was sent from where the server stands, and does not follow all the same.
    async fn part(&self, through: u64) -> Step {
        let why = format!(
            "the first {through} records of this device's log are not the same here and at the policy server, \
             though each is whole in itself: one of the two was rewritten; what was not sent goes on in a new log"
        );
        tracing::error!(why, "records.contradicted");
        match self.keeper.part_from(why).await {
            Ok(()) => Step::Moved,
            Err(error) => {
                tracing::warn!(%error, "spool.part");
                Step::Failed
            }
        }
    }

    async fn realign(&self, through: u64) -> Step {
        match self.keeper.realign(through).await {
            Ok(Realigned::From { through }) => {
                tracing::warn!(through, "records.realigned");
                // Not at once: two sides that contradict each other must not spin.
                Step::Failed
            }
            Ok(Realigned::NewEpoch { why }) => {
                tracing::warn!(why, "records.new_epoch");
                Step::Moved
            }
            Err(error) => {
                tracing::warn!(%error, "spool.realign");
                Step::Failed
            }
        }
    }
}

/// Why it is time to send.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// A refused call waits.
    Urgent,
    /// There is a whole batch of it.
    Much,
    Gathered,
}

/// Waits until something is to be sent: a refusal and a whole batch go at once, the rest gathers. `None` at
/// the end.
async fn until_due(state: &mut watch::Receiver<SpoolState>) -> Option<Due> {
    state.wait_for(|state| state.depth() > 0).await.ok()?;
    let due = |state: &SpoolState| {
        if state.urgent > state.durable {
            return Some(Due::Urgent);
        }
        (state.depth() >= MOST as u64).then_some(Due::Much)
    };
    let at_once = state.wait_for(|state| due(state).is_some());
    match tokio::time::timeout(GATHER, at_once).await {
        Ok(state) => due(&*state.ok()?),
        Err(_) => Some(Due::Gathered),
    }
}

/// The wait is over early when the server is back.
async fn until_worth_a_try(contact: &mut watch::Receiver<Contact>, wait: Duration) {
    let recovered = contact.borrow_and_update().recovered;
    let back = contact.wait_for(|contact| contact.recovered > recovered);
    let _ = tokio::time::timeout(wait, back).await;
}

#[cfg(test)]
mod tests;
