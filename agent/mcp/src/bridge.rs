//! Between the gate and a server of another era: the gate always sees the client's.
//!
//! Where both ends speak of the same era, everything passes as it is, and once that is known nothing is
//! looked at any more. The client always speaks first, since servers pin the era of the first message.
//! Where they differ (MCP 2026-07-28, "Versioning and Compatibility": a legacy client with a modern server
//! fails, and so does a modern client with a legacy server), the bridge is a server of the client's era on
//! one side and a client of the server's era on the other. What one era has no words for is refused, by a
//! JSON-RPC error that says who speaks what.
//!
//! Which it is, is found from the answer to the client's first words:
//!
//! | the client says | the server answers | then |
//! |---|---|---|
//! | `initialize` | a result | both older: passes |
//! | `initialize`, and nothing of 2026-07-28 before it | -32022, -32601, -32602, -32600, -32020 or -32021 | we ask `server/discover`; where 2026-07-28 is among its versions: older client, newer server; else the refusal passes |
//! | `server/discover` | anything | passes untouched: clients that speak both fall back by themselves. A result with 2026-07-28: both newer. Another error than -32020…-32022: the server is an older one |
//! | another request of 2026-07-28 | a result with `resultType`, or -32020…-32022 | both newer: passes |
//! | the same | a result without it, or another error below 0 | we ask `server/discover`; no result: newer client, older server. A request that was refused by -32600…-32602 or -32000…-32019, or that only reads, is made again; another's result is completed |
//! | the same, to a server known as an older one | | newer client, older server |
//!
//! **Older client, newer server** ([`modern_server`]). The client's ids are kept.
//!
//! | from | message | becomes |
//! |---|---|---|
//! | client | `initialize` | answered from `server/discover`: the client's revision or 2025-11-25, capabilities, `serverInfo`, instructions |
//! | client | any other request | gets `_meta` with protocol version, capabilities, client info and log level; all else keeps its bytes |
//! | client | `ping`; `logging/setLevel` | answered by us; the level goes into `_meta` from then on |
//! | client | `notifications/initialized` | swallowed; `subscriptions/listen` for the list changes that the server announced |
//! | client | `resources/subscribe`, `…/unsubscribe` | another `subscriptions/listen` in the place of the one before |
//! | client | `notifications/roots/list_changed`, `…/progress` | swallowed: nothing at the server asks for them |
//! | client | `notifications/cancelled` | passes, under the id of the present round; a call that waits for the client ends with us |
//! | client | `tasks/*` of 2025-11-25 | refused, -32601 |
//! | client | a request of 2026-07-28 all the same | passes: the server speaks it |
//! | server | `input_required` | one request to the client for each input; with the answers the call is made again, under an id of ours |
//! | server | another `resultType` than `complete` | refused, -32603: an older client cannot follow |
//! | server | notifications on our subscription | the plain ones of before, without `_meta` |
//! | server | `structuredContent` that is no object; `outputSchema` of anything but one | taken out; older clients refuse the whole answer for them |
//!
//! **Newer client, older server** ([`legacy_server`]). Requests go to the server under ids of ours.
//!
//! | from | message | becomes |
//! |---|---|---|
//! | client | the first request | `initialize` (2025-11-25) and `notifications/initialized` in the client's name before it |
//! | client | any request | loses the four `io.modelcontextprotocol/…` keys of its `_meta`; `logging/setLevel` before it where its level is another |
//! | client | `server/discover` | answered from `initialize`, without the older `tasks` |
//! | client | `subscriptions/listen` | acknowledged by us; `resources/subscribe` for each resource, `…/unsubscribe` at its end |
//! | client | a request that goes on with an earlier one (`requestState`) | the answer to the server's question; refused, -32602, where the state is not ours, used, or another call's |
//! | client | `tasks/*` of the extension | refused, -32601 |
//! | client | a request without a version | refused, -32602: the connection speaks 2026-07-28 |
//! | server | a result | gets `resultType`, `_meta` with `serverInfo`, and `ttlMs: 0`, `cacheScope: private` where results are cacheable |
//! | server | -32002; -32042 | -32602; `input_required` with the addresses to visit (-32021 where the client offers no elicitation) |
//! | server | `elicitation/create`, `sampling/createMessage`, `roots/list` | `input_required` as the answer to the call it came with, or the latest; refused towards the server where no call is open or the client does not offer it |
//! | server | `ping` | answered by us |
//! | server | `notifications/message` | passes while a request is open that asked for log messages |
//! | server | list changes and updates | told on each subscription that asked for them |
//! | server | `notifications/elicitation/complete`, `…/tasks/status` | swallowed: the newer era has neither |
//!
//! No I/O, no clock, no policy. Its own ids and request states come from outside, as unguessable texts.

