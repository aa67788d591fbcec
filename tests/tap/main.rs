//! Stands in front of a stdio server and writes down what the server is told, byte for byte.
//!
//! `tap LOG COMMAND…`: the server's stdout and stderr are this program's own. Deliberately knows nothing of
//! MCP: the oracle must not share an opinion with what it judges.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(log), Some(program)) = (arguments.next(), arguments.next()) else {
        return Ok(ExitCode::from(2));
    };
    let mut log = File::options().create(true).append(true).open(log)?;
    let mut server = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn()?;
    let mut told = server.stdin.take();
    std::thread::spawn(move || {
        let mut own = std::io::stdin().lock();
        let mut buffer = vec![0; 64 * 1024];
        while let (Ok(read @ 1..), Some(server)) = (own.read(&mut buffer), told.as_mut()) {
            if log.write_all(&buffer[..read]).and_then(|()| server.write_all(&buffer[..read])).is_err() {
                break;
            }
        }
        drop(told);
    });
    let status = server.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
