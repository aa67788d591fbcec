//! The resident: one long-lived process of a machine that keeps its log, its policy and its word
//! to the policy server. Guards do without it for as long as it is away.
//!
//! Here the parts are put together and taken apart; what each does stands in its own module.

mod desk;
pub mod door;
mod hooks;
pub mod log_marker;
mod overview;
mod renewal;
mod reporter;
pub mod status;
pub mod sweep;

pub use overview::Overview;
pub use status::{AccessEnded, Status, from_disk};

use crate::audit::spool::{Keeper, Owner};
use crate::audit::upload::Uploader;
use crate::clients::Home;
use crate::detect::{self, DetectContext, DetectSettings, DetectState};
use crate::enrolment::{Enrolment, EnrolmentError, Identity, read_identity};
use crate::ipc::server;
use crate::pins::Pins;
use crate::sync::{Intake, PolicyState, Sync, recall};
use contract::bundle::Anchor;
use desk::Counter;
use door::DoorKeeper;
use hooks::HookKeeper;
use platform::Layout;
use platform::files::FileError;
use platform::ipc::{IpcError, Listener};
use platform::shutdown::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};

/// What is not upstream at the end gets this long; it is safe on disk all the same.
const LAST_UPLOAD: Duration = Duration::from_secs(2);
/// Guards are told that the policy they judge by is gone, and get this long to hear it.
const FAREWELL: Duration = Duration::from_millis(200);
/// A command that asked us to step aside takes our place within this.
const STEP_ASIDE: Duration = Duration::from_secs(3);
const PLACE_CHECK: Duration = Duration::from_millis(250);
/// How often the enrolment is looked at without a hint.
const ENROLMENT_CHECK: Duration = Duration::from_secs(5);

