//! `docker run` and `podman run`: the image, and what makes it run something else than it was built
//! for.
//!
//! | on the command line | in the identity |
//! |---|---|
//! | `-v /src:/data`, `--mount …,dst=/data`, `--tmpfs /data` | `mount=/data`: files may lie over the image's program |
//! | `-w /data` | `workdir=/data`: a program may be named relative to it |
//! | a path as first word after the image | `command=/data/x`: the program itself, where the image has no entry point |
//! | another first word with a slash in it | `command=sha256:…`, as it may be a secret |
//! | any other word after the image | nothing: a subcommand, flags and data of the image's own program |
//! | `--entrypoint`, `--env-file`, a variable that decides what runs, an interpreter after the image or as the image | not the image's identity, but a digest of everything |

use super::{Steered, program, steering};

const PLAIN: [&str; 8] =
    ["--init", "--interactive", "--tty", "--rm", "--read-only", "--no-healthcheck", "--detach", "--quiet"];
const VALUED: [&str; 23] = [
    "--add-host",
    "--cap-drop",
    "--cpus",
    "--hostname",
    "-h",
    "--label",
    "-l",
    "--log-driver",
    "--memory",
    "-m",
    "--name",
    "--net",
    "--network",
    "--pids-limit",
    "--platform",
    "--publish",
    "-p",
    "--pull",
    "--shm-size",
    "--stop-timeout",
    "--user",
    "-u",
    "--log-opt",
];

pub(super) fn identify(args: &[String]) -> Option<String> {
    let args = match args {
        [run, rest @ ..] if run == "run" => rest,
        [container, run, rest @ ..] if container == "container" && run == "run" => rest,
        _ => return None,
    };
    let (mut mounts, mut workdir) = (Vec::new(), None);
    let mut at = 0;
    while let Some(arg) = args.get(at).filter(|arg| arg.starts_with('-')) {
        at += 1;
        let cluster = arg.len() > 1 && arg[1..].chars().all(|c| "itdq".contains(c));
        if cluster || PLAIN.contains(&arg.as_str()) {
            continue;
        }
        let (flag, joined) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (arg.as_str(), None),
        };
        let value = if let Some(value) = joined {
            value
        } else {
            at += 1;
            args.get(at - 1)?
        };
        match flag {
            "-e" | "--env"
                if steering(value.split('=').next().unwrap_or(value)) == Some(Steered::Program) =>
            {
                return None;
            }
            "-e" | "--env" => {}
            "-v" | "--volume" => mounts.push(volume_target(value)?),
            "--mount" => mounts.push(mount_target(value)?),
            "-w" | "--workdir" => workdir = Some(program::path(value)),
            "--tmpfs" => mounts.push(value.split(':').next()?.to_owned()),
            _ if VALUED.contains(&flag) => {}
            _ => return None,
        }
    }
    let image = args.get(at)?;
    let words = &args[at + 1..];
    let interprets = |first: &String| program::is_launcher(first) || program::is_launcher(bare_name(image));
    if words.first().is_some_and(interprets) || !is_image(image) {
        return None;
    }
    mounts.sort();
    mounts.dedup();
    let mut identity = format!("oci:{}", image_name(image));
    for target in &mounts {
        identity.push_str(" mount=");
        identity.push_str(&program::path(target));
    }
    if let Some(workdir) = workdir {
        identity.push_str(" workdir=");
        identity.push_str(&workdir);
    }
    if let Some(command) = words.first().and_then(|first| command(first)) {
        identity.push_str(" command=");
        identity.push_str(&command);
    }
    Some(identity)
}

/// The first word after the image, where it names a file: what is run in an image without an entry
/// point, and perhaps a file that was mounted into it.
fn command(word: &str) -> Option<String> {
    if !word.contains('/') || word.starts_with('-') {
        return None;
    }
    let is_path = word.starts_with(['/', '.']);
    Some(if is_path { program::path(word) } else { program::digest(&[word.to_owned()]) })
}

/// `ghcr.io/x/node:20` is an interpreter's image: `node`.
fn bare_name(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split([':', '@']).next().unwrap_or(name)
}

/// Of `source:target[:options]` or `target`; Windows sources have a colon of their own.
fn volume_target(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let drive = bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'\\' | b'/');
    let after = if drive { &value[2..] } else { value };
    let mut fields = after.split(':');
    let first = fields.next()?;
    let target = fields.next().unwrap_or(first);
    target.starts_with('/').then(|| target.to_owned())
}

fn mount_target(value: &str) -> Option<String> {
    let field = |field: &str| {
        let (key, value) = field.split_once('=')?;
        matches!(key, "target" | "dst" | "destination").then(|| value.to_owned())
    };
    let mut targets = value.split(',').filter_map(field);
    let target = targets.next()?;
    (targets.next().is_none() && !value.contains('"')).then_some(target)
}

/// `[host[:port]/]path[:tag][@digest]`; not one of podman's transports (`dir:`, `oci-archive:`, …).
fn is_image(image: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let folders: Vec<&str> = image.split('/').collect();
    let (name, before) = folders.split_last().unwrap_or((&"", &[]));
    let no_colon = |part: &str| !part.contains([':', '@']);
    let host = |part: &str| match part.split_once(':') {
        Some((_, port)) => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
        None => no_colon(part),
    };
    let hosted = before
        .split_first()
        .is_none_or(|(first, rest)| host(first) && rest.iter().all(|part| no_colon(part)));
    let digest = name.split_once('@').is_none_or(|(_, digest)| digest.contains(':'));
    image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(plain)
        && !folders.iter().any(|part| part.is_empty() || *part == "..")
        && hosted
        && digest
}

/// Docker Hub's long and short names are the same image.
pub(crate) fn image_name(image: &str) -> String {
    let short =
        ["docker.io/", "index.docker.io/"].iter().find_map(|host| image.strip_prefix(host)).unwrap_or(image);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}
