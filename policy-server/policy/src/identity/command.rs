//! From the command line that starts a stdio server to its identity.
//!
//! The identity changes with what is run, and stays when a token is rotated or another data folder
//! is named:
//!
//! | command line | identity |
//! |---|---|
//! | `npx -y @scope/name@1.2.3 …`, `npm exec`, `pnpm dlx`, `yarn dlx`, `bunx` | `npm:@scope/name@1.2.3` |
//! | `npx -p @scope/name tool …` | `npm:@scope/name tool`; no word where the tool bears the package's name |
//! | `uvx name==1.0 …`, `uv tool run`, `pipx run`, `--from name tool` | `pypi:name==1.0`, `pypi:name tool` |
//! | `npx -y mcp-remote https://host/mcp …` | `npm:mcp-remote https://host/mcp`; see `carrier` |
//! | `docker run -i --rm -v /data:/data ghcr.io/x/y:1 …` | `oci:ghcr.io/x/y:1 mount=/data`; see `container` |
//! | `python3 -m module …`, `node /srv/x.js …`, `deno run -A x.ts` | `exec:python3 -m module`, `exec:node /srv/x.js`, … |
//! | `uv --directory /srv run x.py` | `exec:uv --directory=/srv run x.py` |
//! | `cmd /c LINE`, `env NAME=value LINE` | the identity of LINE |
//! | `/usr/local/bin/program …` | `exec:/usr/local/bin/program` |
//! | a shell, an interpreter or a runner in any other shape | `exec:sh sha256:…` over all its arguments |
//!
//! Words are separated by one space; a space or `%` inside a word is percent-encoded. A path with
//! `..` in it becomes `exec:unresolved:…`, as it may lead anywhere by way of a symbolic link. A relative
//! path stays relative, and so names another file in every folder: list absolute ones.
//!
//! Anything not understood falls to the last two rows, never to a package's identity: an unknown flag
//! may name another registry or another package. A runner counts as itself only by its bare name or
//! in a folder where it is installed, so `./tools/npx` is not npm's.
//!
//! Not visible here, and so not promised: environment variables (`PATH`, `NPM_CONFIG_REGISTRY`; see
//! [`steers_what_runs`]), a package of the same name already in the working directory's
//! `node_modules`, and what a registry answers for a name without a pinned version or digest.

mod carrier;
mod container;
mod npm;
mod program;
mod python;
mod variables;

pub(crate) use container::image_name;
pub(crate) use python::python_name;
pub use variables::{Steered, steering, steers_what_runs};

/// Wrappers inside wrappers are followed this far.
const DEPTH: usize = 3;

pub(super) fn identify(command: &str, args: &[String]) -> String {
    unwrapped(command, args, DEPTH).unwrap_or_else(|| program::identify(command, args))
}

fn unwrapped(command: &str, args: &[String], depth: usize) -> Option<String> {
    let runner = program::runner(command)?;
    match runner.as_str() {
        "npx" | "npm" | "pnpm" | "pnpx" | "yarn" | "yarnpkg" | "bunx" | "bun" => npm::identify(&runner, args),
        "uvx" | "uv" | "pipx" => python::identify(&runner, args),
        "docker" | "podman" => container::identify(args),
        "env" if depth > 0 => {
            let first = args.iter().position(|arg| !is_assignment(arg))?;
            let steered =
                args[..first].iter().any(|arg| steers_what_runs(arg.split('=').next().unwrap_or(arg)));
            if steered || args[first].starts_with('-') { None } else { inner(&args[first..], depth) }
        }
        "cmd" if depth > 0 => inner(&cmd_line(args)?, depth),
        _ => None,
    }
}

fn inner(line: &[String], depth: usize) -> Option<String> {
    let (command, args) = line.split_first()?;
    Some(unwrapped(command, args, depth - 1).unwrap_or_else(|| program::identify(command, args)))
}

fn is_assignment(arg: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    arg.split_once('=').is_some_and(|(key, _)| !key.is_empty() && key.chars().all(name))
}

/// The words after `cmd /c`; nothing where cmd would read more than words in them.
fn cmd_line(args: &[String]) -> Option<Vec<String>> {
    let flag = |arg: &String| matches!(arg.to_ascii_lowercase().as_str(), "/c" | "/d" | "/s");
    let first = args.iter().position(|arg| !flag(arg))?;
    if !args[..first].iter().any(|arg| arg.eq_ignore_ascii_case("/c")) {
        return None;
    }
    let line = &args[first..];
    if line.iter().any(|arg| arg.contains(['&', '|', '<', '>', '^', '%', '!', '"', '(', ')', '\n', '\r'])) {
        return None;
    }
    match line {
        [only] => Some(only.split_whitespace().map(str::to_owned).collect()),
        words => Some(words.to_vec()),
    }
}

/// Which flags a runner may have before its subject; any other makes it unreadable.
struct Flags {
    plain: &'static [&'static str],
    /// With a value that does not matter.
    valued: &'static [&'static str],
    /// With the package as their value.
    package: &'static [&'static str],
}

struct Picked<'a> {
    packages: Vec<&'a str>,
    /// The first word that is no flag, and what follows it.
    words: &'a [String],
    /// `--` stood before the words, so that no runner reads flags among them.
    dashed: bool,
}

impl Flags {
    fn pick<'a>(&self, args: &'a [String]) -> Option<Picked<'a>> {
        let mut packages = Vec::new();
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            if arg == "--" {
                return Some(Picked { packages, words: &args[at + 1..], dashed: true });
            }
            if !arg.starts_with('-') {
                break;
            }
            let (flag, joined) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (arg.as_str(), None),
            };
            at += 1;
            if joined.is_none() && self.plain.contains(&flag) {
                continue;
            }
            let package = self.package.contains(&flag);
            if !package && !self.valued.contains(&flag) {
                return None;
            }
            let value = if let Some(value) = joined {
                value
            } else {
                at += 1;
                args.get(at - 1)?
            };
            if value.is_empty() || value.starts_with('-') {
                return None;
            }
            if package {
                packages.push(value);
            }
        }
        Some(Picked { packages, words: &args[at..], dashed: false })
    }
}

/// The package and, where it is not the package's own, the tool of it that is run.
fn subject<'a>(picked: &Picked<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let word = picked.words.first()?.as_str();
    match picked.packages[..] {
        [] => Some((word, None)),
        [package] => Some((package, Some(word))),
        // Which of several packages has the tool is not for us to guess.
        _ => None,
    }
}
