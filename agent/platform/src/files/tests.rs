use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn replacing_keeps_the_mode() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("f");
    fs::write(&file, "old").unwrap();
    for kept in [0o644, 0o600, 0o664] {
        set_mode(&file, kept);
        replace(&file, b"new").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (kept, b"new".to_vec()));
    }
    replace_private(&file, b"secret").unwrap();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "no temporary file stays behind");
}

#[test]
fn replacing_follows_a_symlink_and_leaves_it_one() {
    let scratch = tempfile::tempdir().unwrap();
    let (target, link) = (scratch.path().join("dotfiles"), scratch.path().join("link"));
    symlink("dotfiles", &link).unwrap();
    for contents in ["the target is made", "the target is replaced"] {
        replace(&link, contents.as_bytes()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), contents);
    }
}

#[test]
fn replacing_in_a_circle_of_symlinks_ends() {
    let scratch = tempfile::tempdir().unwrap();
    symlink("b", scratch.path().join("a")).unwrap();
    symlink("a", scratch.path().join("b")).unwrap();
    assert!(replace(&scratch.path().join("a"), b"x").is_err());
}

#[test]
fn a_planted_symlink_is_not_appended_to() {
    let scratch = tempfile::tempdir().unwrap();
    symlink("victim", scratch.path().join("segment")).unwrap();
    assert!(append_private(&scratch.path().join("segment")).is_err());
    assert!(create_private(&scratch.path().join("segment")).is_err());
    assert!(!scratch.path().join("victim").exists());
}

#[test]
fn a_private_file_is_made_or_closed_and_a_symlink_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("db");
    make_private(&file).unwrap();
    assert_eq!((mode(&file), mode_of_others(&file).unwrap()), (0o600, None));
    fs::write(&file, "kept").unwrap();
    set_mode(&file, 0o644);
    assert_eq!(mode_of_others(&file).unwrap(), Some(0o644));
    make_private(&file).unwrap();
    assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"kept".to_vec()));
    symlink("db", scratch.path().join("link")).unwrap();
    assert!(make_private(&scratch.path().join("link")).is_err());
    tighten(&scratch.path().join("absent")).unwrap();
}

#[test]
fn a_trusted_file_is_read_and_the_failed_rule_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("managed.json");
    fs::write(&file, "{}").unwrap();
    set_mode(&file, 0o644);
    let read = |path: &Path| read_trusted(path, Owner::AdministratorOrSelf, 10);
    assert_eq!(read(&file).unwrap(), b"{}");

    // Our private group may write it, another group may not.
    let ourselves = rustix::process::geteuid().as_raw();
    set_mode(&file, 0o664);
    if std::os::unix::fs::chown(&file, None, Some(ourselves)).is_ok() {
        assert_eq!(read(&file).unwrap(), b"{}");
    }
    if ourselves == 0 {
        std::os::unix::fs::chown(&file, None, Some(1)).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0664)"));
    }

    set_mode(&file, 0o666);
    assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0666)"));
    set_mode(&file, 0o644);

    let link = scratch.path().join("link");
    symlink(&file, &link).unwrap();
    assert!(read(&link).unwrap_err().to_string().contains("symlink"));

    fs::write(&file, "more than ten bytes").unwrap();
    assert!(matches!(read(&file), Err(FileError::TooLarge { limit: 10, .. })));
    assert!(read(&scratch.path().join("absent")).unwrap_err().is_not_found());

    set_mode(scratch.path(), 0o777);
    assert!(read(&file).unwrap_err().to_string().contains("others may write it (mode 0777)"));
}

#[test]
fn a_pipe_in_the_place_of_a_file_does_not_hang_the_reader() {
    let scratch = tempfile::tempdir().unwrap();
    let pipe = scratch.path().join("managed.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(read_bounded(&pipe, 10).unwrap_err().to_string().contains("no plain file"));
}

#[test]
fn a_folder_left_open_is_closed_and_a_symlink_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("open");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o777);
    private_folder(&folder).unwrap();
    assert_eq!(mode(&folder), 0o700);
    symlink(&folder, scratch.path().join("link")).unwrap();
    assert!(private_folder(&scratch.path().join("link")).is_err());
}
