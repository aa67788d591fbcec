//! One server behind the door: its sessions, and whatever holds each of their conversations.

use crate::active_policy::PolicySignal;
use crate::audit::segment::Segment;
use crate::door::answer::Refused;
use crate::door::conversation::Conversation;
use crate::door::conversation::streams::Manner;
use crate::door::credential::Caller;
use crate::guard::{Guarded, OnBehalf, Record};
use crate::pipeline::Ending;
use crate::transport::target::Target;
use gate::{Facts, Now, Session as Judging};
use platform::Layout;
use policy::Ruleset;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

/// What every conversation of a door is held with.
pub struct Keeping {
    pub layout: Layout,
    pub signal: Rc<PolicySignal>,
    pub rules: watch::Receiver<Rc<Ruleset>>,
    pub member: String,
    pub device: String,
    /// The one record of a trial; on an enrolled machine each conversation has its own.
    pub trial: Option<Rc<Segment>>,
    pub bounds: Bounds,
}

/// How much a door holds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub conversations: usize,
    /// A session that nobody uses for so long ends.
    pub idle: Duration,
}

pub struct Served {
    entry: String,
    target: Target,
    keeping: Rc<Keeping>,
    sessions: RefCell<HashMap<String, Session>>,
    shared: RefCell<HashMap<Sharing, Rc<Conversation>>>,
}

/// However its task ends, a conversation is over then: nobody waits for it in vain.
struct Over {
    served: Rc<Served>,
    conversation: Rc<Conversation>,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.conversation.close();
        self.served.forget(&self.conversation);
    }
}

struct Session {
    of: Caller,
    conversation: Rc<Conversation>,
}

/// Whose requests share one conversation in 2026-07-28: one credential's, of one program.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sharing {
    pub of: Caller,
    pub client: Option<(String, String)>,
}

impl Served {
    pub fn new(entry: String, target: Target, keeping: Rc<Keeping>) -> Rc<Self> {
        Rc::new(Self { entry, target, keeping, sessions: RefCell::default(), shared: RefCell::default() })
    }

    /// A new session of that caller's, and its id: 244 bits of randomness.
    ///
    /// # Errors
    /// The door is full.
    pub fn begin(
        self: &Rc<Self>,
        of: &Caller,
        manner: Manner,
    ) -> Result<(String, Rc<Conversation>), Refused> {
        self.make_room()?;
        let id = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let conversation = self.start(manner, of);
        let session = Session { of: of.clone(), conversation: Rc::clone(&conversation) };
        self.sessions.borrow_mut().insert(id.clone(), session);
        Ok((id, conversation))
    }

    /// That caller's session; to everybody else it does not exist.
    ///
    /// # Errors
    /// There is none (any more).
    pub fn session(&self, id: &str, of: &Caller) -> Result<Rc<Conversation>, Refused> {
        match self.sessions.borrow().get(id).filter(|session| !session.conversation.is_over()) {
            Some(session) if session.of == *of => Ok(Rc::clone(&session.conversation)),
            Some(Session { of: owner, .. }) => {
                Err(Refused::OthersSession { owner: owner.clone(), by: of.clone() })
            }
            None => Err(Refused::Session),
        }
    }

    /// Ends a session; the id is nobody's any more.
    ///
    /// # Errors
    /// There is none.
    pub fn finish(&self, id: &str, of: &Caller) -> Result<(), Refused> {
        let conversation = self.session(id, of)?;
        self.sessions.borrow_mut().remove(id);
        conversation.end();
        Ok(())
    }

    /// The conversation that these requests share.
    ///
    /// # Errors
    /// The door is full.
    pub fn share(self: &Rc<Self>, sharing: Sharing) -> Result<Rc<Conversation>, Refused> {
        if let Some(conversation) = self.shared.borrow().get(&sharing).filter(|shared| !shared.is_over()) {
            return Ok(Rc::clone(conversation));
        }
        self.make_room()?;
        let conversation = self.start(Manner::Shared, &sharing.of);
        self.shared.borrow_mut().insert(sharing, Rc::clone(&conversation));
        Ok(conversation)
    }

