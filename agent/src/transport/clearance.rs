//! What a transport does or says of its own accord is asked of the policy in force first: another process or
//! session in the place of a lost one, what that has to hear again, the bridge's own words. Since the client
//! said it, policy may have changed.
//!
//! A transport asks, and whoever holds the conversation answers; nothing is decided here. Where nobody holds
//! it any more the answer is no. A transport that was given nobody to ask (tests) may do everything.

use crate::transport::opening::Replay;
use std::convert::Infallible;
use tokio::sync::{mpsc, oneshot};

/// What a transport wants to do.
#[derive(Debug)]
pub enum Wish {
    /// To begin with the server anew.
    Begin,
    /// To say this to it.
    Say(Vec<u8>),
}

struct Question {
    wish: Wish,
    /// Why not, if not.
    answer: oneshot::Sender<Option<String>>,
}

/// Where a transport asks.
#[derive(Clone, Default)]
pub struct Clearance(Option<mpsc::UnboundedSender<Question>>);

/// Where it is answered.
pub struct Questions(mpsc::UnboundedReceiver<Question>);

impl Clearance {
    pub fn asked() -> (Self, Questions) {
        let (asks, asked) = mpsc::unbounded_channel();
        (Self(Some(asks)), Questions(asked))
    }

    /// Why the server must not be begun with anew, if it must not be.
    pub async fn bar(&self) -> Option<String> {
        self.ask(Wish::Begin).await
    }

    /// May this be said to the server?
    pub async fn lets_say(&self, message: &[u8]) -> bool {
        match self.ask(Wish::Say(message.to_vec())).await {
            None => true,
            Some(why) => {
                tracing::info!("something is not said to the server in the client's name: {why}");
                false
            }
        }
    }

    /// Of what a new server has to hear again, what policy still lets be said.
    pub async fn still(&self, mut replay: Replay) -> Replay {
        let mut requests = Vec::new();
        for (id, request) in replay.requests {
            if self.lets_say(&request).await {
                requests.push((id, request));
            }
        }
        replay.requests = requests;
        replay
    }

    async fn ask(&self, wish: Wish) -> Option<String> {
        let asks = self.0.as_ref()?;
        let (answer, answered) = oneshot::channel();
        let over = || Some("the conversation is over".to_owned());
        if asks.send(Question { wish, answer }).is_err() {
            return over();
        }
        answered.await.unwrap_or_else(|_| over())
    }
}

impl Questions {
    /// Never ends; the guard drops it. `objects` says why not.
    pub async fn answer(&mut self, objects: impl Fn(Wish) -> Option<String>) -> Infallible {
        while let Some(Question { wish, answer }) = self.0.recv().await {
            // Whoever asked may have given up meanwhile.
            let _ = answer.send(objects(wish));
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_begun_or_said_once_nobody_holds_the_conversation() {
        let (clearance, questions) = Clearance::asked();
        drop(questions);
        assert!(clearance.bar().await.is_some() && !clearance.lets_say(b"{}").await);
        let (clearance, mut questions) = Clearance::asked();
        let answers = questions.answer(|wish| matches!(wish, Wish::Begin).then(|| "no".to_owned()));
        tokio::select! {
            biased;
            (bar, says) = async { (clearance.bar().await, clearance.lets_say(b"{}").await) } => {
                assert_eq!((bar.as_deref(), says), (Some("no"), true));
            }
            never = answers => match never {},
        }
    }
}
