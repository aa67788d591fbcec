//! The README's first command, as anybody runs it.

use harness::{process, tools};
use serde_json::Value;
use std::process::Command;

/// Twice in a row, first with the real servers where they are there, then with the sample server: the
/// second finds nothing of the first.
#[test]
fn the_demo_ends_well_twice_and_leaves_nothing() {
    let demo = tools::program("demo").unwrap();
    for flags in [["--no-build", "--json"].as_slice(), &["--no-build", "--json", "--sample"]] {
        let output = process::output(Command::new(&demo).args(flags)).unwrap();
        let steps: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = steps.last().unwrap();
        assert_eq!((&last["demo"], &last["failed"]), (&"ok".into(), &0.into()), "{output}");
        assert!(last["steps"].as_u64().unwrap() >= 20, "only {} steps", last["steps"]);
        let folder = tools::target_folder().unwrap().join("demo");
        assert!(!folder.exists(), "{} is left behind", folder.display());
        assert_eq!(process::mentioning(&folder.to_string_lossy()), [], "processes are left behind");
    }
}
