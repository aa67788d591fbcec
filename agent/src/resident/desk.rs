//! What the resident answers on its socket.

use super::Overview;
use super::hooks::Hooks;
use crate::audit::spool::Keeper;
use crate::backoff::Backoff;
use crate::hooks::Event;
use crate::ipc::server::Desk;
use crate::ipc::{FromResident, ToResident};
use crate::pins::{Changed, PinError, Pins};
use crate::sync::{Intake, PolicyState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::record::Record;
use platform::account;
use platform::ipc::Peer;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// The most refusals that are kept, and looked through for one user's.
const REFUSALS: u32 = 1000;

pub(super) struct Counter {
    pub overview: Arc<Overview>,
    pub keeper: Keeper,
    pub intake: Arc<Intake>,
    pub look_again: Arc<Notify>,
    pub guard_left: Arc<Notify>,
    pub leaving: Arc<Notify>,
    pub pins: Pins,
    pub hooks: Hooks,
}

impl Desk for Counter {
    async fn answer(&self, peer: &Peer, said: ToResident) -> Option<FromResident> {
        match said {
            ToResident::Hello { run, pid, entry, identity } => {
                tracing::info!(%run, pid, entry, server = %identity, user = %peer.user, "guard.connected");
                Some(FromResident::Welcome { policy_version: self.overview.policy.borrow().version() })
            }
            ToResident::Records { records } => self.take(peer, records).await,
            ToResident::Status => {
                let last = self.refusals(peer, 1).await.into_iter().next();
                let status = serde_json::to_value(self.overview.status(last));
                Some(match status {
                    Ok(status) => FromResident::Status { status },
                    Err(error) => FromResident::Failed { message: error.to_string() },
                })
            }
            ToResident::Refusals { limit } => {
                Some(FromResident::Refusals { records: self.refusals(peer, limit).await })
            }
            ToResident::LookAgain => {
                // Two listen: detection, and the watch on the enrolment.
                self.look_again.notify_waiters();
                self.look_again.notify_one();
                Some(FromResident::Done)
            }
            ToResident::Adopt { bundle } if is_owner(peer) => Some(self.adopt(&bundle).await),
            ToResident::Adopt { .. } => {
                let message = "only the administrator hands policy to this machine".to_owned();
                Some(FromResident::Failed { message })
            }
            ToResident::ApprovePins { identity, name } => {
                let approved = self.pins.of_user(&peer.user).approve(&identity, name.as_deref());
                Some(self.pins_changed(peer, &identity, approved).await)
            }
            ToResident::ForgetPins { identity, name } => {
                let forgotten = self.pins.of_user(&peer.user).forget(&identity, name.as_deref());
                Some(self.pins_changed(peer, &identity, forgotten).await)
            }
            ToResident::Hook { event } => Some(self.hook(peer, &event).await),
            ToResident::Leaving if is_owner(peer) => {
                self.leaving.notify_one();
                Some(FromResident::Done)
            }
            ToResident::Leaving => {
                let message = "only the administrator takes this machine out".to_owned();
                Some(FromResident::Failed { message })
            }
        }
    }

    fn left(&self, _peer: &Peer) {
        self.guard_left.notify_one();
    }

    fn policy(&self) -> watch::Receiver<PolicyState> {
        self.overview.policy.clone()
    }
}

/// The administrator, or the user that this resident runs as.
fn is_owner(peer: &Peer) -> bool {
    peer.uid == Some(0) || peer.user == account::own_name()
}

impl Counter {
    /// Whoever trusts what was held back is on record, as the user at the other end of the socket.
    async fn pins_changed(
        &self,
        peer: &Peer,
        identity: &str,
        changed: Result<Changed, PinError>,
    ) -> FromResident {
        let changed = match changed {
            Ok(changed) => changed,
            Err(error) => return FromResident::Failed { message: error.to_string() },
        };
        let (count, policy_version) = (changed.count, self.overview.policy.borrow().version());
        let records = changed.records(identity, &peer.user, policy_version);
        if !records.is_empty()
            && let Err(error) = self.keeper.append(records).await
        {
            tracing::error!(%error, server = identity, "pins.not_recorded");
        }
        FromResident::PinsChanged { count }
    }

    async fn hook(&self, peer: &Peer, event: &RawValue) -> FromResident {
        let event = match Event::read(event.get().as_bytes()) {
            Ok(event) => event,
            Err(error) => return FromResident::Failed { message: error.to_string() },
        };
        match self.hooks.judge(event, &peer.user).await {
            Some(verdict) => FromResident::Verdict(verdict),
            None => FromResident::Failed { message: "it is ending".to_owned() },
        }
    }

    async fn adopt(&self, bundle: &str) -> FromResident {
        let bytes = match BASE64.decode(bundle) {
            Ok(bytes) => bytes,
            Err(error) => return FromResident::Failed { message: error.to_string() },
        };
        match self.intake.take(&bytes).await {
            Ok(version) => FromResident::Adopted { version },
            Err(refused) => FromResident::PolicyRefused { refused },
        }
    }

    /// Answers when the records are on disk, however long that takes: meanwhile they are safe in the
    /// guard's segment, and the guard does not wait.
    async fn take(&self, peer: &Peer, mut records: Vec<Record>) -> Option<FromResident> {
        if let Some(why) = records.iter().find_map(|record| record.check_bounds().err()) {
            tracing::warn!(%why, user = %peer.user, "records.refused");
            return Some(FromResident::Failed { message: why.to_string() });
        }
        if !peer.user.is_empty() {
            for record in &mut records {
                record.os_user.clone_from(&peer.user);
            }
        }
        let runs: BTreeSet<Uuid> = records.iter().map(|record| record.run).collect();
        let run = *runs.first()?;
        if runs.len() > 1 {
            return Some(FromResident::Failed { message: "records of more than one run".to_owned() });
        }
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        loop {
            match self.keeper.append(records.clone()).await {
                Ok(done) => {
                    self.pins.follow(&records);
                    let through = done.taken.get(&run).copied()?;
                    return Some(FromResident::Taken { run, through });
                }
                Err(error) if error.is_of_a_record() => {
                    tracing::warn!(%error, user = %peer.user, "records.refused");
                    return Some(FromResident::Failed { message: error.to_string() });
                }
                Err(error) => {
                    tracing::warn!(%error, "records.not_taken");
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
    }

    /// On a machine of several users, each sees what happened to them; the administrator sees all.
    async fn refusals(&self, peer: &Peer, limit: u32) -> Vec<Record> {
        let all = match self.keeper.refusals(REFUSALS).await {
            Ok(all) => all,
            Err(error) => {
                tracing::warn!(%error, "spool.read");
                Vec::new()
            }
        };
        let sees_all = is_owner(peer);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        all.into_iter().filter(|record| sees_all || record.os_user == peer.user).take(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_of_the_machine_is_not_its_owner() {
        let peer = |uid, user: &str| Peer { uid, user: user.to_owned(), pid: None };
        assert!(is_owner(&peer(Some(0), "root")));
        assert!(is_owner(&peer(Some(4242), &account::own_name())));
        for other in [peer(Some(4242), "mallory"), peer(Some(4242), ""), peer(None, "mallory")] {
            assert!(!is_owner(&other), "{other:?}");
        }
    }
}