mod envelope;
mod held;
mod legacy_server;
mod listening;
mod modern_server;
mod object;
mod opening;
mod out;
mod own;
mod rounds;
mod subscriptions;
mod tidy;

pub use out::{Step, Unguessable};

use crate::frame::Line;
use crate::message::Id;
use legacy_server::LegacyServer;
use modern_server::ModernServer;
use opening::Opening;
use out::Out;

/// One conversation's bridge.
#[derive(Debug)]
pub struct Bridge {
    phase: Phase,
    out: Out,
}

#[derive(Debug)]
enum Phase {
    Opening(Box<Opening>),
    /// Both ends speak of the same era.
    Agreed,
    ModernServer(Box<ModernServer>),
    LegacyServer(Box<LegacyServer>),
}

/// What a message at the opening turned the conversation into, and what waited for that.
enum Turn {
    Stay,
    Again(Vec<Vec<u8>>),
    Agreed(Vec<Vec<u8>>),
    Modern(Box<ModernServer>, Vec<Vec<u8>>),
    Legacy(Box<LegacyServer>, Vec<Vec<u8>>),
}

impl Bridge {
    #[must_use]
    pub fn new(unguessable: Unguessable) -> Self {
        Self { phase: Phase::Opening(Box::default()), out: Out::new(unguessable) }
    }

    /// Do both ends speak of the same era? Then nothing need come through here any more.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        matches!(self.phase, Phase::Agreed)
    }

    /// A message of the client's that was released for the server.
    pub fn client_says(&mut self, message: Vec<u8>) -> Vec<Step> {
        self.hear_client(message);
        self.out.take()
    }

    /// A line of the server's; `with`: the request, by the id the server knows, that it came with.
    pub fn server_says(&mut self, line: Line, with: Option<&Id>) -> Vec<Step> {
        let Self { phase, out } = self;
        match phase {
            Phase::Opening(opening) => {
                let turn = opening.server_says(line, with, out);
                self.turn(turn);
            }
            Phase::Agreed => out.pass(line, with),
            Phase::ModernServer(server) => server.server_says(line, with, out),
            Phase::LegacyServer(server) => server.server_says(line, with, out),
        }
        self.out.take()
    }

    fn hear_client(&mut self, message: Vec<u8>) {
        let Self { phase, out } = self;
        match phase {
            Phase::Opening(opening) => {
                let turn = opening.client_says(message, out);
                self.turn(turn);
            }
            Phase::Agreed => out.tell_server(message),
            Phase::ModernServer(server) => server.client_says(message, out),
            Phase::LegacyServer(server) => server.client_says(message, out),
        }
    }

    fn turn(&mut self, turn: Turn) {
        let waiting = match turn {
            Turn::Stay => return,
            Turn::Again(waiting) => waiting,
            Turn::Agreed(waiting) => {
                self.phase = Phase::Agreed;
                waiting
            }
            Turn::Modern(server, waiting) => {
                self.phase = Phase::ModernServer(server);
                waiting
            }
            Turn::Legacy(server, waiting) => {
                self.phase = Phase::LegacyServer(server);
                waiting
            }
        };
        for message in waiting {
            self.hear_client(message);
        }
    }
}

#[cfg(test)]
mod tests;
