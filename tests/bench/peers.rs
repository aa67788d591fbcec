//! The peers that npm, PyPI and the Rust registry give, in pinned versions, each in the shortest configuration that
//! lets everything through; and those that are known and not measured, with the reason.

mod commands;
mod contextforge;
mod install;

use crate::contestants::Contestant;
use crate::results::Absent;
use crate::stage::Stage;
use anyhow::Result;
use std::path::{Path, PathBuf};

pub use install::Registry;

/// A package, and the ways on which it can be measured.
pub struct Peer {
    /// What the tables call it.
    pub name: &'static str,
    /// What it does with a call as it is set up here, and what it does not.
    pub does: &'static str,
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

/// Known, and not measured: who, and why.
const NOT_MEASURED: &[(&str, &str)] = &[
    (
        "avelino/mcp, mcp-guardian, agentgateway, TBXark mcp-proxy, Docker mcp-gateway, ToolHive, AgentKeeper, Obot",
        "in none of the three registries; source or images only",
    ),
    (
        "mcp-gateway 3.5.1 and 4.0.0-beta.3 (Rust)",
        "its licence (PolyForm Noncommercial) does not let every organisation run it",
    ),
    (
        "mcp-guard 1.0.0 (Rust)",
        "its free form speaks HTTP in front of a stdio server alone, which is none of the three ways",
    ),
    ("punkpeye mcp-proxy 6.7.19 (Node)", "speaks HTTP in front of a stdio server alone, likewise"),
    ("mcp-stdio-proxy 0.2.10 (Rust)", "brings a runner of scripts and 490 packages for one relay; not built"),
    (
        "Bifrost, CrowdStrike AIDR proxy, Runlayer, Edison (npm, PyPI, the Rust registry)",
        "what the registry gives fetches a program from elsewhere, or needs an account",
    ),
];

pub fn not_measured() -> impl Iterator<Item = Absent> {
    NOT_MEASURED.iter().map(|(name, why)| Absent { name: (*name).to_owned(), why: (*why).to_owned() })
}

pub const ALL: &[Peer] = &[
    Peer {
        name: "mcp-shield 0.7.0 (Rust)",
        does: "judges by one list of tools and writes a row to SQLite behind the call, so that its death loses rows; by \
               its default policy, since its limiter goes through all calls of the last minute for each one; over stdio \
               without its log, which it writes among the protocol's lines",
        folder: "mcp-shield",
        registry: Registry::Cargo,
        packages: &["mcp-shield@0.7.0"],
        program: "bin/gateway",
        contestants: commands::mcp_shield,
    },
    Peer {
        name: "mcp-proxy 0.6.0 (Rust)",
        does: "forwards, under a prefix; its filters, caches and access log are off; no record",
        folder: "mcp-proxy-rust",
        registry: Registry::Cargo,
        packages: &["mcp-proxy@0.6.0"],
        program: "bin/mcp-proxy",
        contestants: commands::mcp_proxy_rust,
    },
    Peer {
        name: "mcp-hub 0.3.0 (Rust)",
        does: "forwards calls of tools alone, by lists read at its start; no record",
        folder: "mcp-hub",
        registry: Registry::Cargo,
        packages: &["mcp-hub@0.3.0"],
        program: "bin/mcp-hub",
        contestants: commands::mcp_hub,
    },
    Peer {
        name: "mcp-fw 0.2.8 (Python)",
        does: "judges by the effects that it classed each tool under; logs on stderr; no record",
        folder: "mcp-fw",
        registry: Registry::Pypi,
        packages: &["mcp-fw==0.2.8", "mcp==1.30.0"],
        program: "bin/mcp-fw",
        contestants: commands::mcp_fw,
    },
    Peer {
        name: "Lasso mcp-gateway 1.2.1 (Python)",
        does: "forwards, under a prefix; no plugin is loaded; no record",
        folder: "lasso",
        registry: Registry::Pypi,
        packages: &["mcp-gateway==1.2.1", "mcp==1.30.0"],
        program: "bin/mcp-gateway",
        contestants: commands::lasso,
    },
    Peer {
        name: "mcp-hangar 2.34.4 (Python)",
        does: "judges, and logs each call on stderr; called by its own `hangar_call`, since its flat list of tools asks \
               for a tenant, whom stdio cannot name; no record on disk",
        folder: "mcp-hangar",
        registry: Registry::Pypi,
        packages: &["mcp-hangar==2.34.4"],
        program: "bin/mcp-hangar",
        contestants: commands::mcp_hangar,
    },
    Peer {
        name: "supergateway 4.0.0 (Node)",
        does: "forwards; logs nothing; no policy, no record",
        folder: "supergateway",
        registry: Registry::Npm,
        packages: &["supergateway@4.0.0"],
        program: "node_modules/.bin/supergateway",
        contestants: commands::supergateway,
    },
    Peer {
        name: "mcp-remote 0.15.1 (Node)",
        does: "forwards (and logs in by OAuth, which is not asked for here); no policy, no record",
        folder: "mcp-remote",
        registry: Registry::Npm,
        packages: &["mcp-remote@0.15.1"],
        program: "node_modules/.bin/mcp-remote",
        contestants: commands::mcp_remote,
    },
    Peer {
        name: "sparfenyuk mcp-proxy 0.13.0 (Python)",
        does: "forwards; no policy, no record",
        folder: "mcp-proxy-python",
        registry: Registry::Pypi,
        packages: &["mcp-proxy==0.13.0"],
        program: "bin/mcp-proxy",
        contestants: commands::mcp_proxy_python,
    },
    Peer {
        name: "FastMCP 4.1.2 (Python)",
        does: "forwards, by its proxy of a server; no policy, no record",
        folder: "fastmcp",
        registry: Registry::Pypi,
        packages: &["fastmcp==4.1.2"],
        program: "bin/fastmcp",
        contestants: commands::fastmcp,
    },
    Peer {
        name: "ContextForge 1.0.7 (Python)",
        does: "over stdio its wrapper forwards, without policy or record; over HTTP its gateway with one worker and \
               SQLite checks a token, judges by role, and keeps figures of calls but no record of each",
        folder: "contextforge",
        registry: Registry::Pypi,
        packages: &["mcp-contextforge-gateway==1.0.7.post20260921"],
        program: "bin/mcpgateway",
        contestants: contextforge::contestants,
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
