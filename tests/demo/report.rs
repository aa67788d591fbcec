//! What the demo says: for a person, or one JSON line per step.

use serde_json::json;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

/// Counts and prints the steps.
#[derive(Debug)]
pub struct Report {
    json: bool,
    colour: bool,
    started: Instant,
    steps: usize,
    failed: usize,
}

impl Report {
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour, started: Instant::now(), steps: 0, failed: 0 }
    }

    /// A heading between steps.
    pub fn chapter(&self, title: &str) {
        if !self.json {
            say(&format!(
                "\n{}",
                if self.colour { format!("\u{1b}[1m{title}\u{1b}[0m") } else { title.to_owned() }
            ));
        }
    }

    /// Lives through one step: `what` is what happens, the returned text what was seen.
    ///
    /// # Errors
    /// The step's own; it has been reported already.
    pub fn step<T: Into<String>>(
        &mut self,
        what: &str,
        act: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        let done = act().map(Into::into);
        let took = start.elapsed();
        self.steps += 1;
        let (ok, detail) = match &done {
            Ok(detail) => (true, detail.clone()),
            Err(error) => (false, format!("{error:#}")),
        };
        self.failed += usize::from(!ok);
        if self.json {
            say(&json!({"step": self.steps, "what": what, "ok": ok, "detail": detail,
                        "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX)})
            .to_string());
        } else {
            self.print(ok, what, &detail, took.as_secs_f64());
        }
        match done {
            Ok(_) => Ok(()),
            Err(error) => Err(error.context(Reported)),
        }
    }

    fn print(&self, ok: bool, what: &str, detail: &str, seconds: f64) {
        let mark = match (ok, self.colour) {
            (true, true) => "\u{1b}[32m✓\u{1b}[0m",
            (true, false) => "ok  ",
            (false, true) => "\u{1b}[31m✗\u{1b}[0m",
            (false, false) => "FAIL",
        };
        let time =
            if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") };
        say(&format!("{mark} {:2}. {what}  ({time})", self.steps));
        for line in detail.lines() {
            say(&format!("       {line}"));
        }
    }

    /// Something to read that is no step.
    pub fn note(&self, text: &str) {
        if !self.json {
            say(text);
        }
    }

    /// What ended the story early, unless a step said it already.
    pub fn broken(&mut self, error: &anyhow::Error) {
        if error.downcast_ref::<Reported>().is_none() {
            self.failed += 1;
            if self.json {
                say(&json!({"what": "demo", "ok": false, "detail": format!("{error:#}")}).to_string());
            } else {
                say(&format!("FAIL {error:#}"));
            }
        }
    }

    pub fn finish(&self) -> ExitCode {
        let ok = self.failed == 0;
        if self.json {
            let word = if ok { "ok" } else { "failed" };
            say(&json!({"demo": word, "steps": self.steps, "failed": self.failed}).to_string());
        } else {
            let seconds = self.started.elapsed().as_secs_f64();
            say(&format!("\n{} steps, {} failed, {seconds:.0} s", self.steps, self.failed));
        }
        if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Marks an error that a step has printed.
#[derive(Debug, Clone, Copy)]
struct Reported;

impl std::fmt::Display for Reported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the demo ended at a step that failed")
    }
}

/// A closed stdout (`| head`) ends the talking, not the story.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
