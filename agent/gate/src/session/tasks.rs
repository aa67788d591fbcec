//! Tasks: a call that goes on after its answer. What is asked about a task later is judged by what made
//! it; a task that nobody here saw made is a method like any other.

use super::calls::{Ask, recorded_params};
use super::{Open, Session, Waiting};
use crate::judged::{Judged, Release};
use crate::refusal::{self, Named};
use mcp::Message;
use policy::{Feature, Outcome};
use std::collections::{HashMap, VecDeque};

/// So many tasks of each side are remembered, the oldest forgotten first.
const MAX_TASKS: usize = 4096;

/// The longest id remembered.
const MAX_ID_BYTES: usize = 1024;

/// These give or take content and are on record each; a poll is not.
const RECORDED: &[&str] = &["tasks/result", "tasks/update"];

/// Tasks of one side by id, each with what made it.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    makers: HashMap<String, Named>,
    order: VecDeque<String>,
}

impl Tasks {
    pub(super) fn maker(&self, task: &str) -> Option<&Named> {
        self.makers.get(task)
    }

    fn remember(&mut self, task: String, maker: Named) {
        if task.len() > MAX_ID_BYTES || self.makers.contains_key(&task) {
            // Who made a task first made it: another answer under its id does not move it.
            return;
        }
        if self.order.len() >= MAX_TASKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.makers.remove(&oldest);
        }
        self.order.push_back(task.clone());
        self.makers.insert(task, maker);
    }
}

impl Session {
    /// The server's answer may say that a tool's call goes on as a task.
    pub(super) fn remember_task(&mut self, message: &Message, open: &Open) {
        if let Some(named) = open.call().and_then(|call| call.named.as_ref())
            && named.feature == Feature::Tool
            && let Some(task) = message.made_task()
        {
            self.server_tasks.remember(task, named.clone());
        }
    }

    /// The client's answer may say that it does what the server asked as a task.
    pub(super) fn remember_client_task(&mut self, message: &Message, open: &Open) {
        if let Some(named) = open.call().and_then(|call| call.named.as_ref())
            && let Some(task) = message.made_task()
        {
            self.client_tasks.remember(task, named.clone());
        }
    }

    /// A request about a task of this tool's. Ending a task harms nobody, whatever became of the tool.
    pub(super) fn judge_task(&mut self, message: Message, ask: &Ask<'_>, tool: Named) -> Judged {
        if ask.method == "tasks/cancel" {
            return self.judge_method(message, ask, Waiting::Other);
        }
        let objection = self.objection(&message, &ask.method, ask.rules, ask.now);
        let decision = objection.unwrap_or_else(|| self.decide_somehow(&tool, ask));
        let plain = !RECORDED.contains(&ask.method.as_str()) && !message.says_beyond();
        if decision.outcome() == Outcome::Allowed && plain {
            self.open(ask, Waiting::Other, refusal::naming(&ask.method, Some(&tool)), None);
            return Judged::pass(Release::ToServer(message.into()));
        }
        let params = recorded_params(&message);
        self.enter_call(message, ask, Some(tool), params, &decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_a_task_stays_with_its_maker() {
        let mut tasks = Tasks::default();
        let tool = |name: &str| Named::new(Feature::Tool, name);
        tasks.remember("t".to_owned(), tool("a"));
        tasks.remember("t".to_owned(), tool("b"));
        assert_eq!(tasks.maker("t"), Some(&tool("a")));
        tasks.remember("x".repeat(MAX_ID_BYTES + 1), tool("a"));
        for n in 0..MAX_TASKS {
            tasks.remember(n.to_string(), tool("c"));
        }
        assert_eq!((tasks.makers.len(), tasks.order.len()), (MAX_TASKS, MAX_TASKS));
        assert_eq!(tasks.maker("t"), None, "the oldest is forgotten");
    }
}
