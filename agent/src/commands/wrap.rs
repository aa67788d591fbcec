//! `portreeve wrap`: the guard. A client starts it in the place of one MCP server.
//!
//! Puts the parts together and takes them down again; what happens to a message is in [`crate::pipeline`], and how long the parts live in [`crate::guard`].

mod decline;
mod terminal;

use crate::active_policy::{ActivePolicy, InForce, LocalPolicyError, PolicySignal, local};
use crate::audit::segment::Segment;
use crate::cli::WrapArgs;
use crate::commands::trials;
use crate::guard::{Guarded, OnBehalf, Record};
use crate::pipeline::Ending;
use crate::transport::http::BadHeaders;
use crate::transport::lines::{LineReader, LineWriter};
use crate::transport::target::{Target, UnknownTarget};
use crate::trials::Note;
use platform::Layout;
use platform::shutdown::Shutdown;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Wrong use, or input that cannot be read.
const EXIT_USAGE: u8 = 2;

/// Why there is nothing to guard.
#[derive(Debug, thiserror::Error)]
enum Unstartable {
    #[error(transparent)]
    Target(#[from] UnknownTarget),
    #[error(transparent)]
    Headers(#[from] BadHeaders),
    #[error(transparent)]
    Policy(#[from] LocalPolicyError),
    #[error(transparent)]
    NoProgram(#[from] trials::NoProgram),
    #[error("the guard cannot start: {0}")]
    System(#[from] std::io::Error),
}

pub fn run(args: WrapArgs, layout: Layout) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&Unstartable::System(error)).into(),
    };
    let exit = runtime.block_on(async {
        match Box::pin(guard(args, layout)).await {
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

/// To the developer, as it stands: an editor finds `file:line:column` at a line's start.
fn complain(why: &Unstartable) -> u8 {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{why}");
    EXIT_USAGE
}

async fn guard(args: WrapArgs, layout: Layout) -> Result<u8, Unstartable> {
    let mut shutdown = Shutdown::listen()?;
    let target = Target::named_by(args.http.as_deref(), args.sse.as_deref(), args.command)?;
    let target = target.with_our_headers(args.policy.is_some())?;
    let signal = PolicySignal::default();
    let mut policy = ActivePolicy::of(&layout, &signal).for_server(target.identity());
    let in_force = match &args.policy {
        Some(document) => local(document, &args.member, &layout)?,
        None => policy.now().await,
    };

    let run = Uuid::now_v7();
    let trial = args.policy.is_some();
    let entry = args.name.unwrap_or_default();
    let segment = Rc::new(if trial { Segment::of_trial(&layout, run) } else { Segment::of(&layout, run) });
    if let Some(document) = &args.policy {
        // A line for the policy would only be the next step of the wrong way.
        let unknown = trials::unknown_server(&in_force, &target.identity());
        if let (Some(program), Some(_)) = (target.missing_program(), &unknown) {
            return Err(trials::NoProgram(program).into());
        }
        Note::of_us(document, &entry, target.identity().as_str()).leave(&layout, run);
        announce_trial(document, &segment, unknown);
        terminal::hint(document);
    }
    let InForce { member, device, ruleset } = in_force;
    let mut client = LineReader::new(platform::stdio::input());
    let to_client = Mutex::new(LineWriter::new(platform::stdio::output()));
    let ending = Guarded { member, device, entry, trial, on_behalf: OnBehalf::default() }
        .hold(
            Record { layout: &layout, signal: &signal, segment: Rc::clone(&segment), run },
            target,
            Rc::new(ruleset),
            &mut policy,
            (&mut client, to_client),
            async {
                shutdown.requested().await;
                Ending::AskedToEnd
            },
        )
        .await;
    segment.close();
    Ok(ending.exit())
}

/// What a trial says at once: without a resident nobody else tells where the record is, and a server that the
/// policy does not know would only be told of by its first refusal.
fn announce_trial(document: &Path, segment: &Segment, unknown: Option<String>) {
    let (document, record) = (document.display(), segment.path().display());
    let trial = format!("a trial under {document} (unsigned); the record is {record}");
    for line in std::iter::once(trial).chain(unknown) {
        // Without a stderr there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "portreeve: {line}");
    }
}
