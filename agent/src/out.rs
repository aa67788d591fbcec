//! The one writer of the face: lines for people, JSON for programs, and the exit code.
//!
//! Texts of anybody's making come through here, so whatever a terminal would obey is escaped; only the
//! colours of [`Out::tone`] pass, which nobody else can write.
//!
//! Not for the guard (its stdout is the protocol) and not for logs (those go to stderr by `tracing`).

use contract::printable;
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use uuid::Uuid;

/// How a command ended; documented in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    Usage,
    NotEnrolled,
    Problems,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotEnrolled => 3,
            Exit::Problems => 4,
        })
    }
}

/// What a word means to the reader; colour on a terminal, nothing when piped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warn,
    Bad,
    Faint,
    Strong,
}

#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
    colour: bool,
}

impl Out {
    #[must_use]
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour: colour && !json }
    }

    /// One line for people; nothing under `--json`.
    pub fn say(self, line: impl Display) {
        if !self.json {
            write_line(&mut std::io::stdout().lock(), &line);
        }
    }

    /// One JSON document on one line, for programs; nothing without `--json`.
    pub fn value(self, value: &impl Serialize) {
        if self.json {
            match serde_json::to_string(value) {
                Ok(text) => write(&mut std::io::stdout().lock(), &printable::json(&text)),
                Err(error) => write_line(&mut std::io::stderr().lock(), &error),
            }
        }
    }

    /// Why it failed: a sentence on stderr; under `--json` `{"error": …}` on stdout instead.
    pub fn problem(self, sentence: &(impl Display + ?Sized)) {
        self.problem_as(sentence, &serde_json::json!({ "error": sentence.to_string() }));
    }

    /// The same where programs are told more than a sentence.
    pub fn problem_as(self, sentence: &(impl Display + ?Sized), value: &impl Serialize) {
        if self.json {
            self.value(value);
        } else {
            write_line(&mut std::io::stderr().lock(), &format_args!("portreeve: {sentence}"));
        }
    }

    /// A word in its colour.
    #[must_use]
    pub fn tone(self, tone: Tone, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let seal = SEAL.as_str();
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("{seal}{code}m{text}{seal}0m")
    }
}

/// Stands for "here a colour begins or ends" until the line is written.
static SEAL: LazyLock<String> = LazyLock::new(|| format!("\x1b{}[", Uuid::now_v7().simple()));

/// A reader that went away (`portreeve status | head -1`) is no failure of ours.
fn write_line(to: &mut impl Write, line: &impl Display) {
    let line = line.to_string();
    let parts: Vec<String> = line.split(SEAL.as_str()).map(printable::line).collect();
    write(to, &parts.join("\x1b["));
}

fn write(to: &mut impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_a_tool_name_that_steers_the_terminal() {
        let out = Out { json: false, colour: true };
        let tool = "\x1b]52;c;ZXZpbA==\x07\x1b[32mok\u{9b}2J\u{202e}x\nFORGED";
        let mut written = Vec::new();
        write_line(&mut written, &format_args!("{} {tool}", out.tone(Tone::Bad, tool)));
        let shown = "\\u{1b}]52;c;ZXZpbA==\\u{7}\\u{1b}[32mok\\u{9b}2J\\u{202e}x FORGED";
        assert_eq!(String::from_utf8(written).unwrap(), format!("\x1b[31m{shown}\x1b[0m {shown}\n"));
    }
}
