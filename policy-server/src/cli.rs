//! The command line: `serve`, and what admins do from a shell.
//!
//! Every other command speaks to the running server through its own API, so that a change is signed and
//! pushed at once. Where no server runs on the folder, the same API is answered in this process.

mod arguments;
mod commands;
mod connection;
mod output;
mod policy_file;
mod record_file;
mod running;

use arguments::{Arguments, Command};
use output::Out;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command did not do what it was asked. The text is for the person at the shell.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("which server? Say --data DIR, the folder it was started with")]
    NoData,
    #[error("{0}")]
    Said(String),
    /// The server answered with a problem.
    #[error("{detail}")]
    Answered { code: String, detail: String, problems: Vec<policy::Problem> },
    #[error("{0} has {n} problem(s)", n = .1.len())]
    Policy(PathBuf, Vec<policy::Problem>),
    #[error("the record has {0} problem(s)")]
    Record(u64),
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("the running server cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Folder(#[from] crate::serve::FolderError),
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    #[error("nothing can be written out: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// Listed in `--help`.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Policy(..) | Self::Record(_) => 3,
            Self::Answered { problems, .. } if !problems.is_empty() => 3,
            Self::NoData => 2,
            Self::Serve(error) if error.is_usage() => 2,
            _ => 1,
        }
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::of_process();
    let out = Out::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return out.failure(&CliError::Output(error)),
    };
    match runtime.block_on(run(arguments, out)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has seen enough (`| head`).
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => out.failure(&error),
    }
}

async fn run(arguments: Arguments, out: Out) -> Result<(), CliError> {
    let data = arguments.data;
    match arguments.command {
        Command::Serve(serve) => running::serve(data.ok_or(CliError::NoData)?, serve, out).await,
        Command::Policy(arguments::Policy::Check { file }) => policy_file::check(&file, out),
        Command::Policy(arguments::Policy::Explain(explain)) if !explain.current => {
            policy_file::explain(&explain, out)
        }
        Command::Records(arguments::Records::Verify { file: Some(file), partial }) => {
            record_file::verify(&file, partial, out)
        }
        Command::Openapi => Ok(out.json(&crate::http::openapi::document())?),
        command => {
            let server = connection::Connection::open(&data.ok_or(CliError::NoData)?).await?;
            let done = commands::run(command, &server, out).await;
            server.close().await;
            done
        }
    }
}
