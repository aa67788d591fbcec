//! The resident's end of the local socket, in a test's hands.

use crate::client::PATIENCE;
use platform::ipc::{Listener, Stream};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

/// One connection of a guard's.
pub struct Line(BufReader<Stream>);

impl Line {
    pub async fn accept(listener: &mut Listener) -> Self {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("a guard dials").unwrap();
        Self(BufReader::new(stream))
    }

    pub async fn hear(&mut self) -> Value {
        let mut line = String::new();
        timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("the guard speaks").unwrap();
        serde_json::from_str(&line).unwrap_or_default()
    }

    pub async fn say(&mut self, word: &Value) {
        self.0.write_all(format!("{word}\n").as_bytes()).await.unwrap();
    }

    /// Hears records until one of that kind has come; all sequence numbers on the way.
    pub async fn records_until(&mut self, kind: &str) -> Vec<u64> {
        let mut seqs = Vec::new();
        loop {
            let message = self.hear().await;
            let records = message["records"]["records"].as_array().unwrap_or_else(|| panic!("{message}"));
            seqs.extend(records.iter().map(|record| record["seq"].as_u64().unwrap()));
            if records.iter().any(|record| record["kind"] == kind) {
                return seqs;
            }
        }
    }
}
