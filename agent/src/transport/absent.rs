//! A server that could not be started: it answers every request by saying why.
//!
//! Going away at once would be shorter, but then the client would only see a closed pipe. It
//! tries more than one opening (`server/discover`, then `initialize`), so each is answered.

use crate::transport::failure::NOT_THERE;
use crate::transport::outgoing::Outgoing;
use crate::transport::{Arrival, Came, Inlet, Outlet, WAITING_ANSWERS};
use mcp::{Line, Payload, reply};
use tokio::sync::mpsc;

pub struct Absent {
    why: String,
    answers: Option<mpsc::Sender<Arrival>>,
}

/// Both ends of a server that is not there.
pub fn server(why: String, exit: u8) -> (Outlet, Inlet) {
    let (answers, arrivals) = mpsc::channel(WAITING_ANSWERS);
    let outlet = Outlet::Absent(Absent { why, answers: Some(answers) });
    (outlet, Inlet::Channel { arrivals, exit })
}

impl Absent {
    pub async fn send(&mut self, message: Payload) {
        let (Some(id), Some(answers)) = (Outgoing::read(message).id, &self.answers) else { return };
        let line = Line::Whole(reply::error(Some(&id), NOT_THERE, &self.why, None));
        // The receiver outlives us: both are dropped by the same owner.
        let _ = answers.send(Arrival::Line(line, Came::Together)).await;
    }

    pub fn close(&mut self) {
        self.answers = None;
    }
}
