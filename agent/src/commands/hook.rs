//! `portreeve hook`: what Claude Code starts for each of its hook events, with the event on stdin.
//!
//! The resident judges; where there is none, this process does, by the same policy from disk. A call that
//! nobody could judge is not to be made, and Claude Code is told so by name.

use crate::active_policy::{ActivePolicy, InForce, PolicySignal};
use crate::audit::segment::Segment;
use crate::guard::{Guarded, OnBehalf, Record};
use crate::hooks::{Conversation, ENTRY, Event, Happening, IDENTITY, LONGEST_EVENT, Tools, Verdict};
use crate::ipc::client::{AskError, ask};
use crate::ipc::{FromResident, ToResident};
use platform::Layout;
use platform::account;
use policy::ServerIdentity;
use serde_json::value::RawValue;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;
use tokio::runtime::{Builder, LocalOptions};
use uuid::Uuid;

/// As Claude Code has it for hooks: the call is not made, and the model reads stderr.
const EXIT_BLOCK: u8 = 2;

/// Why nobody could judge it.
#[derive(Debug, thiserror::Error)]
enum Unjudged {
    #[error(transparent)]
    Event(#[from] crate::hooks::BadEvent),
    #[error("the event could not be read from stdin: {0}")]
    Input(io::Error),
    #[error("the event is longer than {LONGEST_EVENT} bytes")]
    TooLong,
    #[error("{0}")]
    Resident(#[from] AskError),
    #[error("the system gives no more: {0}")]
    System(io::Error),
    #[error("the judgement broke off")]
    BrokeOff,
}

pub fn run(layout: &Layout) -> ExitCode {
    match judged(layout) {
        Ok(said) => {
            // Where nobody reads it, Claude Code is gone.
            let _ = io::stdout().write_all(&said);
            ExitCode::SUCCESS
        }
        Err(why) => {
            let _ = writeln!(
                io::stderr(),
                "Portreeve could not judge this, so it was not done: {why}. `portreeve doctor` says more."
            );
            EXIT_BLOCK.into()
        }
    }
}

/// What Claude Code is to read.
fn judged(layout: &Layout) -> Result<Vec<u8>, Unjudged> {
    let mut bytes = Vec::new();
    let most = LONGEST_EVENT as u64 + 1;
    io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(Unjudged::Input)?;
    if bytes.len() > LONGEST_EVENT {
        return Err(Unjudged::TooLong);
    }
    let event = Event::read(&bytes)?;
    let of_call = match event.happening {
        Happening::OfServer | Happening::Other => return Ok(Vec::new()),
        Happening::Call { .. } => true,
        Happening::Result { .. } | Happening::End => false,
    };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let verdict = runtime.map_err(Unjudged::System)?.block_on(verdict(layout, &bytes, event))?;
    let answer = verdict.answer(of_call).map(|answer| serde_json::to_vec(&answer));
    // It holds texts only.
    Ok(answer.and_then(Result::ok).unwrap_or_default())
}

async fn verdict(layout: &Layout, bytes: &[u8], event: Event) -> Result<Verdict, Unjudged> {
    let text = RawValue::from_string(String::from_utf8_lossy(bytes).into_owned());
    let text = text.map_err(crate::hooks::BadEvent::Shape)?;
    match ask(layout, &ToResident::Hook { event: text }).await {
        Ok(FromResident::Verdict(verdict)) => Ok(verdict),
        Ok(_) => Err(Unjudged::BrokeOff),
        Err(absent) if absent.is_absent() => Box::pin(alone(layout, event)).await,
        Err(error) => Err(error.into()),
    }
}

/// Without a resident: a conversation of this one event, whose record the next resident takes over.
async fn alone(layout: &Layout, event: Event) -> Result<Verdict, Unjudged> {
    let Event { session, happening } = event;
    if !matches!(happening, Happening::Call { .. }) {
        return Ok(Verdict::pass());
    }
    let signal = PolicySignal::default();
    let identity = ServerIdentity::from_canonical(IDENTITY);
    let mut policy = ActivePolicy::of(layout, &signal).for_server(identity);
    let InForce { member, device, ruleset } = policy.now().await;
    let (conversation, mut ear, answers) = Conversation::new();
    let run = Uuid::now_v7();
    let segment = Rc::new(Segment::of(layout, run));
    let on_behalf = OnBehalf { os_user: Some(account::own_name()), session: Some(session), door: None };
    let guarded = Guarded { member, device, entry: ENTRY.to_owned(), trial: false, on_behalf };
    let record = Record { layout, signal: &signal, segment: Rc::clone(&segment), run };
    let tools = Tools { conversation: Rc::clone(&conversation), answers };
    let ends = (&mut ear, Rc::clone(&conversation));
    let held = guarded.hold(record, tools, Rc::new(ruleset), &mut policy, ends, conversation.asked_to_end());
    let asked = async {
        let verdict = conversation.judge(happening).await;
        conversation.end();
        verdict
    };
    let (_, verdict) = tokio::join!(
        async {
            let ending = held.await;
            conversation.close();
            ending
        },
        asked
    );
    segment.close();
    verdict.ok_or(Unjudged::BrokeOff)
}
