//! What nobody listens to yet waits here, bounded: the oldest goes first.

use mcp::Payload;
use std::collections::VecDeque;

pub const MESSAGES: usize = 32;
const BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub struct Kept(VecDeque<Payload>);

impl Kept {
    pub fn add(&mut self, message: Payload) {
        self.0.push_back(message);
        while self.0.len() > MESSAGES || (self.bytes() > BYTES && self.0.len() > 1) {
            self.0.pop_front();
            tracing::debug!("a message was dropped that no client came to hear");
        }
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|message| message.len()).sum()
    }

    pub fn take(&mut self) -> VecDeque<Payload> {
        std::mem::take(&mut self.0)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
