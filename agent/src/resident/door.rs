//! The resident's HTTP door: every governed server of this user's configurations at `/NAME/mcp` and
//! `/NAME/sse`, for clients that speak only URLs; open where policy says so, on loopback, on a port that
//! stays the same.
//!
//! It serves the user that the resident runs as: their servers run as them. The resident of a whole
//! machine serves nobody yet; it would have to start servers in other users' names.

mod certificate;
pub mod clients;
mod entries;
pub mod notice;

use crate::active_policy::{ActivePolicy, InForce, PolicySignal};
use crate::clients::Home;
use crate::door::credential::{Admitted, Caller, Holder};
use crate::door::served::{Bounds, Keeping, Served};
use crate::door::{Door, Names, Refusals};
use crate::steward::Guard;
use crate::sync::PolicyState;
use certificate::CertificateError;
use clients::Client;
use entries::{Found, Offer};
use notice::{Notice, Offered};
use platform::Layout;
use platform::files::{self, FileError};
use platform::layout::Kind;
use policy::{DoorSettings, ServerIdentity};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

const LOOK: Duration = Duration::from_secs(1);
const FREE_PORTS_TRIED: usize = 8;
const BOUNDS: Bounds = Bounds { conversations: 64, idle: Duration::from_secs(3600) };

/// Why the door stays shut.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("no port of loopback can be listened on: {0}")]
    Listen(#[from] io::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The thread that holds the door.
pub struct DoorKeeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl DoorKeeper {
    /// Opens and shuts the door as policy says, until it is stopped.
    pub fn start(layout: &Layout, policy: watch::Receiver<PolicyState>) -> Self {
        let shut = Self { stop: None, thread: None };
        if layout.kind == Kind::System {
            tracing::info!("door.system: the resident of a whole machine serves nobody's home yet");
            return shut;
        }
        let Some(home) = Home::current() else { return shut };
        let (stop, stopped) = oneshot::channel();
        let layout = layout.clone();
        let thread = std::thread::Builder::new().name("door".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(keep(layout, home, policy, stopped)),
                Err(error) => tracing::error!(%error, "door.thread"),
            }
        });
        match thread {
            Ok(thread) => Self { stop: Some(stop), thread: Some(thread) },
            Err(error) => {
                tracing::error!(%error, "door.thread");
                shut
            }
        }
    }

    /// Ends every conversation, and returns when no server of the door's is left.
    pub async fn stop(mut self) {
        // A thread that has ended hears nothing.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("door.thread.broke");
        }
    }
}

async fn keep(
    layout: Layout,
    home: Home,
    policy: watch::Receiver<PolicyState>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open: Option<Opened> = None;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = tick.tick() => {}
        }
        let wanted = settings(&policy.borrow());
        if open.as_ref().is_some_and(|open| Some(&open.settings) != wanted.as_ref())
            && let Some(open) = open.take()
        {
            open.shut(&layout).await;
        }
        if let (None, Some(settings)) = (&open, wanted) {
            match Opened::open(&layout, settings).await {
                Ok(opened) => open = Some(opened),
                Err(error) => tracing::warn!(%error, "door.open"),
            }
        }
        if let Some(open) = &mut open {
            open.look(&layout, &home).await;
        }
    }
    if let Some(open) = open {
        open.shut(&layout).await;
    }
}

/// `None` where policy keeps the door shut, or there is none.
fn settings(policy: &PolicyState) -> Option<DoorSettings> {
    let door = &policy.adopted.as_ref()?.settings.door;
    door.enabled.then(|| door.clone())
}

struct Opened {
    settings: DoorSettings,
    door: Rc<Door>,
    address: SocketAddr,
    accepting: AbortHandle,
    served: BTreeMap<String, Governed>,
    told: Option<Notice>,
}

/// One server behind the door, and the task that tells it of policy.
struct Governed {
    offer: Offer,
    served: Rc<Served>,
    following: AbortHandle,
}

impl Opened {
    async fn open(layout: &Layout, settings: DoorSettings) -> Result<Self, DoorError> {
        files::private_folder(&folder(layout))?;
        let tls = settings.https.then(|| certificate::acceptor(layout)).transpose()?;
        let listening = listen(layout).await?;
        let address = listening.address;
        // What they ask for is not known to be a server of ours: they dialled the door.
        let dialled = ServerIdentity::from_canonical(format!("http://{address}/"));
        let refusals = Refusals::handed_over(layout, dialled, "");
        let newer = clients::newer(layout);
        let admitted = Admitted::told_by(Box::new(move || Some(newer()?.into_iter().map(holder).collect())));
        let door = Door::new(Names::new(address, Vec::new()), admitted, refusals);
        let accepting =
            tokio::task::spawn_local(Rc::clone(&door).open(listening.listeners, tls)).abort_handle();
        tracing::info!(%address, settings.https, "door.open");
        Ok(Self { settings, door, address, accepting, served: BTreeMap::new(), told: None })
    }

