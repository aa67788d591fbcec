//! What the guard does with every message: **read, judge, record, release.**
//!
//! Two loops share one desk: the conversation's state, the ruleset in force, and the audit log.
//! They wait for each other only there and at a full pipe, so a slow reader slows its writer and
//! nobody else. A third one sends: whatever the server does with its input, the client is heard.

pub mod client;
mod unsent;

use crate::audit::recorder::Recorder;
use crate::pipeline::client::{FromClient, Heard, Occasion, ToClient, Unread};
use crate::pipeline::unsent::{Full, Unsent};
use crate::transport::clearance::Wish;
use crate::transport::failure::NOT_THERE;
use crate::transport::outgoing::asked_by;
use crate::transport::{Arrival, Gone, Inlet, Outlet};
use contract::record::What;
use gate::{Judged, Now, Recorded, Release, Session};
use mcp::{Line, reply};
use policy::Ruleset;
use std::cell::{Cell, RefCell, RefMut};
use std::convert::Infallible;
use std::iter::{from_fn, once};
use std::rc::Rc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

/// What a server gets to answer open requests when the client has said its last, as in
/// `printf '…' | portreeve wrap -- npx …`. A client that is gone for good signals us, or reads no more.
const ANSWER_GRACE: Duration = Duration::from_secs(10);
/// What a client that does not read may cost at the end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What one read brought is judged, recorded and sent together, up to so many messages: the others wait
/// no longer than those take.
const MOST_TOGETHER: usize = 64;

/// Why the conversation is over.
#[derive(Debug)]
pub enum Ending {
    ClientLeft,
    /// The client left, and so the server ended.
    BothLeft(Gone),
    ServerLeft(Gone),
    AskedToEnd,
    /// Policy lets the member use this server no more.
    Barred,
    /// The server was held back, and now policy lets it be used: clients start a server that ended anew.
    LetIn,
}

impl Ending {
    /// For the record, and for the calls that are still open.
    fn sentence(&self) -> &str {
        match self {
            Self::ClientLeft | Self::BothLeft(_) => "the client left",
            Self::ServerLeft(gone) => &gone.why,
            Self::AskedToEnd => "the guard was asked to end",
            Self::Barred => "policy lets this server be used no more",
            Self::LetIn => "policy lets this server be used now: reconnect it (in Claude Code: /mcp)",
        }
    }

    /// What the guard exits with: where the server ended, as it did.
    pub fn exit(&self) -> u8 {
        match self {
            Self::ServerLeft(gone) | Self::BothLeft(gone) => gone.exit,
            Self::ClientLeft | Self::AskedToEnd | Self::Barred | Self::LetIn => 0,
        }
    }
}

/// What a message is judged by.
struct Desk {
    session: Session,
    rules: Rc<Ruleset>,
    recorder: Recorder,
}

pub struct Pipeline<'a, C> {
    desk: RefCell<Desk>,
    started: Instant,
    to_client: C,
    to_server: &'a Mutex<Outlet>,
    unsent: Unsent,
    /// The server said something, and the client has it.
    heard: Notify,
}

impl<'a, C: ToClient> Pipeline<'a, C> {
    /// Opens the record.
    pub fn new(
        session: Session,
        rules: Rc<Ruleset>,
        recorder: Recorder,
        to_client: C,
        to_server: &'a Mutex<Outlet>,
    ) -> Self {
        let mut desk = Desk { session, rules, recorder };
        desk.recorder.know_rules(&desk.rules);
        desk.recorder.note(What::Started { policy_version: desk.rules.version() });
        Self {
            desk: RefCell::new(desk),
            started: Instant::now(),
            to_client,
            to_server,
            unsent: Unsent::default(),
            heard: Notify::new(),
        }
    }

