//! A local, unsigned policy document: to try Portreeve in ten seconds, without a server.
//!
//! Never on a machine that an organisation governs: there it would be a way around its policy.

use crate::active_policy::InForce;
use platform::Layout;
use platform::files::{FileError, read_bounded};
use policy::{Document, Problem, Ruleset, Standing};
use std::path::{Path, PathBuf};

const LARGEST_DOCUMENT: u64 = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum LocalPolicyError {
    #[error(
        "--policy is not taken here: this machine is governed by your organisation ({}), and a local document \
         would be a way around its policy. Leave --policy out",
        by.display()
    )]
    Governed { by: PathBuf },
    #[error("--policy: {0}")]
    File(#[from] FileError),
    #[error("the policy {} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    #[error("{}", listed(path, problems))]
    Problems { path: PathBuf, problems: Vec<Problem> },
}

/// One a line, as compilers write them: an editor jumps there.
fn listed(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}

/// Reads, checks, tests and compiles a local document.
///
/// # Errors
/// See [`LocalPolicyError`].
pub fn local(path: &Path, member: &str, layout: &Layout) -> Result<InForce, LocalPolicyError> {
    if let Some(by) = governed_by(layout) {
        return Err(LocalPolicyError::Governed { by });
    }
    let bytes = read_bounded(path, LARGEST_DOCUMENT)?;
    let text = String::from_utf8(bytes).map_err(|_| LocalPolicyError::NotText(path.to_owned()))?;
    let ruleset = Document::parse(&text)
        .and_then(|document| {
            document.run_tests()?;
            Ruleset::compile(&document, &Standing::default(), 0, None)
        })
        .map(|ruleset| ruleset.of_file(path.display().to_string()))
        .map_err(|problems| LocalPolicyError::Problems { path: path.to_owned(), problems })?;
    Ok(InForce { member: member.to_owned(), device: String::new(), ruleset })
}

/// What makes this machine an organisation's, if anything does: a trial is possible where nothing does.
pub fn governed_by(layout: &Layout) -> Option<PathBuf> {
    let found = [layout.identity(), layout.managed_profile()];
    platform::managed::of_machine().or_else(|| found.into_iter().find(|path| path.exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> (tempfile::TempDir, Layout, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::under(folder.path()).unwrap();
        let document = folder.path().join("p.toml");
        (folder, layout, document)
    }

    #[test]
    fn a_fault_is_named_by_file_line_and_column() {
        let (_folder, layout, document) = trial();
        std::fs::write(&document, "[defaults]\nmode = enforce\n").unwrap();
        let error = local(&document, "you@localhost", &layout).err().unwrap().to_string();
        assert!(error.starts_with(&format!("{}:2:", document.display())), "{error}");
    }

    #[test]
    fn a_governed_machine_takes_no_local_document() {
        for governed in [Layout::identity, Layout::managed_profile] {
            let (_folder, layout, document) = trial();
            std::fs::write(&document, "").unwrap();
            let path = governed(&layout);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "{}").unwrap();
            let error = local(&document, "you@localhost", &layout).err().unwrap();
            assert!(matches!(error, LocalPolicyError::Governed { by } if by == path));
        }
    }
}
