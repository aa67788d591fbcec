//! `portreeve wrap`: the guard. A client starts it in the place of one MCP server.
//!
//! Puts the parts together and takes them down again; what happens to a message is in [`crate::pipeline`].

mod decline;
mod terminal;

use crate::active_policy::{ActivePolicy, InForce, LocalPolicyError, PolicySignal, local};
use crate::audit::link::Link;
use crate::audit::recorder::Recorder;
use crate::audit::segment::Segment;
use crate::cli::WrapArgs;
use crate::ipc::ToResident;
use crate::pipeline::client::ToClient;
use crate::pipeline::{Ending, Pipeline, converse};
use crate::transport::lines::{LineReader, LineWriter};
use crate::transport::target::{Target, UnknownTarget, held_back};
use gate::{Facts, Now, Session};
use platform::Layout;
use platform::shutdown::Shutdown;
use policy::ServerIdentity;
use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::sleep;
use uuid::Uuid;

/// What a server gets to finish when the client has closed its end.
const CLIENT_GRACE: Duration = Duration::from_secs(2);
/// What the end waits for the resident to take the last records.
const HANDOVER_GRACE: Duration = Duration::from_millis(150);
/// Wrong use, or input that cannot be read.
const EXIT_USAGE: u8 = 2;

/// Why there is nothing to guard.
#[derive(Debug, thiserror::Error)]
enum Unstartable {
    #[error(transparent)]
    Target(#[from] UnknownTarget),
    #[error(transparent)]
    Policy(#[from] LocalPolicyError),
    #[error("the guard cannot start: {0}")]
    System(#[from] std::io::Error),
}

pub fn run(args: WrapArgs, layout: Layout) -> ExitCode {
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&Unstartable::System(error)).into(),
    };
    let exit = runtime.block_on(async {
        match guard(args, layout).await {
            Ok(exit) => exit,
            Err(why) => {
                let exit = complain(&why);
                decline::until_left(&why.to_string()).await;
                exit
            }
        }
    });
    // A thread may still sit in a read of our stdin; it ends with the process.
    runtime.shutdown_background();
    exit.into()
}

/// A client shows a server's stderr to the developer: failures only, and no colours.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("PORTREEVE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // Fails only if logs are set up already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}

/// To the developer, as it stands: an editor finds `file:line:column` at a line's start.
fn complain(why: &Unstartable) -> u8 {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{why}");
    EXIT_USAGE
}

async fn guard(args: WrapArgs, layout: Layout) -> Result<u8, Unstartable> {
    let mut shutdown = Shutdown::listen()?;
    let target = Target::named_by(args.http.as_deref(), args.sse.as_deref(), args.command)?;
    let identity = target.identity();
    let signal = PolicySignal::default();
    let mut policy = ActivePolicy::of(&layout, &signal);
    let trial = args.policy.is_some();
    let InForce { member, device, ruleset } = match &args.policy {
        Some(document) => local(document, &args.member, &layout)?,
        None => policy.now().await,
    };

    let run = Uuid::now_v7();
    let segment = if trial { Segment::of_trial(&layout, run) } else { Segment::of(&layout, run) };
    let segment = Rc::new(segment);
    if let Some(document) = &args.policy {
        announce_trial(document, &segment);
        terminal::hint(document);
    }
    let entry = args.name.unwrap_or_default();
    let link = Link::new(&layout, &segment, &signal, run, hello(run, &entry, &identity));
    let recorder = Recorder::new(Rc::clone(&segment), run, identity.clone(), entry.clone());
    let recorder = recorder.of_member(&member, &device);
    let session = Session::new(Facts { member, device, server: identity });
    // Before anything of the server runs: starting it is the first thing that policy may refuse.
    let (session, (outlet, mut inlet)) = match session.bars(&ruleset, at_the_start()) {
        None => (session, target.dial(&entry)),
        Some(why) => (session.without_server(), held_back(why)),
    };
    let outlet = Mutex::new(outlet);
    let mut client = LineReader::new(platform::stdio::input());
    let to_client = Mutex::new(LineWriter::new(platform::stdio::output()));
    let pipeline = Pipeline::new(session, Rc::new(ruleset), recorder, to_client, &outlet);

    let mut linked = pin!(link.keep());
    let ending = tokio::select! {
        biased;
        () = shutdown.requested() => Ending::AskedToEnd,
        ending = converse(&pipeline, &mut client, &mut inlet, CLIENT_GRACE) => ending,
        ending = follow(&mut policy, &pipeline) => ending,
        never = &mut linked, if !trial => match never {},
    };
    pipeline.finish(&ending).await;
    let handed_over = async {
        // Whoever is not there takes nothing in the time: the segment stays for its sweep.
        if trial || link.is_away() {
            return;
        }
        tokio::select! {
            () = segment.until_empty() => {}
            never = &mut linked => match never {},
            () = sleep(HANDOVER_GRACE) => {}
        }
    };
    tokio::join!(handed_over, inlet.end(), async { outlet.lock().await.end().await });
    segment.close();
    Ok(ending.exit())
}

fn hello(run: Uuid, entry: &str, identity: &ServerIdentity) -> ToResident {
    let identity = identity.as_str().to_owned();
    ToResident::Hello { run, pid: std::process::id(), entry: entry.to_owned(), identity }
}

/// The one line a trial says: without a resident nobody else tells where the record is.
fn announce_trial(document: &Path, segment: &Segment) {
    let (document, record) = (document.display(), segment.path().display());
    let line = format!("portreeve: a trial under {document} (unsigned); the record is {record}");
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Judges by every policy that comes after the first, until one lets a server in that was held back.
async fn follow<C: ToClient>(policy: &mut ActivePolicy<'_>, pipeline: &Pipeline<'_, C>) -> Ending {
    loop {
        if let Some(ending) = pipeline.adopt(Rc::new(policy.changed().await)).await {
            return ending;
        }
    }
}

fn at_the_start() -> Now {
    Now { wall: OffsetDateTime::now_utc(), monotonic: Duration::ZERO }
}
