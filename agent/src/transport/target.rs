//! The one server a guard stands in front of: a command line, or an address.

use crate::transport::clearance::Clearance;
use crate::transport::http::{BadHeaders, SecretHeaders};
use crate::transport::standing::{self, Standing, Turn};
use crate::transport::stdio::HEADERS_VARIABLE;
use crate::transport::{Inlet, Outlet, absent, bridged, http, sse, stdio};
use policy::ServerIdentity;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use tokio::sync::mpsc;
use url::Url;

/// As shells have it.
const EXIT_NOT_FOUND: u8 = 127;
const EXIT_NOT_EXECUTABLE: u8 = 126;
const EXIT_HELD_BACK: u8 = 1;

#[derive(Clone)]
pub struct Target {
    identity: ServerIdentity,
    way: Way,
    given: Given,
}

/// What an entry gives its server where no client has put it into our own environment.
#[derive(Clone, Default)]
pub struct Given {
    pub env: Vec<(String, String)>,
    pub headers: Option<SecretHeaders>,
}

#[derive(Clone)]
enum Way {
    Command(Vec<OsString>),
    Http(Url),
    Sse(Url),
}

impl Way {
    fn told(&self) -> standing::Way {
        match self {
            Self::Command(_) => standing::Way::Command,
            Self::Http(_) => standing::Way::Http,
            Self::Sse(_) => standing::Way::Sse,
        }
    }
}

/// What stands at the server's end of a conversation.
pub trait Reach {
    fn identity(&self) -> ServerIdentity;

    /// Starts or dials it. Where that fails, the ends are those of a server that says why.
    fn reach(self, whence: Whence<'_>) -> (Outlet, Inlet);
}

/// From which conversation a server is reached.
pub struct Whence<'a> {
    /// How servers stand is written there (see [`standing`](crate::transport::standing)).
    pub standings: PathBuf,
    /// Where the record hears of it when the server ends and is begun anew.
    pub turns: mpsc::UnboundedSender<Turn>,
    /// Whom its transport asks before it does or says something of its own accord.
    pub clearance: Clearance,
    /// The entry's name.
    pub entry: &'a str,
}

/// What the command line names is no server.
#[derive(Debug, thiserror::Error)]
pub enum UnknownTarget {
    #[error("no server is named: give a command after `--`, or an address")]
    Nothing,
    #[error("`{0}` is not an address of an MCP server: an absolute http or https URL is needed")]
    NotAnAddress(String),
}

impl Target {
    /// # Errors
    /// See [`UnknownTarget`].
    pub fn named_by(
        http: Option<&str>,
        sse: Option<&str>,
        command: Vec<OsString>,
    ) -> Result<Self, UnknownTarget> {
        let address = |text: &str| {
            let not_an_address = || UnknownTarget::NotAnAddress(text.to_owned());
            let identity = ServerIdentity::from_url(text).map_err(|_| not_an_address())?;
            Ok((identity, Url::parse(text).map_err(|_| not_an_address())?))
        };
        let (identity, way) = match (http, sse, command.as_slice()) {
            (Some(text), ..) => address(text).map(|(identity, url)| (identity, Way::Http(url)))?,
            (None, Some(text), _) => address(text).map(|(identity, url)| (identity, Way::Sse(url)))?,
            (None, None, [program, args @ ..]) => {
                let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
                (ServerIdentity::from_command(&program.to_string_lossy(), &args), Way::Command(command))
            }
            (None, None, []) => return Err(UnknownTarget::Nothing),
        };
        Ok(Self { identity, way, given: Given::default() })
    }

    pub fn identity(&self) -> ServerIdentity {
        self.identity.clone()
    }

    /// Its program, where that plainly cannot be found.
    pub fn missing_program(&self) -> Option<String> {
        let Way::Command(command) = &self.way else { return None };
        let program = command.first()?;
        platform::programs::is_missing(program, std::env::var_os("PATH").as_deref())
            .then(|| program.to_string_lossy().into_owned())
    }

    #[must_use]
    pub fn given(self, given: Given) -> Self {
        Self { given, ..self }
    }

    /// With the headers that our own environment names, where it is a remote server; in a trial they were put
    /// there by hand.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn with_our_headers(self, trial: bool) -> Result<Self, BadHeaders> {
        if matches!(self.way, Way::Command(_)) {
            return Ok(self);
        }
        let headers = match std::env::var(HEADERS_VARIABLE) {
            Ok(json) => SecretHeaders::parse(&json)?,
            Err(std::env::VarError::NotPresent) => SecretHeaders::default(),
            Err(std::env::VarError::NotUnicode(_)) => return Err(BadHeaders::NotUnicode),
        };
        Ok(self.given(Given { headers: Some(headers.by_hand(trial)), ..Given::default() }))
    }
}

impl Reach for Target {
    fn identity(&self) -> ServerIdentity {
        self.identity.clone()
    }

    fn reach(self, whence: Whence<'_>) -> (Outlet, Inlet) {
        let Whence { standings, turns, clearance, entry } = whence;
        let standing = Standing::in_folder(&standings, entry, self.identity.as_str(), self.way.told());
        let standing = standing.telling(Some(turns)).cleared_by(clearance.clone());
        let Given { env, headers } = self.given;
        let headers = headers.unwrap_or_default();
        let ends = match self.way {
            Way::Command(command) => start(command, env, &standing),
            Way::Http(url) => reached(http::dial(url, headers, standing)),
            Way::Sse(url) => reached(sse::dial(url, headers, standing)),
        };
        bridged::over(ends, clearance)
    }
}

/// The ends of a server that is neither started nor dialled, since policy lets the member do nothing with it.
pub fn held_back(why: String) -> (Outlet, Inlet) {
    tracing::warn!("{why}");
    absent::server(why, EXIT_HELD_BACK)
}

fn start(command: Vec<OsString>, env: Vec<(String, String)>, standing: &Standing) -> (Outlet, Inlet) {
    let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    match stdio::start(command, env, standing.clone()) {
        Ok((outlet, server)) => (Outlet::Pipe(Box::new(outlet)), Inlet::Pipe(Box::new(server))),
        Err(error) => {
            let (why, exit) = match error.kind() {
                io::ErrorKind::NotFound => ("it was not found".to_owned(), EXIT_NOT_FOUND),
                io::ErrorKind::PermissionDenied => ("it may not be executed".to_owned(), EXIT_NOT_EXECUTABLE),
                _ => (error.to_string(), EXIT_NOT_EXECUTABLE),
            };
            let why = format!("the server's command `{program}` cannot be started: {why}");
            standing.failing(&why);
            absent_because(why, exit)
        }
    }
}

fn reached(dialled: Result<(Outlet, Inlet), reqwest::Error>) -> (Outlet, Inlet) {
    dialled.unwrap_or_else(|error| {
        absent_because(format!("the guard cannot use HTTP on this machine: {error}"), 1)
    })
}

fn absent_because(why: String, exit: u8) -> (Outlet, Inlet) {
    tracing::error!("{why}");
    absent::server(why, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_server_is_said_so() {
        assert!(matches!(Target::named_by(None, None, Vec::new()), Err(UnknownTarget::Nothing)));
        for text in ["mcp.example", "file:///x", "ftp://mcp.example/"] {
            let named = Target::named_by(Some(text), None, Vec::new());
            assert!(matches!(named, Err(UnknownTarget::NotAnAddress(_))), "{text}");
        }
    }
}
