//! Packages that carry another server: a bridge to a URL, or a runner of some script. Their own name
//! says nothing of what is reached, so their arguments belong to the identity.

use super::super::remote;
use super::program;

/// Bridges from stdio to a remote server; the URL is the server.
const BRIDGES: [&str; 8] = [
    "mcp-remote",
    "mcp-proxy",
    "supergateway",
    "mcp-remote-go",
    "fastmcp-remote",
    "@smithery/cli",
    "@composio/mcp",
    "mcp-bridge",
];
/// Runners of whatever their arguments say.
const RUNNERS: [&str; 22] = [
    "bun",
    "concurrently",
    "cross-env",
    "deno",
    "dotenv-cli",
    "dotenvx",
    "@dotenvx/dotenvx",
    "env-cmd",
    "esno",
    "fastmcp",
    "ipython",
    "jiti",
    "mcp",
    "node",
    "nodemon",
    "npm",
    "npx",
    "pm2",
    "python",
    "ts-node",
    "tsx",
    "uv",
];

/// What a carrier's arguments add to the identity, with a space before it: the canonical URL of a
/// bridge, or a digest of all of them. Nothing for any other package.
pub(super) fn load(package: &str, args: &[String]) -> String {
    if BRIDGES.contains(&package)
        && let Some(url) = only_url(args)
    {
        return format!(" {url}");
    }
    if BRIDGES.contains(&package) || RUNNERS.contains(&package) || program::is_launcher(package) {
        return format!(" {}", program::digest(args));
    }
    String::new()
}

/// The one URL among the arguments. Two may be taken either way, and a command to be run wins over any.
fn only_url(args: &[String]) -> Option<String> {
    let runs = |arg: &String| matches!(arg.as_str(), "--stdio" | "--" | "-c" | "--command" | "run");
    if args.iter().any(runs) {
        return None;
    }
    let mut urls = args.iter().filter(|arg| arg.contains("://"));
    let url = urls.next()?;
    if urls.next().is_some() { None } else { remote::identify(url).ok() }
}
