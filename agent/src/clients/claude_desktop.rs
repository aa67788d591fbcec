//! Claude Desktop's own file, `claude_desktop_config.json`. It holds stdio servers only; the app
//! keeps it in memory and writes it back when it likes.
//!
//! Extensions and connectors are not files of ours to edit.

use std::path::{Path, PathBuf};

use super::config_text::{ConfigText, Malformed};
use super::entry::{Beyond, Launch, Shape};
use super::{Entries, Scope, entries_of_list};

const FILE: &str = "claude_desktop_config.json";

/// Folders below a folder whose name begins so.
pub type Probe = dyn Fn(&Path, &str) -> Vec<PathBuf>;

/// Where Claude Desktop may keep its file on this system, for this home. Packaged Windows builds
/// use a folder of their package, which is looked for with `probe`.
pub fn config_paths(os: &str, home: &Path, probe: &Probe) -> Vec<PathBuf> {
    let folders = match os {
        "macos" => {
            let support = home.join("Library/Application Support");
            vec![support.join("Claude"), support.join("Claude-3p")]
        }
        "windows" => windows_folders(home, probe),
        _ => vec![home.join(".config/Claude"), home.join(".config/Claude-3p")],
    };
    folders.into_iter().map(|folder| folder.join(FILE)).collect()
}

fn windows_folders(home: &Path, probe: &Probe) -> Vec<PathBuf> {
    let local = home.join("AppData").join("Local");
    let mut folders = vec![
        home.join("AppData").join("Roaming").join("Claude"),
        local.join("Claude-Data"),
        local.join("Claude-3p"),
    ];
    let packages = local.join("Packages");
    for family in ["Claude_", "AnthropicPBC.Claude_"] {
        for package in probe(&packages, family) {
            // A package folder without it is the rest of an uninstalled build.
            folders.extend(probe(&package.join("LocalCache").join("Roaming"), "Claude"));
        }
    }
    folders
}

/// The real [`Probe`].
pub fn existing(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(found) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = found
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// # Errors
/// `mcpServers` is not an object, or a name occurs twice.
pub fn entries(text: &ConfigText, ours: &str) -> Result<Entries, Malformed> {
    let Some(list) = text.root().member("mcpServers")? else {
        return Ok(Entries::default());
    };
    let all = entries_of_list(list.value, Scope::Desktop, None, |entry| match Shape::of(entry, ours) {
        Shape::Direct(Launch::Remote { .. }) | Shape::Beyond(Beyond::NoType) => {
            Shape::Beyond(Beyond::DesktopRemote)
        }
        shape => shape,
    })?;
    Ok(Entries { all, ..Entries::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &Path, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    #[test]
    fn every_system_has_its_places() {
        let home = Path::new("/home/u");
        let paths = |os| config_paths(os, home, &nothing);
        assert_eq!(paths("linux")[0], Path::new("/home/u/.config/Claude/claude_desktop_config.json"));
        assert_eq!(
            paths("macos")[0],
            Path::new("/home/u/Library/Application Support/Claude/claude_desktop_config.json")
        );
        assert_eq!(
            paths("windows")[0],
            home.join("AppData").join("Roaming").join("Claude").join("claude_desktop_config.json")
        );
        assert_eq!(paths("windows").len(), 3);
    }

    #[test]
    fn packaged_windows_builds_are_probed() {
        let probe = |folder: &Path, prefix: &str| {
            let real = match prefix {
                "Claude_" => "Claude_pzs8sxrjxfjjc",
                "Claude" if folder.ends_with("Roaming") => "Claude",
                _ => return Vec::new(),
            };
            vec![folder.join(real)]
        };
        let paths = config_paths("windows", Path::new("/u"), &probe);
        let packaged = paths.last().unwrap().to_string_lossy().replace('\\', "/");
        assert_eq!(
            packaged,
            "/u/AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json"
        );
    }

    #[test]
    fn remote_entries_are_not_dialled_and_so_not_touched() {
        let text = br#"{"mcpServers":{"a":{"command":"npx"},"b":{"type":"http","url":"https://x.test"}}}"#;
        let found = entries(&ConfigText::parse(text.to_vec()).unwrap(), "/opt/ours").unwrap().all;
        assert!(matches!(found[0].shape, Shape::Direct(_)));
        assert_eq!(found[1].shape, Shape::Beyond(Beyond::DesktopRemote));
    }
}
