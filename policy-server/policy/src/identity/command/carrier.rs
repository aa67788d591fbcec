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

/// The URL that a bridge is given first, where no other word could be taken for another server.
fn only_url(args: &[String]) -> Option<String> {
    let runs = |arg: &String| {
        matches!(arg.as_str(), "--" | "-c" | "run")
            || ["--stdio", "--command", "--na"].iter().any(|flag| arg.starts_with(flag))
    };
    let at = args.iter().position(|arg| !says_only_how(arg))?;
    let another = |(index, arg): (usize, &String)| index != at && may_be_url(arg);
    if args.iter().any(runs) || args.iter().enumerate().any(another) {
        return None;
    }
    strict_url(&args[at])
}

/// Flags before the URL after which no bridge takes the next word for anything but its URL.
fn says_only_how(arg: &str) -> bool {
    matches!(arg, "--sse" | "--streamableHttp" | "--streamable-http")
        || ["--transport=", "--log-level=", "--logLevel="].iter().any(|flag| arg.starts_with(flag))
}

/// Written as every reader reads it: one that follows the WHATWG forgives missing and turned slashes,
/// blanks and line ends, and others do not.
fn strict_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[')
        && !text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control());
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    if plain && web { remote::identify(text).ok() } else { None }
}

/// Could some reader find an address in this word? `https:evil.example` is one to Node's `new URL`, as
/// is one with blanks before it or line ends inside it; and a flag may carry one.
fn may_be_url(arg: &str) -> bool {
    let seen: String = arg.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let seen = seen.to_ascii_lowercase();
    let value =
        if seen.starts_with('-') { seen.split_once('=').map_or("", |(_, value)| value) } else { &seen };
    let schemes = ["https:", "http:", "wss:", "ws:"];
    seen.contains("://") || schemes.iter().any(|scheme| value.starts_with(scheme))
}
