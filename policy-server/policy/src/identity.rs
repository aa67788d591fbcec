//! What is run, not what it is called: the identity of an MCP server.

use serde::{Deserialize, Serialize};

/// Canonical text of one server's identity: `npm:@scope/name@version`, `pypi:name==version`,
/// `oci:image:tag`, `exec:/path/program args…`, `https://host/path`. Never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerIdentity(String);

impl ServerIdentity {
    /// The identity of a stdio server, from the command line that starts it.
    #[must_use]
    pub fn from_command(_command: &str, _args: &[String]) -> Self {
        todo!()
    }

    /// The identity of a remote server: scheme, host, port where it is not the scheme's own, and
    /// path. Query, fragment and userinfo are left out: they may hold secrets.
    ///
    /// # Errors
    /// The text is not an absolute `http` or `https` URL.
    pub fn from_url(_url: &str) -> Result<Self, String> {
        todo!()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
