//! Claude Code's own tools as the pipeline's server: nothing is started or dialled, and what is released to
//! them is the verdict that Claude Code waits for.

use crate::hooks::IDENTITY;
use crate::hooks::conversation::Conversation;
use crate::transport::target::{Reach, Whence};
use crate::transport::{Arrival, Inlet, Outlet};
use policy::ServerIdentity;
use std::rc::Rc;
use tokio::sync::mpsc::Receiver;

pub struct Tools {
    pub conversation: Rc<Conversation>,
    pub answers: Receiver<Arrival>,
}

impl Reach for Tools {
    fn identity(&self) -> ServerIdentity {
        ServerIdentity::from_canonical(IDENTITY)
    }

    fn reach(self, _: Whence<'_>) -> (Outlet, Inlet) {
        let Self { conversation, answers } = self;
        let outlet = Outlet::Handed(Box::new(move |message| conversation.released(&message)));
        (outlet, Inlet::Channel { arrivals: answers, exit: 0 })
    }
}