    /// Everything the client says, until it leaves.
    pub async fn client_to_server(&self, client: &mut impl FromClient) {
        loop {
            let line = match client.next().await {
                Heard::Line(line) => line,
                Heard::HalfLine(bytes) => {
                    self.desk().cut_short(bytes, true);
                    continue;
                }
                Heard::Refused { code, why } => {
                    self.desk().malformed(code, why, true);
                    continue;
                }
                Heard::End => return,
            };
            let lines = once(line).chain(from_fn(|| client.ready())).take(MOST_TOGETHER);
            let judged =
                lines.map(|line| self.judge(|session, rules, now| session.from_client(line, rules, now)));
            let recorded = self.record(judged.collect());
            let released = recorded.into_iter().map(|recorded| (recorded, Occasion::Said));
            if self.release(released).await.is_err() {
                return;
            }
        }
    }

    /// Everything the server says, until one of both is gone.
    pub async fn server_to_client(&self, server: &mut Inlet) -> Ending {
        loop {
            let line = match server.next().await {
                Arrival::Line(line, came) => (line, came),
                Arrival::HalfLine(bytes) => {
                    self.desk().cut_short(bytes, false);
                    continue;
                }
                Arrival::Lost(why) => match self.close_open(&why).await {
                    Ok(()) => continue,
                    Err(Unread) => return Ending::ClientLeft,
                },
                Arrival::Gone(gone) => return Ending::ServerLeft(gone),
            };
            let lines = once(line).chain(from_fn(|| server.ready())).take(MOST_TOGETHER);
            let judged = lines.map(|(line, came)| {
                (self.judge(|session, rules, now| session.from_server(line, rules, now)), came)
            });
            let (judged, came): (_, Vec<_>) = judged.unzip();
            let recorded = self.record(judged);
            let released = recorded.into_iter().zip(came.iter().map(Occasion::Heard));
            if self.release(released).await.is_err() {
                return Ending::ClientLeft;
            }
            self.heard.notify_one();
        }
    }

    /// A new server takes the old one's place: what that one had not answered is answered for it.
    async fn close_open(&self, why: &str) -> Result<(), Unread> {
        let recorded = self.record(self.judge(|session, _, now| session.server_gone(why, now)));
        self.release(by_guard(recorded)).await?;
        self.heard.notify_one();
        Ok(())
    }

    /// Sends what was released, and then closes the server's input.
    async fn send(&self) -> Infallible {
        while let Some(messages) = self.unsent.next().await {
            let bytes = messages.iter().map(|message| message.len()).sum();
            self.to_server.lock().await.send_all(messages).await;
            self.unsent.sent(bytes);
        }
        self.to_server.lock().await.close();
        std::future::pending().await
    }

    async fn until_answered(&self) {
        self.unsent.emptied().await;
        while self.desk().session.is_answer_due() {
            self.heard.notified().await;
        }
    }

    /// The next message is judged by these rules. They may let a server in that was held back, which
    /// ends the conversation about its absence.
    pub async fn adopt(&self, rules: Rc<Ruleset>) -> Option<Ending> {
        {
            let mut desk = self.desk();
            desk.recorder.know_rules(&rules);
            desk.rules = rules;
        }
        self.show_again().await;
        self.judge(|session, rules, now| session.could_start_now(rules, now)).then_some(Ending::LetIn)
    }

    /// What the client may see may be something else now: it is told where that is so.
    pub async fn show_again(&self) {
        let recorded = self.record(self.judge(Session::policy_changed));
        // A client that is gone is noticed by its own loop.
        let _ = self.release(by_guard(recorded)).await;
    }

    /// Closes what is still open, first in the record and then towards the client, and signs off.
    pub async fn finish(&self, ending: &Ending) {
        let why = ending.sentence();
        let recorded = self.record(self.judge(|session, _, now| session.server_gone(why, now)));
        self.desk().recorder.note(What::Stopped { why: why.to_owned() });
        // A client that is gone needs no answer.
        if timeout(LAST_WORDS, self.release(by_guard(recorded))).await.is_err() {
            tracing::debug!("the client did not read its last answers");
        }
    }

    /// Why a transport must not do this of its own accord, if it must not.
    pub fn objects_to(&self, wish: Wish) -> Option<String> {
        self.judge(|session, rules, now| match wish {
            Wish::Begin => session.bars(rules, now),
            Wish::Say(message) => session.objects_to(message, rules, now),
        })
    }