    fn start(self: &Rc<Self>, manner: Manner, of: &Caller) -> Rc<Conversation> {
        let (conversation, mut ear) = Conversation::new(manner);
        let (served, held) = (Rc::clone(self), Rc::clone(&conversation));
        let door = Some(of.0.to_string()).filter(|name| !name.is_empty());
        tokio::task::spawn_local(async move {
            let _over = Over { served: Rc::clone(&served), conversation: Rc::clone(&held) };
            let run = Uuid::now_v7();
            let keeping = &served.keeping;
            let own = || Rc::new(Segment::of(&keeping.layout, run));
            let segment = keeping.trial.clone().unwrap_or_else(own);
            let mut rules = keeping.rules.clone();
            let first = Rc::clone(&rules.borrow_and_update());
            let guarded = Guarded {
                member: keeping.member.clone(),
                device: keeping.device.clone(),
                entry: served.entry.clone(),
                trial: keeping.trial.is_some(),
                on_behalf: OnBehalf { door, ..OnBehalf::default() },
            };
            let record = Record {
                layout: &keeping.layout,
                signal: &keeping.signal,
                segment: Rc::clone(&segment),
                run,
            };
            let ends = (&mut ear, Rc::clone(&held));
            let ended = async {
                tokio::select! {
                    biased;
                    () = served.until_barred(&first) => Ending::Barred,
                    () = held.asked_to_end() => Ending::AskedToEnd,
                }
            };
            let first = Rc::clone(&first);
            let holding = guarded.hold(record, served.target.clone(), first, &mut rules, ends, ended);
            let ending = Box::pin(holding).await;
            tracing::debug!(?ending, entry = served.entry, "a conversation ended");
            if keeping.trial.is_none() {
                segment.close();
            }
        });
        conversation
    }

    /// Waits until policy lets the member use this server no more, who might by these rules: whoever asks for
    /// a new conversation hears why. One that began without the server goes on without it.
    async fn until_barred(&self, first: &Ruleset) {
        let Keeping { member, device, rules, .. } = &*self.keeping;
        let facts = Facts { member: member.clone(), device: device.clone(), server: self.target.identity() };
        let asks = Judging::new(facts);
        let now = || Now { wall: OffsetDateTime::now_utc(), monotonic: Duration::ZERO };
        let mut rules = rules.clone();
        let barred = |rules: &Ruleset| asks.bars(rules, now()).is_some();
        if barred(first) || rules.wait_for(|rules| barred(rules)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn forget(&self, ended: &Rc<Conversation>) {
        self.sessions.borrow_mut().retain(|_, session| !Rc::ptr_eq(&session.conversation, ended));
        self.shared.borrow_mut().retain(|_, conversation| !Rc::ptr_eq(conversation, ended));
    }

    /// A place for one more: the one idle for longest gives up its own.
    fn make_room(&self) -> Result<(), Refused> {
        let all = self.conversations();
        if all.len() < self.keeping.bounds.conversations {
            return Ok(());
        }
        let idle = all.into_iter().filter_map(|conversation| Some((conversation.idle()?, conversation)));
        let (_, longest) = idle.max_by_key(|(idle, _)| *idle).ok_or(Refused::Full)?;
        self.let_go(&longest);
        Ok(())
    }

    fn let_go(&self, conversation: &Rc<Conversation>) {
        self.forget(conversation);
        conversation.end();
    }

    /// Ends what nobody uses.
    pub fn sweep(&self) {
        for conversation in self.conversations() {
            if conversation.idle().is_some_and(|idle| idle >= self.keeping.bounds.idle) {
                self.let_go(&conversation);
            }
        }
    }

    /// Ends what belongs to callers that are let in no more.
    pub fn end_those_of_strangers(&self, is_known: impl Fn(&Caller) -> bool) {
        let sessions = self.sessions.borrow();
        let of_sessions = sessions.values().filter(|session| !is_known(&session.of));
        let mut theirs: Vec<_> = of_sessions.map(|session| Rc::clone(&session.conversation)).collect();
        drop(sessions);
        let shared = self.shared.borrow();
        theirs.extend(
            shared.iter().filter(|(sharing, _)| !is_known(&sharing.of)).map(|(_, shared)| Rc::clone(shared)),
        );
        drop(shared);
        for conversation in theirs {
            self.let_go(&conversation);
        }
    }

    pub fn conversations(&self) -> Vec<Rc<Conversation>> {
        let sessions = self.sessions.borrow();
        let shared = self.shared.borrow();
        sessions.values().map(|session| &session.conversation).chain(shared.values()).cloned().collect()
    }

    /// Ends everything, and waits until no server of ours is left.
    pub async fn end(&self) {
        let all = self.conversations();
        for conversation in &all {
            conversation.end();
        }
        for conversation in all {
            conversation.over().await;
        }
    }
}
