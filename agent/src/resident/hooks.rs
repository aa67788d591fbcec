//! The resident's ear for Claude Code's hooks: one conversation for each session of Claude Code, judged by
//! the policy in force and recorded like every other.
//!
//! On a thread of its own, as a pipeline stays on one. A hook that finds no resident judges by itself
//! ([`crate::commands::hook`]).

use crate::active_policy::{ActivePolicy, InForce, PolicySignal};
use crate::audit::segment::Segment;
use crate::guard::{Guarded, OnBehalf, Record};
use crate::hooks::{Conversation, ENTRY, Ear, Event, IDENTITY, Tools, Verdict};
use crate::sync::PolicyState;
use crate::transport::Arrival;
use platform::Layout;
use policy::{Ruleset, ServerIdentity};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{interval, timeout};
use uuid::Uuid;

/// A session that uses no tool for so long is over, or begins anew with its next one.
const IDLE: Duration = Duration::from_secs(3600);
/// What a call waits for a policy that was adopted a moment ago.
const CATCH_UP: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(60);
/// More sessions than one user has open.
const SESSIONS: usize = 256;
const WAITING: usize = 64;

/// An event, whose user's it is, and who waits for the verdict.
struct Asked {
    event: Event,
    os_user: String,
    verdict: oneshot::Sender<Verdict>,
}

/// Where events are brought.
#[derive(Clone)]
pub struct Hooks(mpsc::Sender<Asked>);

/// The thread that holds the sessions.
pub struct HookKeeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Hooks {
    /// `None` where nobody judges (any more).
    pub async fn judge(&self, event: Event, os_user: &str) -> Option<Verdict> {
        let (tell, verdict) = oneshot::channel();
        let asked = Asked { event, os_user: os_user.to_owned(), verdict: tell };
        self.0.send(asked).await.ok()?;
        verdict.await.ok()
    }
}

impl HookKeeper {
    /// Judges until it is stopped.
    pub fn start(layout: &Layout, policy: watch::Receiver<PolicyState>) -> (Self, Hooks) {
        let (asked, asking) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let layout = layout.clone();
        let thread = std::thread::Builder::new().name("hooks".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(keep(layout, policy, asking, stopped)),
                Err(error) => tracing::error!(%error, "hooks.thread"),
            }
        });
        let thread = thread.map_err(|error| tracing::error!(%error, "hooks.thread")).ok();
        (Self { stop: Some(stop), thread }, Hooks(asked))
    }

    /// Ends every conversation, and returns when its record is handed over.
    pub async fn stop(mut self) {
        // A thread that has ended hears nothing.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("hooks.thread.broke");
        }
    }
}

/// The sessions of all users, each by its user and Claude Code's own id.
type Sessions = RefCell<HashMap<(String, String), Held>>;

struct Held {
    conversation: Rc<Conversation>,
    over: watch::Receiver<bool>,
}

/// What every conversation is held with.
struct Keeping {
    layout: Layout,
    signal: PolicySignal,
    /// What the resident has adopted.
    policy: watch::Receiver<PolicyState>,
    /// What is judged by: the same, read from disk and verified there.
    rules: watch::Receiver<Rc<Ruleset>>,
    member: String,
    device: String,
}

impl Keeping {
    /// Waits until the rules are those that the resident has adopted.
    async fn up_to_date(&self) {
        let adopted = self.policy.borrow().version();
        self.signal.heard(adopted);
        let mut rules = self.rules.clone();
        // Where they cannot be had, what is in force says why.
        let _ = timeout(CATCH_UP, rules.wait_for(|rules| rules.version() >= adopted)).await;
    }
}

