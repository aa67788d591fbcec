//! What is run, not what it is called: the identity of an MCP server.

mod command;
mod parts;
mod remote;

pub use command::{Steered, steering, steers_what_runs};
pub(crate) use parts::{Parts, SCHEMES, canonical_matcher};

use serde::{Deserialize, Serialize};

/// Canonical text of one server's identity: `npm:@scope/name@version`, `pypi:name==version`,
/// `oci:image:tag`, `exec:/path/program args…`, `https://host/path`, `client:claude-code`. Never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerIdentity(String);

impl ServerIdentity {
    /// The identity of a stdio server, from the command line that starts it.
    #[must_use]
    pub fn from_command(command: &str, args: &[String]) -> Self {
        Self(command::identify(command, args))
    }

    /// The identity of a remote server: scheme, host, port where it is not the scheme's own, and
    /// path. Query, fragment and userinfo are left out: they may hold secrets.
    ///
    /// # Errors
    /// The text is not an absolute `http` or `https` URL.
    pub fn from_url(url: &str) -> Result<Self, String> {
        remote::identify(url).map(Self)
    }

    /// An identity that was written down before, from the record or from a command line: taken as
    /// it is, so never for something that is about to be run.
    #[must_use]
    pub fn from_canonical(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
