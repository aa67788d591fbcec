//! `portreeve hook`: what Claude Code starts for each of its hook events, with the event on stdin.
//!
//! The resident judges; where there is none, this process does, by the same policy from disk. A call that
//! nobody could judge is not to be made, and Claude Code is told so by name.

use crate::active_policy::{ActivePolicy, InForce, PolicySignal};
use crate::audit::segment::Segment;
use crate::clients::Home;
use crate::guard::{Guarded, OnBehalf, Record};
use crate::hooks::{Conversation, ENTRY, Event, Happening, IDENTITY, LONGEST_EVENT, Tools, Verdict};
use crate::ipc::client::{AskError, ask_within};
use crate::ipc::{FromResident, ToResident};
use crate::steward::Steward;
use platform::Layout;
use platform::account;
use policy::ServerIdentity;
use serde_json::value::RawValue;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use uuid::Uuid;

/// As Claude Code has it for hooks: the call is not made, and the model reads stderr.
const EXIT_BLOCK: u8 = 2;

/// What the resident may take for an event, and how much more for so many bytes of it. Claude Code waits
/// for a minute, and goes on then.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGER_BY: Duration = Duration::from_secs(1);
const BYTES: usize = 128 * 1024;

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
    let mut bytes = Vec::new();
    let most = LONGEST_EVENT as u64 + 1;
    let mut stdin = io::stdin().lock();
    let read = stdin.by_ref().take(most).read_to_end(&mut bytes);
    // To its end, or Claude Code would write to nobody.
    let read = read.and_then(|_| io::copy(&mut stdin, &mut io::sink())).map_err(Unjudged::Input);
    let judged = read.and_then(|_| judged(layout, &bytes));
    let said = match judged {
        Ok(said) => said,
        // It was done already; what it said is held back.
        Err(why) if Event::is_of_result(&bytes) => told(Verdict::refused(why.to_string()), false),
        Err(why) => {
            let _ = writeln!(io::stderr(), "Portreeve could not judge this, so it was not done: {why}.");
            return EXIT_BLOCK.into();
        }
    };
    // Where nobody reads it, Claude Code is gone.
    let _ = io::stdout().write_all(&said);
    ExitCode::SUCCESS
}

/// What Claude Code is to read.
fn judged(layout: &Layout, bytes: &[u8]) -> Result<Vec<u8>, Unjudged> {
    if bytes.len() > LONGEST_EVENT {
        return Err(Unjudged::TooLong);
    }
    let event = Event::read(bytes)?;
    let (of_call, is_asked) = match event.happening {
        Happening::Other => return Ok(Vec::new()),
        Happening::Call { .. } => (true, true),
        // What a failed tool said is Claude Code's own, and cannot be held back.
        Happening::Result { failed, .. } => (false, !failed),
        Happening::End => (false, false),
    };
    if event.happening.tool().is_some_and(|tool| has_a_guard(layout, tool)) {
        return Ok(Vec::new());
    }
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let verdict = runtime.map_err(Unjudged::System)?.block_on(verdict(layout, bytes, event))?;
    Ok(if is_asked { told(verdict, of_call) } else { Vec::new() })
}

fn told(verdict: Verdict, of_call: bool) -> Vec<u8> {
    let answer = verdict.answer(of_call).map(|answer| serde_json::to_vec(&answer));
    // It holds texts only.
    answer.and_then(Result::ok).unwrap_or_default()
}

/// The tools of a governed entry are judged by its guard. Those of every other server come from where no
/// guard stands (servers inside Claude's process, connectors, entries put back by hand), and are judged here.
fn has_a_guard(layout: &Layout, tool: &str) -> bool {
    let Some(of_server) = tool.strip_prefix("mcp__") else { return false };
    let Some(home) = Home::current() else { return false };
    let Ok(steward) = Steward::new(layout, &home) else { return false };
    let governed = steward.governed_entries();
    governed.iter().any(|(_, row)| {
        let tool = of_server.strip_prefix(named_in_tools(&row.entry).as_str());
        tool.is_some_and(|rest| rest.starts_with("__"))
    })
}

/// As Claude Code writes a server's name in those of its tools.
fn named_in_tools(entry: &str) -> String {
    entry.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

async fn verdict(layout: &Layout, bytes: &[u8], event: Event) -> Result<Verdict, Unjudged> {
    // A line of the wire: line breaks stand between tokens only.
    let text = String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ");
    let patience = PATIENCE + LONGER_BY * u32::try_from(bytes.len() / BYTES).unwrap_or(u32::MAX);
    let text = RawValue::from_string(text).map_err(crate::hooks::BadEvent::Shape)?;
    match ask_within(patience, layout, &ToResident::Hook { event: text }).await {
        Ok(FromResident::Verdict(verdict)) => Ok(verdict),
        Ok(_) => Err(Unjudged::BrokeOff),
        Err(absent) if absent.is_absent() => Box::pin(alone(layout, event)).await,
        Err(error) => Err(error.into()),
    }
}

/// Without a resident: a conversation of this one event, whose record the next resident takes over.
async fn alone(layout: &Layout, event: Event) -> Result<Verdict, Unjudged> {
    let Event { session, happening } = event;
    if happening.tool().is_none() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_name_stands_in_its_tools_as_claude_code_writes_it() {
        for (entry, written) in
            [("files", "files"), ("my server", "my_server"), ("a.b-c_d", "a_b-c_d"), ("ü", "_")]
        {
            assert_eq!(named_in_tools(entry), written);
        }
    }
}
