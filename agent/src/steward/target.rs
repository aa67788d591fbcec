//! The file that is really edited when a configuration is a symbolic link, and who else has it open.

use std::path::{Path, PathBuf};

use super::LeftAlone;

/// A link is followed (dotfile managers make them) as long as it ends inside the home folder: what
/// lies outside belongs to somebody else, or is shared by many.
pub fn resolve(path: &Path, home: &Path) -> Result<PathBuf, LeftAlone> {
    let unwritable = |source| LeftAlone::Unwritable { path: path.to_owned(), source };
    let target = path.canonicalize().map_err(unwritable)?;
    let home = home.canonicalize().map_err(unwritable)?;
    let folder = path.parent().unwrap_or(path).canonicalize().map_err(unwritable)?;
    // A moved configuration folder (`CLAUDE_CONFIG_DIR`) is as good as the home for its own file.
    if target.starts_with(&home) || target.parent() == Some(&folder) {
        Ok(target)
    } else {
        Err(LeftAlone::Elsewhere { path: path.to_owned(), target })
    }
}

/// Is the app running that keeps `claude_desktop_config.json` in memory?
pub fn claude_desktop_runs() -> bool {
    platform::process::list().iter().any(|process| {
        let exe = process.exe.as_deref().unwrap_or(Path::new(""));
        is_desktop(&process.name, &exe.to_string_lossy())
    })
}

/// Tells the app from the command line of the same name, which is `claude` in lower case.
fn is_desktop(name: &str, exe: &str) -> bool {
    let exe = exe.replace('\\', "/");
    match name {
        "Claude" => !exe.contains("/claude-code/"),
        "Claude.exe" | "claude.exe" => {
            exe.contains("/AnthropicClaude/") || exe.contains("/WindowsApps/") || exe.contains("/Claude/")
        }
        "claude-desktop" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_desktop;

    #[test]
    fn the_app_is_told_from_the_command_line() {
        for (name, exe, expected) in [
            ("Claude", "/Applications/Claude.app/Contents/MacOS/Claude", true),
            ("claude", "/usr/local/bin/claude", false),
            (
                "claude",
                "/home/u/.claude/local/node_modules/@anthropic-ai/claude-code-linux-x64/claude",
                false,
            ),
            ("claude-desktop", "/usr/lib/claude-desktop/claude-desktop", true),
            ("claude.exe", "C:\\Users\\u\\AppData\\Local\\AnthropicClaude\\app-1.0\\claude.exe", true),
            (
                "claude.exe",
                "C:\\Users\\u\\AppData\\Roaming\\npm\\node_modules\\@anthropic-ai\\claude.exe",
                false,
            ),
            (
                "Claude",
                "/Users/u/Library/Application Support/Claude/claude-code/2.1/claude.app/Contents/MacOS/Claude",
                false,
            ),
        ] {
            assert_eq!(is_desktop(name, exe), expected, "{exe}");
        }
    }
}