async fn keep(
    layout: Layout,
    policy: watch::Receiver<PolicyState>,
    mut asking: mpsc::Receiver<Asked>,
    mut stopped: oneshot::Receiver<()>,
) {
    let identity = ServerIdentity::from_canonical(IDENTITY);
    let signal = PolicySignal::default();
    let InForce { member, device, ruleset } =
        ActivePolicy::of(&layout, &signal).for_server(identity.clone()).now().await;
    let (tell, rules) = watch::channel(Rc::new(ruleset));
    let keeping = Rc::new(Keeping { layout, signal, policy, rules, member, device });
    let followed = Rc::clone(&keeping);
    let following = tokio::task::spawn_local(async move {
        let mut policy = ActivePolicy::of(&followed.layout, &followed.signal).for_server(identity);
        tell.send_replace(Rc::new(policy.now().await.ruleset));
        loop {
            tell.send_replace(Rc::new(policy.changed().await));
        }
    });
    let sessions = Rc::new(Sessions::default());
    let mut sweep = interval(SWEEP);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = sweep.tick() => end_idle(&sessions),
            Some(asked) = asking.recv() => {
                keeping.up_to_date().await;
                take(asked, &sessions, &keeping);
            }
        }
    }
    let all: Vec<_> = sessions.borrow_mut().drain().map(|(_, held)| held).collect();
    for held in &all {
        held.conversation.end();
    }
    for mut held in all {
        let _ = held.over.wait_for(|over| *over).await;
    }
    following.abort();
}

fn take(asked: Asked, sessions: &Rc<Sessions>, keeping: &Rc<Keeping>) {
    let Asked { event, os_user, verdict } = asked;
    let key = (os_user, event.session.clone());
    let known = sessions.borrow().get(&key).map(|held| Rc::clone(&held.conversation));
    let conversation = known.unwrap_or_else(|| begin(key, sessions, keeping));
    tokio::task::spawn_local(async move {
        if let Some(judged) = conversation.judge(event.happening).await {
            // Whoever asked may have gone.
            let _ = verdict.send(judged);
        }
    });
}

fn begin(key: (String, String), sessions: &Rc<Sessions>, keeping: &Rc<Keeping>) -> Rc<Conversation> {
    end_longest_unused(sessions, &key.0);
    let (conversation, ear, answers) = Conversation::new();
    let (tell, over) = watch::channel(false);
    let held = Held { conversation: Rc::clone(&conversation), over };
    sessions.borrow_mut().insert(key.clone(), held);
    let (sessions, keeping, ours) = (Rc::clone(sessions), Rc::clone(keeping), Rc::clone(&conversation));
    tokio::task::spawn_local(async move {
        hold(&keeping, &ours, (ear, answers), key).await;
        ours.close();
        sessions.borrow_mut().retain(|_, held| !Rc::ptr_eq(&held.conversation, &ours));
        tell.send_replace(true);
    });
    conversation
}

async fn hold(
    keeping: &Keeping,
    conversation: &Rc<Conversation>,
    (mut ear, answers): (Ear, mpsc::Receiver<Arrival>),
    (os_user, session): (String, String),
) {
    let run = Uuid::now_v7();
    let segment = Rc::new(Segment::of(&keeping.layout, run));
    let mut rules = keeping.rules.clone();
    let first = Rc::clone(&rules.borrow_and_update());
    let guarded = Guarded {
        member: keeping.member.clone(),
        device: keeping.device.clone(),
        entry: ENTRY.to_owned(),
        trial: false,
        on_behalf: OnBehalf { os_user: Some(os_user), session: Some(session), door: None },
    };
    let record =
        Record { layout: &keeping.layout, signal: &keeping.signal, segment: Rc::clone(&segment), run };
    let tools = Tools { conversation: Rc::clone(conversation), answers };
    let ends = (&mut ear, Rc::clone(conversation));
    guarded.hold(record, tools, first, &mut rules, ends, conversation.asked_to_end()).await;
    segment.close();
}

fn end_idle(sessions: &Sessions) {
    sessions.borrow_mut().retain(|_, held| {
        let stays = held.conversation.used().elapsed() < IDLE;
        if !stays {
            held.conversation.end();
        }
        stays
    });
}

/// Where the user has as many as there may be.
fn end_longest_unused(sessions: &Sessions, os_user: &str) {
    let mut sessions = sessions.borrow_mut();
    let theirs = sessions.iter().filter(|((user, _), _)| user == os_user);
    if theirs.clone().count() < SESSIONS {
        return;
    }
    let longest = theirs.min_by_key(|(_, held)| held.conversation.used()).map(|(key, _)| key.clone());
    if let Some(held) = longest.and_then(|key| sessions.remove(&key)) {
        held.conversation.end();
    }
}
