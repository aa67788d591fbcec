//! The floor's law and record: a hash of 1,000 rules, and one `write(2)` a record.

use crate::scan::{Found, scan};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;

pub struct Desk {
    rules: HashMap<Vec<u8>, bool>,
    record: File,
    line: Vec<u8>,
}

impl Desk {
    pub fn open(record: &str) -> std::io::Result<Self> {
        let mut rules: HashMap<Vec<u8>, bool> =
            (0..999).map(|number| (format!("tool_{number}").into_bytes(), true)).collect();
        rules.insert(b"echo".to_vec(), true);
        let record = File::options().create(true).append(true).open(record)?;
        Ok(Self { rules, record, line: Vec::new() })
    }

    /// May this line pass? On record before that is said.
    pub fn passes(&mut self, line: &[u8]) -> std::io::Result<bool> {
        let Found { id, method, tool } = scan(line);
        let allowed = method != b"tools/call" || self.rules.get(tool).copied().unwrap_or_default();
        self.line.clear();
        for (key, value) in [("{\"id\":\"", id), ("\",\"method\":\"", method), ("\",\"tool\":\"", tool)] {
            self.line.extend_from_slice(key.as_bytes());
            self.line.extend_from_slice(value);
        }
        writeln!(self.line, "\",\"allowed\":{allowed}}}")?;
        self.record.write_all(&self.line)?;
        Ok(allowed)
    }
}
