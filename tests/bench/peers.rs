//! The peers that npm, PyPI and the Rust registry give, in pinned versions, with their own defaults; none of
//! them with a record that survives its death.

mod commands;
mod install;

use crate::contestants::Contestant;
use crate::stage::Stage;
use anyhow::Result;
use std::path::{Path, PathBuf};

pub use install::Registry;

/// A package, and the ways on which it can be measured.
pub struct Peer {
    /// What the tables call it.
    pub name: &'static str,
    /// The folder it is installed in.
    folder: &'static str,
    registry: Registry,
    /// With their versions; the first is the peer.
    packages: &'static [&'static str],
    /// The program, from the folder.
    program: &'static str,
    contestants: fn(&Peer, &Installed<'_>) -> Result<Vec<Contestant>>,
}

/// What a peer's configuration may need to know.
pub struct Installed<'a> {
    program: PathBuf,
    /// For its configuration file.
    scratch: PathBuf,
    server: &'a Path,
    url: &'a str,
}

/// Known, and in no registry: `cargo`, `npm` and `pip` cannot give them.
pub const NOT_IN_A_REGISTRY: &str =
    "avelino/mcp, mcp-guardian, agentgateway, TBXark mcp-proxy, Docker mcp-gateway (source only)";

pub const ALL: &[Peer] = &[
    Peer {
        name: "mcp-shield 0.7.0 (Rust), SQLite audit",
        folder: "mcp-shield",
        registry: Registry::Cargo,
        packages: &["mcp-shield@0.7.0"],
        program: "bin/gateway",
        contestants: commands::mcp_shield,
    },
    Peer {
        name: "mcp-proxy 0.6.0 (Rust)",
        folder: "mcp-proxy-rust",
        registry: Registry::Cargo,
        packages: &["mcp-proxy@0.6.0"],
        program: "bin/mcp-proxy",
        contestants: commands::mcp_proxy_rust,
    },
    Peer {
        name: "mcp-fw 0.2.8 (Python)",
        folder: "mcp-fw",
        registry: Registry::Pypi,
        packages: &["mcp-fw==0.2.8", "mcp==1.30.0"],
        program: "bin/mcp-fw",
        contestants: commands::mcp_fw,
    },
    Peer {
        name: "Lasso mcp-gateway 1.2.1 (Python)",
        folder: "lasso",
        registry: Registry::Pypi,
        packages: &["mcp-gateway==1.2.1", "mcp==1.30.0"],
        program: "bin/mcp-gateway",
        contestants: commands::lasso,
    },
    Peer {
        name: "supergateway 4.0.0 (Node)",
        folder: "supergateway",
        registry: Registry::Npm,
        packages: &["supergateway@4.0.0"],
        program: "node_modules/.bin/supergateway",
        contestants: commands::supergateway,
    },
    Peer {
        name: "mcp-remote 0.15.1 (Node)",
        folder: "mcp-remote",
        registry: Registry::Npm,
        packages: &["mcp-remote@0.15.1"],
        program: "node_modules/.bin/mcp-remote",
        contestants: commands::mcp_remote,
    },
    Peer {
        name: "sparfenyuk mcp-proxy 0.13.0 (Python)",
        folder: "mcp-proxy-python",
        registry: Registry::Pypi,
        packages: &["mcp-proxy==0.13.0"],
        program: "bin/mcp-proxy",
        contestants: commands::mcp_proxy_python,
    },
    Peer {
        name: "FastMCP 4.1.2 (Python)",
        folder: "fastmcp",
        registry: Registry::Pypi,
        packages: &["fastmcp==4.1.2"],
        program: "bin/fastmcp",
        contestants: commands::fastmcp,
    },
];

impl Peer {
    /// Its contestants, installed first where that is needed.
    pub fn contestants(&self, server: &Path, stage: &Stage) -> Result<Vec<Contestant>> {
        let folder = self.registry.install(self.folder, self.packages)?;
        let scratch = stage.folder().join(self.folder);
        std::fs::create_dir_all(&scratch)?;
        let program = folder.join(self.program);
        anyhow::ensure!(program.exists(), "it was installed, but {} is not there", self.program);
        (self.contestants)(self, &Installed { program, scratch, server, url: &stage.url })
    }
}
