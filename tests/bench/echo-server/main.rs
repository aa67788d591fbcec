//! The MCP server of the benchmark: one tool, `echo`, that answers with as much text as was asked for.
//! It costs far less than anything that is measured in front of it.
//!
//! `bench-echo-server` · `bench-echo-server --http` (prints its URL, serves until its stdin ends)

mod answer;
mod http;

use answer::Answers;
use std::io::{BufRead, Write};

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == "--http") { http::serve() } else { serve_stdio() }
}

/// One write an answer, as every server of the field does.
fn serve_stdio() -> anyhow::Result<()> {
    let mut answers = Answers::default();
    let mut input = std::io::BufReader::with_capacity(64 * 1024, std::io::stdin().lock());
    // Past Rust's own buffer, which looks for line ends in a megabyte.
    let mut output = std::fs::File::options().write(true).open("/proc/self/fd/1")?;
    let (mut line, mut answer) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        answer.clear();
        if answers.write(&line, &mut answer) {
            answer.push(b'\n');
            output.write_all(&answer)?;
        }
    }
}
