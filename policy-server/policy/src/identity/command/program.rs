//! Programs by path, and interpreters with the script that they run.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Programs whose arguments decide what is run. In a shape not read elsewhere, all arguments count.
const LAUNCHERS: [&str; 73] = [
    "ash",
    "aws-vault",
    "bash",
    "bun",
    "bunx",
    "busybox",
    "bwrap",
    "caffeinate",
    "chroot",
    "cmd",
    "conda",
    "corepack",
    "csh",
    "cscript",
    "dash",
    "deno",
    "direnv",
    "docker",
    "doppler",
    "dotenv",
    "dotenvx",
    "dotnet",
    "env",
    "fastmcp",
    "firejail",
    "fish",
    "flatpak",
    "gdb",
    "go",
    "infisical",
    "java",
    "ksh",
    "kubectl",
    "launchctl",
    "make",
    "mamba",
    "mcp",
    "mise",
    "mshta",
    "nerdctl",
    "nice",
    "nix",
    "nix-shell",
    "node",
    "nodemon",
    "nohup",
    "npm",
    "npx",
    "op",
    "open",
    "osascript",
    "perl",
    "php",
    "pipx",
    "pnpm",
    "pnpx",
    "podman",
    "poetry",
    "powershell",
    "pwsh",
    "ruby",
    "rundll32",
    "setsid",
    "sh",
    "ssh",
    "stdbuf",
    "sudo",
    "tclsh",
    "timeout",
    "ts-node",
    "tsx",
    "wscript",
    "zsh",
];
const MORE_LAUNCHERS: [&str; 10] =
    ["asdf", "cargo", "micromamba", "pdm", "rye", "uv", "uvx", "wsl", "xargs", "yarn"];

pub(super) fn identify(command: &str, args: &[String]) -> String {
    let name = base_name(command);
    let program = path(command);
    if let Some(words) = script(&name, args) {
        return format!("exec:{program} {}", words.join(" "));
    }
    if is_launcher(command) { format!("exec:{program} {}", digest(args)) } else { format!("exec:{program}") }
}

pub(super) fn is_launcher(command: &str) -> bool {
    let name = base_name(command);
    LAUNCHERS.contains(&name.as_str()) || MORE_LAUNCHERS.contains(&name.as_str()) || is_python(&name)
}

/// The words that name an interpreter's program; `None` for no interpreter or an unread shape.
fn script(name: &str, args: &[String]) -> Option<Vec<String>> {
    let (plain, prefix): (&[&str], &[&str]) = match name {
        "node" | "nodejs" => {
            (&["--no-warnings", "--no-deprecation", "--enable-source-maps", "--trace-warnings"], &[])
        }
        "deno" => (&["-A", "--allow-all", "-q", "--quiet", "--no-prompt"], &["run"]),
        "bun" => (&["--silent"], &["run"]),
        "java" => (&["-jar"], &[]),
        "ruby" | "perl" | "php" => (&[], &[]),
        _ if is_python(name) => (&["-u", "-B", "-I", "-E", "-s", "-P", "-q"], &[]),
        _ => return None,
    };
    let mut words: Vec<String> = Vec::new();
    let mut rest = args;
    if let Some(verb) = prefix.first() {
        rest = rest.strip_prefix(&[(*verb).to_owned()])?;
        words.push((*verb).to_owned());
    }
    let permission = |flag: &str| name == "deno" && flag.starts_with("--allow-");
    while let [flag, after @ ..] = rest {
        let bare = flag.split('=').next().unwrap_or(flag);
        match flag.as_str() {
            "-jar" if name == "java" => words.push("-jar".to_owned()),
            "-m" if is_python(name) => {
                let module = after.first().filter(|module| !module.starts_with('-'))?;
                return Some(vec!["-m".to_owned(), word(module)]);
            }
            _ if plain.contains(&flag.as_str()) || permission(bare) => {}
            _ => break,
        }
        rest = after;
    }
    let file = rest.first().filter(|file| !file.starts_with('-') && !file.is_empty())?;
    if name == "java" && words.is_empty() {
        return None;
    }
    words.push(path(file));
    Some(words)
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// The program's name in lower case, without folder and Windows ending.
fn base_name(command: &str) -> String {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    let endings = [".exe", ".cmd", ".bat", ".com", ".ps1"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).map_or_else(|| name.clone(), str::to_owned)
}

/// The name of a runner, where the command is that runner: its bare name, or its path in a folder
/// where such programs are installed. Folders in a home count, as whoever can write there can also
/// change the search path.
pub(super) fn runner(command: &str) -> Option<String> {
    const FOLDERS: [&str; 9] = [
        "/bin",
        "/usr/bin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
        "/opt/local/bin",
        "/snap/bin",
        "/home/linuxbrew/.linuxbrew/bin",
        "c:\\program files\\nodejs",
        "c:\\windows\\system32",
    ];
    const IN_HOME: [&str; 6] =
        [".local/bin", ".cargo/bin", ".volta/bin", ".bun/bin", ".asdf/shims", ".docker/bin"];
    let name = base_name(command);
    let Some(cut) = command.rfind(['/', '\\']) else { return Some(name) };
    let folder = &command[..cut];
    let in_home = home_relative(folder).is_some_and(|inner| {
        let versioned = |manager: &str, end: &str| {
            inner
                .strip_prefix(manager)
                .and_then(|rest| rest.strip_suffix(end))
                .is_some_and(|version| !version.is_empty() && !version.contains('/') && version != "..")
        };
        IN_HOME.contains(&inner)
            || versioned(".nvm/versions/node/", "/bin")
            || versioned(".local/share/mise/installs/node/", "/bin")
            || versioned(".local/share/fnm/node-versions/", "/installation/bin")
    });
    (in_home || FOLDERS.contains(&folder.to_ascii_lowercase().as_str())).then_some(name)
}

fn home_relative(folder: &str) -> Option<&str> {
    if let Some(inner) = folder.strip_prefix("/root/") {
        return Some(inner);
    }
    let after = folder.strip_prefix("/home/").or_else(|| folder.strip_prefix("/Users/"))?;
    let (user, inner) = after.split_once('/')?;
    (!user.is_empty() && user != ".." && user != ".").then_some(inner)
}

/// A path as one word: `.` and doubled separators taken out, `..` marked.
pub(super) fn path(text: &str) -> String {
    let windows = text.contains('\\');
    let parts: Vec<&str> =
        if windows { text.split(['/', '\\']).collect() } else { text.split('/').collect() };
    if parts.contains(&"..") {
        return format!("unresolved:{}", word(text));
    }
    if windows || parts.len() == 1 {
        return word(text);
    }
    let kept: Vec<&str> = parts
        .iter()
        .enumerate()
        .filter(|(index, part)| *index == 0 || !(part.is_empty() || **part == "."))
        .map(|(_, part)| *part)
        .collect();
    word(&kept.join("/"))
}

/// Text as one word of an identity.
pub(super) fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c.is_whitespace() || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(word, "%{byte:02X}");
            }
        } else {
            word.push(c);
        }
    }
    word
}

/// Over the arguments with their lengths, so that moving a border between two changes it.
pub(super) fn digest(args: &[String]) -> String {
    let mut hash = Sha256::new();
    for arg in args {
        hash.update((arg.len() as u64).to_be_bytes());
        hash.update(arg.as_bytes());
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
