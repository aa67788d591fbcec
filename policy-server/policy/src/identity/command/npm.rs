//! npm's runners: `npx`, `npm exec`, `pnpm dlx`, `yarn dlx`, `bunx`.

use super::{Flags, Picked, carrier, program, subject};

const NPX: Flags = Flags {
    plain: &[
        "-y",
        "--yes",
        "-q",
        "--quiet",
        "--silent",
        "--no-install",
        "--prefer-offline",
        "--prefer-online",
        "--offline",
    ],
    valued: &["--loglevel"],
    package: &["-p", "--package"],
};
const PNPM: Flags = Flags { plain: &["--silent"], valued: &[], package: &["--package"] };
const YARN: Flags = Flags { plain: &["-q", "--quiet"], valued: &[], package: &["-p", "--package"] };
const BUN: Flags = Flags { plain: &["--bun", "--silent"], valued: &[], package: &["-p", "--package"] };

pub(super) fn identify(runner: &str, args: &[String]) -> Option<String> {
    let first = args.first().map_or("", String::as_str);
    let after = args.get(1..).unwrap_or_default();
    match (runner, first) {
        ("npx", _) => package(&NPX.pick(args)?),
        // npm reads flags on both sides of the package, up to `--`.
        ("npm", "exec" | "x") => package(&without_late_flags(NPX.pick(after)?)?),
        ("pnpm", "dlx") => package(&without_late_flags(PNPM.pick(after)?)?),
        ("pnpx", _) => package(&without_late_flags(PNPM.pick(args)?)?),
        ("yarn" | "yarnpkg", "dlx") => package(&YARN.pick(after)?),
        ("bunx", _) => package(&BUN.pick(args)?),
        ("bun", "x") => package(&BUN.pick(after)?),
        _ => None,
    }
}

fn without_late_flags(picked: Picked<'_>) -> Option<Picked<'_>> {
    let readable = picked.words.iter().take_while(|word| *word != "--");
    let late = !picked.dashed && readable.skip(1).any(|word| word.starts_with('-'));
    (!late).then_some(picked)
}

fn package(picked: &Picked<'_>) -> Option<String> {
    let (spec, tool) = subject(picked)?;
    let (name, version) = registry_spec(spec)?;
    let own = name.rsplit('/').next().unwrap_or(name);
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    let tool =
        tool.filter(|tool| *tool != own).map_or_else(String::new, |tool| format!(" {}", program::word(tool)));
    Some(format!("npm:{name}{version}{tool}{}", carrier::load(name, &picked.words[1..])))
}

/// `@scope/name@version`, where npm would ask its registry for it: no folder, no archive, no git, no
/// URL, no alias (`name@npm:other`).
fn registry_spec(spec: &str) -> Option<(&str, Option<&str>)> {
    let at = spec.get(1..)?.find('@').map(|at| at + 1);
    let (name, version) = match at {
        Some(at) => (&spec[..at], Some(&spec[at + 1..])),
        None => (spec, None),
    };
    let archive = |text: &str| {
        let text = text.to_ascii_lowercase();
        [".tgz", ".tar.gz", ".tar"].iter().any(|end| text.ends_with(end))
    };
    let version_is_plain = version
        .is_none_or(|version| !version.is_empty() && version.chars().all(is_version) && !archive(version));
    (is_name(name) && !archive(name) && version_is_plain).then_some((name, version))
}

fn is_version(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-+^~<>=*|".contains(c)
}

fn is_name(name: &str) -> bool {
    let plain = |part: &str| {
        let first = part.chars().next();
        first.is_some_and(|c| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| plain(scope) && plain(name)),
        None => plain(name),
    }
}
