//! One question to the resident, for the command line.

use super::{FromResident, Lines, ToResident, write_message};
use platform::Layout;
use platform::ipc::{IpcError, Stream};
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(5);

/// Why the resident did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Ipc(#[from] IpcError),
    #[error("the resident did not answer in {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the resident hung up: {0}")]
    HungUp(#[from] std::io::Error),
    #[error("the resident could not do it: {0}")]
    Failed(String),
}

impl AskError {
    /// No resident is running; nothing is wrong with the question.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Ipc(error) if error.is_absent())
    }
}

/// # Errors
/// See [`AskError`].
pub async fn ask(layout: &Layout, question: &ToResident) -> Result<FromResident, AskError> {
    ask_within(ANSWER, layout, question).await
}

/// The same, of what may take longer.
///
/// # Errors
/// See [`AskError`].
pub async fn ask_within(
    patience: Duration,
    layout: &Layout,
    question: &ToResident,
) -> Result<FromResident, AskError> {
    let asked = async {
        let (read, mut write) = tokio::io::split(Stream::connect(layout).await?);
        write_message(&mut write, question).await?;
        let mut lines = Lines::new(read);
        loop {
            let answer = lines.next().await?.ok_or(std::io::ErrorKind::UnexpectedEof);
            let answer = answer.map_err(std::io::Error::from)?;
            match serde_json::from_slice(&answer).map_err(std::io::Error::from)? {
                // News for everybody that listens; no answer.
                FromResident::PolicyChanged { .. } => {}
                FromResident::Failed { message } => return Err(AskError::Failed(message)),
                answer => return Ok(answer),
            }
        }
    };
    tokio::time::timeout(patience, asked).await.unwrap_or(Err(AskError::Silent(patience)))
}
