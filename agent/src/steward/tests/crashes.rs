//! The steward dies at every step, in a process of its own, and the next start puts things right.

use super::*;
use std::process::Command;
use std::sync::atomic::AtomicUsize;

/// Dies, as by SIGKILL, instead of doing its `n`th step.
struct DyingDisk(AtomicUsize);

impl DyingDisk {
    fn step(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            std::process::abort();
        }
    }
}

impl Disk for DyingDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step();
        LocalDisk.make_folder(path)
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.step();
        LocalDisk.remove_folder(path)
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // A crash in the middle of a line, too.
        if self.0.load(Ordering::SeqCst) == 0 {
            let _ = LocalDisk.append(path, &bytes[..bytes.len() / 2]);
        }
        self.step();
        LocalDisk.append(path, bytes)
    }
    fn keep(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step();
        LocalDisk.keep(path, bytes)
    }
    fn write_beside(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) == 0 {
            let _ = LocalDisk.write_beside(path, like, &bytes[..bytes.len() / 2]);
        }
        self.step();
        LocalDisk.write_beside(path, like, bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        LocalDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step();
        LocalDisk.remove_file(path)
    }
}

const CHILD: &str = "steward::tests::crashes::child_that_dies";

/// Not a test of its own: what the others start as a process to die in.
#[test]
#[ignore = "started by the crash tests"]
fn child_that_dies() {
    let Ok(story) = std::env::var("PORTREEVE_TEST_STORY") else {
        return;
    };
    let story: (PathBuf, PathBuf, usize, bool) = serde_json::from_str(&story).unwrap();
    let steward = steward_of(&story.0, &story.1, Arc::new(DyingDisk(AtomicUsize::new(story.2))));
    if story.3 {
        steward.restore().unwrap();
    } else {
        steward.apply().unwrap();
    }
}

/// Runs to its death; `true` if it lived.
fn lived(story: &Story, step: usize, restoring: bool) -> bool {
    let plot =
        serde_json::to_string(&(&story.steward.home.path, &story.steward.folder, step, restoring)).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env("PORTREEVE_TEST_STORY", plot)
        .env("RUST_BACKTRACE", "0")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    status.unwrap().success()
}

/// What a crash may leave behind: the old file or the new, never half of one.
fn assert_whole(story: &Story, before: &str, after: &str, step: usize) {
    let now = story.config();
    assert!(now == before || now == after, "half a file after a crash at step {step}");
}

fn no_litter(story: &Story, step: usize) {
    for entry in fs::read_dir(&story.steward.home.path).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.contains("portreeve") && !name.contains(".lock"), "{name} stays after step {step}");
    }
}

#[test]
fn a_crash_at_each_step_of_applying_is_put_right() {
    let governed = {
        let story = Story::with(REAL);
        story.apply();
        story.config()
    };
    let mut survived = false;
    for step in 0..40 {
        let mut story = Story::with(REAL);
        survived = lived(&story, step, false);
        assert_whole(&story, REAL, &governed, step);
        story.steward.lock_times.stale = Duration::ZERO; // the dead holder's lock is old
        story.apply();
        assert_eq!(story.config(), governed, "step {step}");
        no_litter(&story, step);
        story.restore();
        assert_eq!(story.config(), REAL, "step {step}");
        if survived {
            break;
        }
    }
    assert!(survived, "the steps were not all tried");
}

#[test]
fn a_crash_at_each_step_of_restoring_is_put_right() {
    let mut survived = false;
    for step in 0..40 {
        let mut story = Story::with(REAL);
        story.apply();
        let governed = story.config();
        survived = lived(&story, step, true);
        assert_whole(&story, &governed, REAL, step);
        story.steward.lock_times.stale = Duration::ZERO;
        story.restore();
        assert_eq!(story.config(), REAL, "step {step}");
        no_litter(&story, step);
        if survived {
            break;
        }
    }
    assert!(survived, "the steps were not all tried");
}

#[test]
fn half_a_line_of_a_full_disk_is_taken_out_at_the_next_start() {
    let story = Story::with(REAL);
    story.apply();
    let journal = story.steward.folder.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let half = &whole[..whole.len() / 3];
    let half = &half[half.rfind('\n').map_or(0, |at| at + 1)..];
    for torn in [format!("{whole}{half}"), format!("{half}\n{whole}"), format!("{whole}{half}\n{half}")] {
        fs::write(&journal, torn).unwrap();
        assert_eq!(story.apply(), 0, "what was journalled is still known");
        assert_eq!(fs::read_to_string(&journal).unwrap(), whole);
    }
    story.restore();
    assert_eq!(story.config(), REAL);
}
