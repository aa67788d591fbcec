//! What both ends of a local server know of it: whether it lives, how often it died, and what a new
//! process would have to hear.

use crate::transport::opening::{Opening, Replay};
use crate::transport::outgoing::answers;
use crate::transport::standing::Standing;
use mcp::Line;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A process that ends within this time of its start has died quickly.
const QUICKLY: Duration = Duration::from_secs(10);
/// Quick deaths, with none between that was not, after which no other process is started.
pub(super) const MOST_QUICK_DEATHS: u32 = 4;
/// What the second start after quick deaths waits; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Life {
    /// The process is dead, and the conversation is not.
    down: AtomicBool,
    closing: AtomicBool,
    /// There is nothing to be learnt of what the server says.
    known: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    opening: Opening,
    /// It said something.
    spoke: bool,
    begun: Option<Instant>,
    quick_deaths: u32,
    /// When it died last.
    died: Option<Instant>,
}

/// What ends with a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Death {
    OfThisOne,
    OfAll,
    /// So many times, each soon after the start.
    TooOften(u32),
}

impl Life {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client says this.
    pub fn hear(&self, message: &[u8]) {
        let mut state = self.state();
        state.begun.get_or_insert_with(Instant::now);
        state.opening.hear(message);
        if state.opening.awaited().is_some() {
            self.known.store(false, Ordering::Relaxed);
        }
    }

    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// The server says this.
    pub fn learn(&self, line: &Line, standing: &Standing) {
        let mut state = self.state();
        state.spoke = true;
        if let Some(id) = state.opening.awaited().cloned()
            && let Line::Whole(bytes) = line
            && answers(bytes, &id)
        {
            state.opening.learn(bytes);
        }
        let (protocol, server) = match state.opening.agreed() {
            Some(agreed) => (Some(agreed.version.clone()), Some(agreed.server.clone())),
            None => (state.opening.stateless_version().map(str::to_owned), None),
        };
        drop(state);
        if protocol.is_some() {
            self.known.store(true, Ordering::Relaxed);
            standing.tell(|facts| {
                facts.protocol = protocol;
                facts.server = server.filter(|server| !server.is_empty());
            });
        }
    }

    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// A process has ended by itself.
    pub fn die(&self) -> Death {
        let mut state = self.state();
        let taken_up = state.opening.agreed().is_some() || (state.opening.is_stateless() && state.spoke);
        if self.is_closing() || !taken_up {
            return Death::OfAll;
        }
        let quick = state.begun.is_some_and(|begun| begun.elapsed() < QUICKLY);
        state.quick_deaths = if quick { state.quick_deaths + 1 } else { 0 };
        state.died = Some(Instant::now());
        if state.quick_deaths >= MOST_QUICK_DEATHS {
            return Death::TooOften(state.quick_deaths);
        }
        self.down.store(true, Ordering::Relaxed);
        Death::OfThisOne
    }

    /// How long the next start has still to wait.
    pub fn wait(&self) -> Duration {
        let state = self.state();
        let Some(doublings) = state.quick_deaths.checked_sub(2) else { return Duration::ZERO };
        let since = state.died.map_or(Duration::ZERO, |died| died.elapsed());
        (FIRST_WAIT * 2_u32.saturating_pow(doublings)).saturating_sub(since)
    }

    pub fn begin(&self) -> Option<Replay> {
        let mut state = self.state();
        state.begun = Some(Instant::now());
        state.opening.replay()
    }

    pub fn up(&self) {
        self.down.store(false, Ordering::Relaxed);
    }
}

/// The sentence of a server that ended before it took the conversation up: what it said last mostly tells why.
pub(super) fn at_the_start(why: &str, last_words: &str) -> String {
    match last_words {
        // Where our stderr is a terminal, it said it there.
        "" => format!("{why} before it had taken up the conversation"),
        said => {
            format!("{why} before it had taken up the conversation. Its last words on stderr: `{said}`")
        }
    }
}

/// The sentence of one that ended with calls open, and of which the conversation goes on.
pub(super) fn begun_by_the_next_call(why: &str) -> String {
    format!("{why}; what it had not answered is not repeated, and the next call starts it again")
}

/// The sentence of one that ends time and again.
pub(super) fn too_often(why: &str, times: u32, last_words: &str) -> String {
    let said = if last_words.is_empty() { "nothing".to_owned() } else { format!("`{last_words}`") };
    let seconds = QUICKLY.as_secs();
    format!(
        "{why}; it has ended {times} times now, each within {seconds} s of its start, and is not started again. Its \
         last words on stderr: {said}. Reconnect it (in Claude: /mcp) once that is mended"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Life {
        let life = Life::default();
        life.hear(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
        let answer =
            br#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        life.learn(&Line::Whole(answer.to_vec()), &Standing::default());
        assert!(life.is_known());
        life
    }

    #[test]
    fn a_server_that_never_took_up_the_conversation_is_gone_for_good() {
        let life = Life::default();
        assert_eq!(life.die(), Death::OfAll);
        life.hear(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
        life.learn(&Line::Whole(b"Debug: starting".to_vec()), &Standing::default());
        assert_eq!(life.die(), Death::OfAll);
    }

    #[test]
    fn a_server_dies_at_each_start() {
        let life = conversation();
        let mut waits = Vec::new();
        for _ in 1..MOST_QUICK_DEATHS {
            assert_eq!(life.die(), Death::OfThisOne);
            waits.push(life.wait());
            assert!(life.is_down() && life.begin().is_some());
        }
        assert!(waits[0].is_zero() && waits[1] < waits[2], "{waits:?}");
        assert_eq!(life.die(), Death::TooOften(MOST_QUICK_DEATHS));
        let why = too_often("the server `x` ended", 4, "no key | bye");
        assert!(
            why.contains("ended 4 times now, each within 10 s") && why.contains("`no key | bye`"),
            "{why}"
        );
    }

    #[test]
    fn a_client_that_falls_back_to_the_older_era_is_learnt_anew() {
        let life = Life::default();
        life.hear(br#"{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#);
        life.learn(
            &Line::Whole(br#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"?"}}"#.to_vec()),
            &Standing::default(),
        );
        life.hear(br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#);
        assert!(!life.is_known());
        let answer =
            br#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        life.learn(&Line::Whole(answer.to_vec()), &Standing::default());
        assert_eq!((life.die(), life.begin().is_some()), (Death::OfThisOne, true));
    }

    #[test]
    fn nobody_is_started_after_the_client_has_closed_its_end() {
        let life = conversation();
        life.close();
        assert_eq!(life.die(), Death::OfAll);
    }
}