/// Why the resident ended or never began.
#[derive(Debug, thiserror::Error)]
pub enum ResidentError {
    #[error("this machine is not enrolled; run `portreeve enroll`")]
    NotEnrolled,
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error(transparent)]
    Folders(#[from] FileError),
    #[error(transparent)]
    Socket(#[from] IpcError),
    #[error("the system gives no more: {0}")]
    System(#[from] std::io::Error),
    #[error("a part of the resident broke: {0}")]
    Broken(#[from] JoinError),
    #[error("a part of the resident ended by itself")]
    PartEnded,
}

/// Why one life of the resident's parts ended.
enum Ended {
    Asked,
    /// Another identity, or none: everything is put together anew.
    EnrolmentChanged,
    /// A command takes this machine out; what it needs of ours is free for it.
    SteppedAside,
}

/// How a resident ended that nothing is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Asked,
    /// This machine was taken out of its organisation.
    Unenrolled,
}

/// Runs until it is asked to end, or this machine is taken out.
///
/// # Errors
/// See [`ResidentError`].
pub async fn run(layout: Layout) -> Result<Rest, ResidentError> {
    let mut shutdown = Shutdown::listen()?;
    layout.create()?;
    let mut was_enrolled = false;
    loop {
        let Some(enrolment) = Enrolment::load(&layout)? else {
            tracing::info!("enrolment.none");
            return if was_enrolled { Ok(Rest::Unenrolled) } else { Err(ResidentError::NotEnrolled) };
        };
        was_enrolled = true;
        match live(&layout, enrolment, &mut shutdown).await? {
            Ended::Asked => return Ok(Rest::Asked),
            Ended::EnrolmentChanged => tracing::info!("enrolment.changed"),
            Ended::SteppedAside => {
                tokio::select! {
                    () = shutdown.requested() => return Ok(Rest::Asked),
                    place = until_place_is_free(&layout) => place?,
                }
            }
        }
    }
}

/// Waits until the command that wanted our place has had it, or has not come for it.
async fn until_place_is_free(layout: &Layout) -> Result<(), IpcError> {
    let latest = tokio::time::Instant::now() + STEP_ASIDE;
    let mut was_taken = false;
    loop {
        tokio::time::sleep(PLACE_CHECK).await;
        match Listener::bind(layout) {
            Ok(_) if was_taken || tokio::time::Instant::now() > latest => return Ok(()),
            Ok(_) => {}
            Err(IpcError::AnotherResident { .. }) => was_taken = true,
            Err(error) => return Err(error),
        }
    }
}

async fn live(
    layout: &Layout,
    enrolment: Enrolment,
    shutdown: &mut Shutdown,
) -> Result<Ended, ResidentError> {
    let listener = Listener::bind(layout)?;
    let identity = enrolment.identity.clone();
    let upstream = Arc::new(enrolment.upstream()?);
    let owner = Owner { member: identity.member.clone(), device: identity.device_id.clone() };
    let lost = log_marker::lost(layout, &identity.device_id);
    let (keeper, log) = Keeper::start(layout.spool(), owner)?;
    let anchor = Anchor { organisation: identity.organisation.clone(), root: enrolment.trust_root.clone() };
    let policy = watch::Sender::new(remembered(layout, &anchor).await);
    let look_again = Arc::new(Notify::new());
    let detection = Detection::start(layout, policy.subscribe(), &look_again);
    let stuck = watch::Sender::new(None);
    let certificate = watch::Sender::new(enrolment.certificate);
    let overview = Arc::new(Overview {
        identity: identity.clone(),
        started_at: OffsetDateTime::now_utc(),
        certificate: certificate.subscribe(),
        policy: policy.subscribe(),
        spool: keeper.state(),
        stuck: stuck.subscribe(),
        contact: upstream.contact(),
        detected: detection.state.clone(),
        since: std::sync::Mutex::default(),
    });
    let farewell = policy.clone();
    let intake = Arc::new(Intake::new(layout.clone(), anchor, policy));
    let guard_left = Arc::new(Notify::new());
    let leaving = Arc::new(Notify::new());
    let (hook_keeper, hooks) = HookKeeper::start(layout, farewell.subscribe());
    let counter = Counter {
        leaving: Arc::clone(&leaving),
        pins: Pins::of(layout),
        hooks,
        overview: Arc::clone(&overview),
        keeper: keeper.clone(),
        intake: Arc::clone(&intake),
        look_again: Arc::clone(&look_again),
        guard_left: Arc::clone(&guard_left),
    };
    let uploader = Uploader { keeper: keeper.clone(), upstream: Arc::clone(&upstream), stuck };
    tracing::info!(
        device = %identity.device_id,
        organisation = %identity.organisation,
        policy.version = overview.policy.borrow().version(),
        "resident.started"
    );

    let mut parts = JoinSet::new();
    parts.spawn(server::serve(listener, Arc::new(counter)));
    parts.spawn(Sync { intake, upstream: Arc::clone(&upstream) }.run());
    parts.spawn(uploader.clone().run());
    parts.spawn(reporter::run(Arc::clone(&overview), Arc::clone(&upstream)));
    parts.spawn(renewal::run(layout.clone(), enrolment, Arc::clone(&upstream), certificate));
    parts.spawn(log_marker::run(layout.clone(), identity.device_id.clone(), keeper.clone(), lost));
    parts.spawn(sweep::run(layout.clone(), keeper.clone(), guard_left));
    drop((keeper, overview));
    let door = DoorKeeper::start(layout, farewell.subscribe());
    let ended = tokio::select! {
        () = shutdown.requested() => Ok(Ended::Asked),
        () = enrolment_changed(layout, &identity, &look_again) => Ok(Ended::EnrolmentChanged),
        () = leaving.notified() => Ok(Ended::SteppedAside),
        Some(ended) = parts.join_next() => Err(ended.map_or_else(ResidentError::from, |()| ResidentError::PartEnded)),
    };
    if matches!(ended, Ok(Ended::EnrolmentChanged)) {
        farewell.send_replace(PolicyState::default());
        tokio::time::sleep(FAREWELL).await;
    }
    drop(farewell);
    // While somebody takes its records.
    door.stop().await;
    hook_keeper.stop().await;
    // Before our place is free: whoever takes it must not find a configuration healed behind their back.
    detection.stop().await;
    parts.shutdown().await;
    tracing::info!("resident.stopping");
    if uploader.upstream.contact().borrow().trouble.is_none() {
        uploader.flush(LAST_UPLOAD).await;
    }
    drop(uploader);
    // The thread ends with its last handle; it takes a write-ahead log's length at most.
    if tokio::task::spawn_blocking(move || log.join()).await?.is_err() {
        tracing::error!("spool.thread.broke");
    }
    ended
}

/// What was in force when the resident last ran, so that an offline start is a start.
async fn remembered(layout: &Layout, anchor: &Anchor) -> PolicyState {
    match recall(layout, anchor).await {
        Ok(adopted) => PolicyState { adopted, refused: None },
        Err(refusal) => {
            tracing::warn!(%refusal, "policy.recall");
            PolicyState { adopted: None, refused: Some(refusal.to_report()) }
        }
    }
}

/// Watches and heals the configurations until it is stopped.
struct Detection {
    state: watch::Receiver<DetectState>,
    settings: Option<JoinHandle<()>>,
    rounds: Option<JoinHandle<()>>,
}

impl Detection {
    fn start(layout: &Layout, policy: watch::Receiver<PolicyState>, look_again: &Arc<Notify>) -> Self {
        let Some(home) = Home::current() else {
            tracing::warn!("no home folder is known for this user: configurations are not watched");
            return Self { state: watch::channel(DetectState::default()).1, settings: None, rounds: None };
        };
        let settings = watch::Sender::new(DetectSettings { heal: heals(&policy.borrow()) });
        let context = DetectContext {
            layout: layout.clone(),
            home,
            settings: settings.subscribe(),
            look_again: Arc::clone(look_again),
        };
        let (state, rounds) = detect::spawn(context);
        Self { state, settings: Some(tokio::spawn(forward_settings(policy, settings))), rounds }
    }

    /// Returns once a round that has begun is over and no other will begin.
    async fn stop(self) {
        if let Some(settings) = self.settings {
            settings.abort();
            // With it goes the settings' sender, which is the word to end.
            let _ = settings.await;
        }
        if let Some(rounds) = self.rounds
            && let Err(error) = rounds.await
        {
            tracing::error!(%error, "detect.broke");
        }
    }
}

/// Ends with the policy's sender.
async fn forward_settings(mut policy: watch::Receiver<PolicyState>, settings: watch::Sender<DetectSettings>) {
    while policy.changed().await.is_ok() {
        let heal = heals(&policy.borrow_and_update());
        settings.send_if_modified(|settings| std::mem::replace(&mut settings.heal, heal) != heal);
    }
}

fn heals(policy: &PolicyState) -> bool {
    policy.adopted.as_ref().is_some_and(|adopted| adopted.settings.heal)
}

/// Returns when the identity on disk is another one, or gone.
async fn enrolment_changed(layout: &Layout, identity: &Identity, hint: &Notify) {
    loop {
        // The hint goes to detection as well; whoever misses it looks by the clock.
        let _ = tokio::time::timeout(ENROLMENT_CHECK, hint.notified()).await;
        match read_identity(layout) {
            Ok(Some(present)) if present == *identity => {}
            // It cannot be read just now; that is not the same as gone.
            Err(error) => tracing::warn!(%error, "enrolment.read"),
            Ok(_) => return,
        }
    }
}