    fn judge<T>(&self, judge: impl FnOnce(&mut Session, &Ruleset, Now) -> T) -> T {
        let now = Now { wall: OffsetDateTime::now_utc(), monotonic: self.started.elapsed() };
        let Desk { session, rules, .. } = &mut *self.desk();
        judge(session, rules, now)
    }

    /// What was judged together is recorded by one write.
    fn record(&self, judged: Vec<Judged>) -> Vec<Recorded> {
        let Desk { session, recorder, .. } = &mut *self.desk();
        if let Some((name, version)) = session.client() {
            recorder.know_client(name, version);
        }
        let recorded = Judged::record_together(judged, recorder);
        recorder.keep_pins();
        recorded
    }

    async fn release(&self, recorded: impl Iterator<Item = (Recorded, Occasion<'_>)>) -> Result<(), Unread> {
        let mut to_client = Vec::new();
        for (recorded, occasion) in recorded {
            for release in recorded.releases() {
                match release {
                    Release::ToServer(message) => match self.unsent.put(message).await {
                        Ok(()) => {}
                        Err(full) => self.give_back(full).await?,
                    },
                    Release::ToClient(message) => to_client.push((message, occasion)),
                    Release::EachToClient(messages) => {
                        to_client.extend(messages.into_iter().map(|message| (message, occasion)));
                    }
                    Release::Nothing => {}
                }
            }
        }
        self.to_client.tell_all(to_client).await
    }

    /// A request that could not be sent is answered in the server's place, and judged as its answer.
    async fn give_back(&self, full: Full) -> Result<(), Unread> {
        let why = full.to_string();
        tracing::warn!("{why}");
        for id in asked_by(&full.message) {
            let answer = Line::Whole(reply::error(Some(&id), NOT_THERE, &why, None));
            let judged = self.judge(|session, rules, now| session.from_server(answer, rules, now));
            let releases = self.record(vec![judged]).into_iter().flat_map(Recorded::releases);
            for release in releases {
                if let Release::ToClient(message) = release {
                    self.to_client.tell(message, Occasion::Said).await?;
                }
            }
        }
        Ok(())
    }

    /// Records what is no message.
    pub fn note(&self, what: What) {
        self.desk().recorder.note(what);
    }

    /// Never held across a wait: both loops run on one thread and take turns at waits only.
    fn desk(&self) -> RefMut<'_, Desk> {
        self.desk.borrow_mut()
    }
}

/// What nobody asked for just now.
fn by_guard<'o>(recorded: Vec<Recorded>) -> impl Iterator<Item = (Recorded, Occasion<'o>)> {
    recorded.into_iter().map(|recorded| (recorded, Occasion::Guard))
}

impl Desk {
    /// Half a message is no message, whoever's it is.
    fn cut_short(&mut self, bytes: usize, from_client: bool) {
        let who = if from_client { "client" } else { "server" };
        let why = format!("the {who}'s last message ended after {bytes} bytes, without a newline");
        self.malformed("cut-short", why, from_client);
    }

    fn malformed(&mut self, code: &str, message: String, from_client: bool) {
        self.recorder.note(What::Malformed { code: code.to_owned(), message, from_client });
    }
}

/// Runs the loops until one side is gone; the client's going leaves the server `grace` to finish, and
/// what it takes to answer what is open, within reason.
pub async fn converse<C: ToClient>(
    pipeline: &Pipeline<'_, C>,
    client: &mut impl FromClient,
    server: &mut Inlet,
    grace: Duration,
) -> Ending {
    let left = Cell::new(false);
    let from_client = async {
        pipeline.client_to_server(client).await;
        left.set(true);
        pipeline.unsent.close();
        let enough = sleep(grace);
        // Where answers stay out, the end closes them.
        let _ = timeout(ANSWER_GRACE, pipeline.until_answered()).await;
        enough.await;
        Ending::ClientLeft
    };
    tokio::select! {
        biased;
        ending = pipeline.server_to_client(server) => match ending {
            Ending::ServerLeft(gone) if left.get() => Ending::BothLeft(gone),
            ending => ending,
        },
        ending = from_client => ending,
        never = pipeline.send() => match never {},
    }
}
