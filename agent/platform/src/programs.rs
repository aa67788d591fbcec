//! Whether there is a program of some name at all. Not whether it can be started: only starting it tells.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// Can nothing be started by this name, with this `PATH`? Windows adds endings, and looks in places of its
/// own: there only a whole path is looked for.
pub fn is_missing(program: &OsStr, path: Option<&OsStr>) -> bool {
    let named = Path::new(program);
    let is_path = named.components().count() > 1 || named.is_absolute();
    let is_absent =
        |place: &Path| place.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_path {
        let with_ending = || named.with_extension("exe");
        return is_absent(named)
            && (cfg!(unix) || (named.extension().is_none() && is_absent(&with_ending())));
    }
    let Some(path) = path.filter(|_| cfg!(unix)) else { return false };
    !path.is_empty() && std::env::split_paths(path).all(|folder| is_absent(&folder.join(named)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_that_is_plainly_nowhere_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("here"), "").unwrap();
        let (here, gone) = (folder.path().join("here"), folder.path().join("typo"));
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        for (program, path, missing) in [
            (here.as_os_str(), None, false),
            (gone.as_os_str(), None, true),
            (here.join("below").as_os_str(), None, false),
            (OsStr::new("here"), Some(path.as_os_str()), false),
            (OsStr::new("typo"), Some(path.as_os_str()), true),
            (OsStr::new("./typo"), Some(path.as_os_str()), true),
            (OsStr::new("typo"), None, false),
            (OsStr::new("typo"), Some(OsStr::new("")), false),
        ] {
            assert_eq!(is_missing(program, path), missing, "{program:?}");
        }
    }
}
