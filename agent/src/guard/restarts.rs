//! A server that ends under a conversation and is begun anew leaves its own two records: whoever reads the
//! record can tell why calls were lost, and that what answered later was another process or session.

use crate::transport::standing::Turn;
use contract::record::{Phase, What};
use std::convert::Infallible;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// What is heard of one server.
pub struct Turns(UnboundedReceiver<Turn>);

impl Turns {
    pub fn heard() -> (UnboundedSender<Turn>, Self) {
        let (told, heard) = mpsc::unbounded_channel();
        (told, Self(heard))
    }

    /// Never ends; the guard drops it.
    pub async fn record(&mut self, note: impl Fn(What)) -> Infallible {
        while let Some(turn) = self.0.recv().await {
            note(what(turn));
        }
        std::future::pending().await
    }

    /// What was told and not recorded yet.
    pub fn record_rest(&mut self, note: impl Fn(What)) {
        while let Ok(turn) = self.0.try_recv() {
            note(what(turn));
        }
    }
}

fn what(turn: Turn) -> What {
    match turn {
        Turn::Ended { why, exit } => What::Restart { phase: Phase::Ended, why, exit },
        Turn::BegunAnew { how } => What::Restart { phase: Phase::BegunAnew, why: how.to_owned(), exit: None },
    }
}
