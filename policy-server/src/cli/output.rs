//! The one place that writes to standard output and error. Records hold names of anybody's making, so
//! whatever a terminal would obey is escaped here.

use super::CliError;
use crate::clock::from_ms;
use contract::printable;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// How a command speaks: to a person, or to a program.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    pub for_programs: bool,
}

/// One column of a table: its heading, and what stands in it for one item.
pub type Column = (&'static str, fn(&Value) -> String);

impl Out {
    pub fn new(for_programs: bool) -> Self {
        Self { for_programs }
    }

    #[expect(clippy::unused_self, reason = "all that is printed goes through the one writer")]
    pub fn line(self, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", printable::line(text))
    }

    /// As it is, without a line end of ours: a file or another program gets every byte, and a terminal
    /// what it can show.
    #[expect(clippy::unused_self, reason = "all that is printed goes through the one writer")]
    pub fn bytes(self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if stdout.is_terminal() {
            return stdout.write_all(printable::lines(&String::from_utf8_lossy(bytes)).as_bytes());
        }
        stdout.write_all(bytes)
    }

    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        self.document(&serde_json::to_string(value)?)
    }

    /// A JSON document as it came, its unprintable characters written as JSON writes them.
    #[expect(clippy::unused_self, reason = "all that is printed goes through the one writer")]
    pub fn document(self, json: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", printable::json(json))
    }

    /// For the person, beside what a pipe takes away: on standard error. Programs are told in the JSON.
    pub fn aside(self, text: &str) -> io::Result<()> {
        if self.for_programs { Ok(()) } else { writeln!(io::stderr().lock(), "{}", printable::line(text)) }
    }

    /// The items as they came for programs, as a table for people.
    pub fn table(self, items: &Value, columns: &[Column], nothing: &str) -> io::Result<()> {
        if self.for_programs {
            return self.json(items);
        }
        let rows: Vec<Vec<String>> = items
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| columns.iter().map(|(_, cell)| printable::line(&cell(item))).collect())
            .collect();
        if rows.is_empty() {
            return self.line(nothing);
        }
        let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let all: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
        let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        for row in &all {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Said on standard error; gives the exit code.
    pub fn failure(self, error: &CliError) -> ExitCode {
        let mut stderr = io::stderr().lock();
        // Where standard error is gone there is nobody left to tell.
        let _ = if self.for_programs {
            writeln!(stderr, "{}", printable::json(&failure_json(error).to_string()))
        } else {
            problems(error)
                .iter()
                .map(ToString::to_string)
                .chain([format!("portreeve-server: {error}")])
                .try_for_each(|said| writeln!(stderr, "{}", printable::line(&said)))
        };
        ExitCode::from(error.exit_code())
    }
}

fn failure_json(error: &CliError) -> Value {
    let code = match error {
        CliError::Answered { code, .. } => code.as_str(),
        CliError::Policy(..) => "policy-has-problems",
        CliError::Record(_) => "record-has-problems",
        _ => "not-done",
    };
    json!({"error": code, "detail": error.to_string(), "problems": problems(error)})
}

fn problems(error: &CliError) -> Vec<policy::Problem> {
    match error {
        CliError::Policy(_, problems) | CliError::Answered { problems, .. } => problems.clone(),
        _ => Vec::new(),
    }
}

/// A member of an item as text; empty where it is not there.
pub fn text(item: &Value, name: &str) -> String {
    match &item[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Long identities keep their beginning and their end; what tells two apart is mostly there.
pub fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (front, back) = (kept / 2, kept - kept / 2);
    let beginning: String = letters[..front].iter().collect();
    let end: String = letters[letters.len() - back..].iter().collect();
    format!("{beginning}…{end}")
}

/// A Unix time in milliseconds, to the second.
pub fn when(item: &Value, name: &str) -> String {
    use time::macros::format_description;
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    item[name].as_i64().and_then(from_ms).and_then(|time| time.format(&form).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_identity_keeps_both_ends() {
        assert_eq!(shortened("npm:short", 20), "npm:short");
        assert_eq!(shortened("exec:/opt/very/long/way/to/deploy-mcp", 16), "exec:/o…ploy-mcp");
        assert_eq!(shortened("äöüäöüäöü", 5), "äö…öü");
    }
}
