//! Python's runners: `uvx`, `uv tool run`, `pipx run`.

use super::{Flags, Picked, carrier, program, subject};

const UVX: Flags = Flags {
    plain: &["-q", "--quiet", "--offline", "--refresh", "--isolated", "-n", "--no-cache", "--no-progress"],
    valued: &[],
    package: &["--from"],
};
const PIPX: Flags = Flags { plain: &["-q", "--quiet", "--no-cache"], valued: &[], package: &["--spec"] };

pub(super) fn identify(runner: &str, args: &[String]) -> Option<String> {
    let words: Vec<&str> = args.iter().take(2).map(String::as_str).collect();
    match (runner, &words[..]) {
        ("uvx", _) => package(&UVX.pick(args)?),
        ("uv", ["tool", "run"]) => package(&UVX.pick(&args[2..])?),
        ("pipx", ["run", ..]) => package(&PIPX.pick(&args[1..])?),
        ("uv", _) => project(args),
        _ => None,
    }
}

fn package(picked: &Picked<'_>) -> Option<String> {
    let (spec, tool) = subject(picked)?;
    let canonical = requirement(spec)?;
    let own = canonical.split(['[', '=', '<', '>', '!', '~', '@']).next().unwrap_or_default();
    let foreign = tool.filter(|tool| python_name(tool) != own);
    let tool = foreign.map_or_else(String::new, |tool| format!(" {}", program::word(tool)));
    Some(format!("pypi:{canonical}{tool}{}", carrier::load(own, &picked.words[1..])))
}

/// `name[extra]==1.0`, in canonical spelling; no URL, no path, no marker.
fn requirement(spec: &str) -> Option<String> {
    let end = spec.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(spec.len());
    let (name, rest) = spec.split_at(end);
    let lower = name.to_ascii_lowercase();
    let file = [".whl", ".zip", ".gz", ".tar", ".py"].iter().any(|ending| lower.ends_with(ending));
    if file || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+!*,<>=~[]@".contains(c);
    if !rest.chars().all(plain) || rest.get(1..).is_some_and(|inner| inner.contains('@')) {
        return None;
    }
    // uvx's own spelling of a pin: `name@1.0`.
    let rest = match rest.strip_prefix('@') {
        Some(version) if version.starts_with(|c: char| c.is_ascii_digit()) => format!("=={version}"),
        Some("latest") => "@latest".to_owned(),
        Some(_) => return None,
        None => rest.to_owned(),
    };
    Some(format!("{}{rest}", python_name(name)))
}

/// A name as PyPI compares it: lower case, and `-`, `_`, `.` the same. What follows the name of a
/// requirement is left as it is.
pub(crate) fn python_name(text: &str) -> String {
    let end = text.find(['[', '=', '<', '>', '!', '~', '@', ' ']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut canonical = String::with_capacity(text.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if canonical.ends_with('-') => {}
            '-' | '_' | '.' => canonical.push('-'),
            _ => canonical.push(c.to_ascii_lowercase()),
        }
    }
    canonical + rest
}

/// `uv [--directory D] run [--directory D] PROGRAM …`: a project's own program.
fn project(args: &[String]) -> Option<String> {
    let mut words = vec!["exec:uv".to_owned()];
    let (mut at, mut run) = (0, false);
    loop {
        let arg = args.get(at)?.as_str();
        at += 1;
        let (flag, joined) = arg.split_once('=').map_or((arg, None), |(flag, value)| (flag, Some(value)));
        match flag {
            "--directory" | "--project" => {
                let folder = if let Some(value) = joined {
                    value
                } else {
                    at += 1;
                    args.get(at - 1)?
                };
                words.push(format!("{flag}={}", program::path(folder)));
            }
            "run" if !run => {
                run = true;
                words.push("run".to_owned());
            }
            "-q" | "--quiet" | "--offline" | "--frozen" | "--locked" | "--no-sync" if joined.is_none() => {}
            _ if !run || flag.starts_with('-') => return None,
            _ => break,
        }
    }
    let inner = super::identify(&args[at - 1], &args[at..]);
    words.push(inner.strip_prefix("exec:")?.to_owned());
    Some(words.join(" "))
}