    /// Serves what is governed now to whom it is granted now.
    async fn look(&mut self, layout: &Layout, home: &Home) {
        match clients::read(layout) {
            Ok(clients) => self.door.admitted().replace(clients.into_iter().map(holder)),
            Err(error) => {
                tracing::warn!(%error, "door.clients");
                self.door.admitted().replace([]);
            }
        }
        for served in self.door.servers() {
            served.end_those_of_strangers(|caller| self.door.admitted().knows(caller));
        }
        let Ok(guard) = Guard::of_this_program(layout) else { return };
        let Found { offers, left_out } = entries::governed(home, &guard);
        let mut before = std::mem::take(&mut self.served);
        for (name, offer) in offers {
            let governed = match before.remove(&name) {
                Some(same) if same.offer == offer => same,
                other => {
                    if let Some(other) = other {
                        other.end();
                    }
                    govern(layout, &offer).await
                }
            };
            self.served.insert(name, governed);
        }
        before.into_values().for_each(Governed::end);
        let served = self.served.iter().map(|(name, governed)| (name.clone(), Rc::clone(&governed.served)));
        self.door.serve_all(served.collect());
        self.tell(layout, left_out);
    }

    /// For `portreeve door list`.
    fn tell(&mut self, layout: &Layout, left_out: Vec<(String, String)>) {
        let scheme = if self.settings.https { "https" } else { "http" };
        let url = |name: &str, end: &str| format!("{scheme}://{}/{name}/{end}", self.address);
        let offered = |(name, governed): (&String, &Governed)| Offered {
            name: name.clone(),
            identity: governed.offer.identity(),
            url: url(name, "mcp"),
            sse: url(name, "sse"),
        };
        let notice = Notice {
            pid: std::process::id(),
            servers: self.served.iter().map(offered).collect(),
            left_out,
            certificate: self.settings.https.then(|| certificate::authority(layout)),
        };
        if self.told.as_ref() != Some(&notice) {
            if let Err(error) = notice.write(layout) {
                tracing::warn!(%error, "door.notice");
            }
            self.told = Some(notice);
        }
    }

    async fn shut(self, layout: &Layout) {
        self.accepting.abort();
        self.served.values().for_each(|governed| governed.following.abort());
        self.door.end().await;
        notice::take_down(layout);
        tracing::info!("door.shut");
    }
}

impl Governed {
    /// Its servers are taken down beside us.
    fn end(self) {
        self.following.abort();
        tokio::task::spawn_local(async move { self.served.end().await });
    }
}

async fn govern(layout: &Layout, offer: &Offer) -> Governed {
    let signal = Rc::new(PolicySignal::default());
    let identity = offer.target().identity();
    let InForce { member, device, ruleset } =
        ActivePolicy::of(layout, &signal).for_server(identity.clone()).now().await;
    let (tell, rules) = watch::channel(Rc::new(ruleset));
    let keeping =
        Keeping { layout: layout.clone(), signal, rules, member, device, trial: None, bounds: BOUNDS };
    let keeping = Rc::new(keeping);
    let served = Served::new(offer.entry().to_owned(), offer.target(), Rc::clone(&keeping));
    let following = tokio::task::spawn_local(async move {
        let mut policy = ActivePolicy::of(&keeping.layout, &keeping.signal).for_server(identity);
        tell.send_replace(Rc::new(policy.now().await.ruleset));
        loop {
            tell.send_replace(Rc::new(policy.changed().await));
        }
    });
    Governed { offer: offer.clone(), served, following: following.abort_handle() }
}

fn holder(client: Client) -> Holder {
    (Caller(client.name.into()), client.digest)
}

struct Listening {
    /// That of IPv4, which clients are told.
    address: SocketAddr,
    listeners: Vec<TcpListener>,
}

/// The port of last time, where it is free.
async fn listen(layout: &Layout) -> Result<Listening, DoorError> {
    let path = folder(layout).join("port");
    let last: Option<u16> = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = last {
        match listen_on(port).await {
            Ok((listening, is_alone)) => {
                if !is_alone {
                    tracing::warn!(
                        port,
                        "door.port: another program has it at [::1]; clients have to say 127.0.0.1"
                    );
                }
                return Ok(listening);
            }
            Err(error) => {
                tracing::warn!(%error, port, "door.port: taken by another program, so another is used");
            }
        }
    }
    let (mut listening, mut is_alone) = listen_on(0).await?;
    for _ in 1..FREE_PORTS_TRIED {
        if is_alone {
            break;
        }
        (listening, is_alone) = listen_on(0).await?;
    }
    files::replace_private(&path, listening.address.port().to_string().as_bytes())?;
    Ok(listening)
}

/// Loopback of both families, where the machine has both: a client that says `localhost` may mean either,
/// and whoever held the other one would be shown its credential. `false` where somebody does.
async fn listen_on(port: u16) -> io::Result<(Listening, bool)> {
    let fourth = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = fourth.local_addr()?;
    match TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await {
        Ok(sixth) => Ok((Listening { address, listeners: vec![fourth, sixth] }, true)),
        Err(error) => {
            let is_alone = error.kind() != io::ErrorKind::AddrInUse;
            Ok((Listening { address, listeners: vec![fourth] }, is_alone))
        }
    }
}

/// Where what the door remembers is kept, for its user alone.
fn folder(layout: &Layout) -> std::path::PathBuf {
    layout.state.join("door")
}
