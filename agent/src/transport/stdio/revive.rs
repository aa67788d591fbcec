//! A new process in the place of a dead one, brought to where that one was.

use super::begin::Begun;
use super::life::{self, Death};
use super::{Outlet, Running};
use crate::transport::Gone;
use crate::transport::failure::NOT_THERE;
use crate::transport::lines::{LineWriter, Read};
use crate::transport::opening::{Agreed, Replay};
use crate::transport::outgoing::{Outgoing, answers, asked_by};
use mcp::{Id, Line, reply};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::process::ChildStdin;
use tokio::time::{sleep, timeout};

/// What a new process gets to take up the conversation.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines that it may say before it has answered `initialize`.
const MOST_BEFORE: usize = 256;

/// What the reading end hears of the writing one while no process runs.
pub(super) enum Successor {
    Process {
        running: Box<Running>,
        heard: VecDeque<Line>,
        swallowed: Vec<Id>,
    },
    /// In the server's place.
    Answers(Vec<Line>),
    Over(Gone),
}

/// Why there is no new process.
enum Unrevived {
    /// The next call may try again.
    Now(String),
    ForGood(Gone),
}

/// A new process did not take up the conversation.
enum Stumbled {
    Died,
    Silent,
    Another(String),
}

/// It did.
struct TakenUp {
    heard: VecDeque<Line>,
    swallowed: Vec<Id>,
}

impl Outlet {
    /// Only a request is worth a start: of anything else nobody would notice that it was not heard.
    pub(super) async fn send_to_a_new_one(&mut self, message: Vec<u8>) {
        let asked = asked_by(&message);
        if asked.is_empty() {
            return;
        }
        let outgoing = Outgoing::read(message);
        let begins = outgoing.is("initialize");
        let successor = match self.revive(begins, outgoing.bytes.into()).await {
            Ok(successor) => successor,
            Err(Unrevived::Now(why)) => {
                tracing::warn!("{why}");
                self.beginner.standing.ended(&why, None);
                let answer = |id| Line::Whole(reply::error(Some(id), NOT_THERE, &why, None));
                Successor::Answers(asked.iter().map(answer).collect())
            }
            Err(Unrevived::ForGood(gone)) => {
                self.beginner.standing.failing(&gone.why);
                Successor::Over(gone)
            }
        };
        if let Some(successors) = &self.successors {
            // The other end is gone only when the guard is ending.
            let _ = successors.send(successor);
        }
    }

    /// Starts processes until one has taken up the conversation and the message.
    async fn revive(&mut self, begins: bool, message: Vec<u8>) -> Result<Successor, Unrevived> {
        loop {
            sleep(self.life.wait()).await;
            let clearance = self.beginner.standing.clearance();
            if let Some(why) = clearance.bar().await {
                return Err(Unrevived::Now(why));
            }
            let replay = match self.life.begin().filter(|_| !begins) {
                Some(replay) => Some(clearance.still(replay).await),
                None => None,
            };
            let Begun { mut stdin, mut running } = self.beginner.begin().map_err(|error| {
                let name = self.beginner.name();
                Unrevived::Now(format!("the server `{name}` ended, and cannot be started again: {error}"))
            })?;
            let taken_up = match timeout(PATIENCE, take_up(replay, &mut stdin, &mut running)).await {
                Ok(taken_up) => taken_up,
                Err(_) => Err(Stumbled::Silent),
            };
            match taken_up {
                Ok(TakenUp { heard, swallowed }) => {
                    if stdin.send(message.clone()).await.is_err() {
                        self.stumble(&mut running, Stumbled::Died).await?;
                        continue;
                    }
                    self.beginner.standing.begun_anew("a new process has taken up the conversation");
                    self.stdin = Some(stdin);
                    self.life.up();
                    return Ok(Successor::Process { running: Box::new(running), heard, swallowed });
                }
                Err(stumbled) => self.stumble(&mut running, stumbled).await?,
            }
        }
    }

    /// May another process be tried?
    async fn stumble(&self, running: &mut Running, how: Stumbled) -> Result<(), Unrevived> {
        let name = self.beginner.name();
        match how {
            Stumbled::Died => {
                let gone = running.gone().await;
                let last_words = running.last_words.said();
                match self.life.die() {
                    Death::OfThisOne => Ok(()),
                    Death::OfAll => Err(Unrevived::ForGood(gone)),
                    Death::TooOften(times) => {
                        let why = life::too_often(&gone.why, times, &last_words);
                        Err(Unrevived::ForGood(Gone { why, exit: gone.exit }))
                    }
                }
            }
            Stumbled::Silent => {
                running.end().await;
                let seconds = PATIENCE.as_secs();
                let why = "was started again and has not answered `initialize`";
                Err(Unrevived::Now(format!("the server `{name}` ended; it {why} in {seconds} s")))
            }
            Stumbled::Another(how) => {
                running.end().await;
                let why = "the process started in its place is another server for the client";
                let why =
                    format!("the server `{name}` ended, and {why}: {how}. Reconnect it (in Claude: /mcp)");
                Err(Unrevived::ForGood(Gone { why, exit: 1 }))
            }
        }
    }
}

/// Plays the opening of the conversation to a new process.
async fn take_up(
    replay: Option<Replay>,
    stdin: &mut LineWriter<ChildStdin>,
    running: &mut Running,
) -> Result<TakenUp, Stumbled> {
    let mut taken_up = TakenUp { heard: VecDeque::new(), swallowed: Vec::new() };
    let Some(replay) = replay else { return Ok(taken_up) };
    say(stdin, replay.initialize).await?;
    let answer = loop {
        match running.lines.next().await {
            Read::Line(Line::Whole(line)) if answers(&line, &replay.id) => break line,
            Read::Line(line) if taken_up.heard.len() < MOST_BEFORE => taken_up.heard.push_back(line),
            Read::Line(_) => return Err(Stumbled::Silent),
            Read::HalfLine(_) | Read::End => return Err(Stumbled::Died),
        }
    };
    let new = Agreed::read(&answer)
        .ok_or_else(|| Stumbled::Another("it answers `initialize` with an error".to_owned()))?;
    if let Some(how) = replay.agreed.differs(&new) {
        return Err(Stumbled::Another(how));
    }
    if let Some(initialized) = replay.initialized {
        say(stdin, initialized).await?;
    }
    for (id, request) in replay.requests {
        say(stdin, request).await?;
        taken_up.swallowed.push(id);
    }
    Ok(taken_up)
}

async fn say(stdin: &mut LineWriter<ChildStdin>, message: Vec<u8>) -> Result<(), Stumbled> {
    stdin.send(message).await.map_err(|_| Stumbled::Died)
}
