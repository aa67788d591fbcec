//! Turns in a server's life under one conversation, for the record: its end, and another in its place.
//! Whoever begins or ends the conversation itself is told of elsewhere.

use super::Standing;
use crate::upstream::now_ms;
use tokio::sync::mpsc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The server is gone, or its session; why, and what its process exited with.
    Ended { why: String, exit: Option<u8> },
    /// Another is in its place, and the conversation goes on.
    BegunAnew { how: &'static str },
}

impl Standing {
    /// Its turns are told there too.
    #[must_use]
    pub fn telling(mut self, turns: Option<mpsc::UnboundedSender<Turn>>) -> Self {
        self.1 = turns;
        self
    }

    /// The server is gone while the conversation is not.
    pub fn ended(&self, why: &str, exit: Option<u8>) {
        self.tell(|facts| {
            facts.last_error = Some(why.to_owned());
            facts.last_error_ms = Some(now_ms());
            facts.process = None;
        });
        self.turn(Turn::Ended { why: why.to_owned(), exit });
    }

    pub fn begun_anew(&self, how: &'static str) {
        self.tell(|facts| {
            facts.restarts += 1;
            facts.failing = false;
        });
        self.turn(Turn::BegunAnew { how });
    }

    /// One that was gone answers again; nothing of it was begun anew by us.
    pub fn found_again(&self) {
        self.turn(Turn::BegunAnew { how: "the server answers again" });
    }

    fn turn(&self, turn: Turn) {
        if let Some(turns) = &self.1 {
            // Nobody listens once the guard is ending.
            let _ = turns.send(turn);
        }
    }
}
