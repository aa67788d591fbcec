//! One conversation under guard: its record opened, the server dialled where policy lets it be, every
//! message through the [`pipeline`](crate::pipeline), the record closed and handed over.
//!
//! The guard on stdio holds one of them; the HTTP door one for each session.

mod restarts;

use crate::active_policy::{ActivePolicy, PolicySignal};
use crate::audit::link::Link;
use crate::audit::recorder::Recorder;
use crate::audit::segment::Segment;
use crate::ipc::ToResident;
use crate::pins::{self, Pins};
use crate::pipeline::client::{FromClient, ToClient};
use crate::pipeline::{Ending, Pipeline, converse};
use crate::transport::clearance::Clearance;
use crate::transport::target::{Reach, Whence, held_back};
use gate::{Definitions, Facts, Now, Session};
use platform::Layout;
use policy::{Ruleset, ServerIdentity};
use restarts::Turns;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use uuid::Uuid;

/// What a server gets to finish when the client has closed its end.
const CLIENT_GRACE: Duration = Duration::from_secs(2);
/// What the end waits for the resident to take the last records.
const HANDOVER_GRACE: Duration = Duration::from_millis(150);

/// For whom, and under which name.
#[derive(Clone)]
pub struct Guarded {
    pub member: String,
    pub device: String,
    /// The entry's name in the client's configuration; empty where unknown.
    pub entry: String,
    /// Under a local document: nobody takes the record over.
    pub trial: bool,
    pub on_behalf: OnBehalf,
}

/// For whom, where that is not plain from this process.
#[derive(Debug, Clone, Default)]
pub struct OnBehalf {
    /// The name of the credential of a client at an HTTP door.
    pub door: Option<String>,
    pub os_user: Option<String>,
    /// Claude Code's own id.
    pub session: Option<String>,
}

/// Where the record of one conversation goes.
pub struct Record<'a> {
    pub layout: &'a Layout,
    pub signal: &'a PolicySignal,
    pub segment: Rc<Segment>,
    pub run: Uuid,
}

/// Every policy after the first.
pub trait Policies {
    /// Waits for the next one. Safe to drop and call again.
    async fn changed(&mut self) -> Rc<Ruleset>;
}

impl Policies for ActivePolicy<'_> {
    async fn changed(&mut self) -> Rc<Ruleset> {
        Rc::new(Self::changed(self).await)
    }
}

impl Policies for watch::Receiver<Rc<Ruleset>> {
    async fn changed(&mut self) -> Rc<Ruleset> {
        match Self::changed(self).await {
            Ok(()) => Rc::clone(&self.borrow_and_update()),
            // Whoever told of policies is ending, and ends us too.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Guarded {
    /// Holds a conversation to its end: the client leaves, the server goes, or `asked` comes, and says why.
    pub async fn hold(
        self,
        record: Record<'_>,
        target: impl Reach,
        rules: Rc<Ruleset>,
        policies: &mut impl Policies,
        (from_client, to_client): (&mut impl FromClient, impl ToClient),
        asked: impl Future<Output = Ending>,
    ) -> Ending {
        let identity = target.identity();
        let Record { layout, signal, segment, run } = record;
        let link = Link::new(layout, &segment, signal, run, hello(run, &self.entry, &identity));
        let recorder = Recorder::new(Rc::clone(&segment), run, identity.clone(), self.entry.clone());
        let pins = Pins::of(layout);
        let recorder = recorder.of_member(&self.member, &self.device).on_behalf(self.on_behalf);
        let recorder = recorder.pinning(self.trial.then(|| pins.clone()));
        let definitions = Definitions::new(pins.known(&identity));
        let followed = (identity.clone(), definitions.clone());
        let session = Session::new(Facts { member: self.member, device: self.device, server: identity });
        let session = session.with_definitions(definitions);
        let (told, mut turns) = Turns::heard();
        let (clearance, mut questions) = Clearance::asked();
        // Before anything of the server runs: starting it is the first thing that policy may refuse.
        let (session, (outlet, mut inlet)) = match session.bars(&rules, at_the_start()) {
            None => {
                let (standings, entry) = (layout.servers(), self.entry.as_str());
                (session, target.reach(Whence { standings, turns: told, clearance, entry }))
            }
            Some(why) => (session.without_server(), held_back(why)),
        };
        let outlet = Mutex::new(outlet);
        let pipeline = Pipeline::new(session, rules, recorder, to_client, &outlet);

        let mut linked = pin!(link.keep());
        let ending = tokio::select! {
            biased;
            ending = asked => ending,
            ending = converse(&pipeline, from_client, &mut inlet, CLIENT_GRACE) => ending,
            ending = follow(policies, &pipeline) => ending,
            never = Box::pin(pins::watch(&pins, followed, &pipeline)) => match never {},
            never = turns.record(|what| pipeline.note(what)) => match never {},
            never = questions.answer(|wish| pipeline.objects_to(wish)) => match never {},
            never = &mut linked, if !self.trial => match never {},
        };
        // Nobody answers any more.
        drop(questions);
        turns.record_rest(|what| pipeline.note(what));
        pipeline.finish(&ending).await;
        let handed_over = async {
            // Whoever is not there takes nothing in the time: the segment stays for its sweep.
            if self.trial || link.is_away() {
                return;
            }
            link.leave();
            tokio::select! {
                () = segment.until_empty() => {}
                never = &mut linked => match never {},
                () = sleep(HANDOVER_GRACE) => {}
            }
        };
        tokio::join!(handed_over, inlet.end(), async { outlet.lock().await.end().await });
        ending
    }
}

fn hello(run: Uuid, entry: &str, identity: &ServerIdentity) -> ToResident {
    let identity = identity.as_str().to_owned();
    ToResident::Hello { run, pid: std::process::id(), entry: entry.to_owned(), identity }
}

/// Judges by every policy that comes after the first, until one lets a server in that was held back.
async fn follow<C: ToClient>(policies: &mut impl Policies, pipeline: &Pipeline<'_, C>) -> Ending {
    loop {
        if let Some(ending) = pipeline.adopt(policies.changed().await).await {
            return ending;
        }
    }
}

fn at_the_start() -> Now {
    Now { wall: OffsetDateTime::now_utc(), monotonic: Duration::ZERO }
}
