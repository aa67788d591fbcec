//! The differences that are argued: a data file with a reason for each. One that is not listed fails; a
//! listed one that did not occur where it is said to occur fails too.

use super::compare::Difference;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    difference: Vec<Argued>,
}

/// One argued difference. `*` stands for any run of characters in all but the reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Argued {
    /// The runs it has to occur in: `SERVER REVISION CLIENT-WAY to SERVER-WAY`.
    runs: Vec<String>,
    side: String,
    at: String,
    field: String,
    direct: String,
    through: String,
    reason: String,
}

impl Argued {
    fn fits(&self, found: &Difference) -> bool {
        matches(&self.side, found.side)
            && matches(&self.at, &found.at)
            && matches(&self.field, &found.field)
            && matches(&self.direct, &found.direct)
            && matches(&self.through, &found.through)
    }
}

/// What is wrong with these differences of one run, in sentences; nothing where all is as argued.
#[must_use]
pub fn judge(run: &str, found: &BTreeSet<Difference>) -> Vec<String> {
    judge_by(include_str!("differences.toml"), run, found)
}

fn judge_by(list: &str, run: &str, found: &BTreeSet<Difference>) -> Vec<String> {
    let list: List = match toml::from_str(list) {
        Ok(list) => list,
        Err(error) => return vec![format!("differences.toml: {error}")],
    };
    let here: Vec<&Argued> =
        list.difference.iter().filter(|argued| argued.runs.iter().any(|runs| matches(runs, run))).collect();
    let unargued = found.iter().filter(|found| !here.iter().any(|argued| argued.fits(found)));
    let unargued = unargued.map(|found| format!("{run}: not argued for: {found}"));
    let gone = here.iter().filter(|argued| !found.iter().any(|found| argued.fits(found)));
    let gone = gone.map(|argued| {
        format!("{run}: listed, but no longer there: {} {} ({})", argued.at, argued.field, argued.reason)
    });
    unargued.chain(gone).collect()
}

/// Does the text fit the pattern, in which `*` is any run of characters?
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[test]
fn a_difference_that_is_not_listed_fails_and_so_does_a_listed_one_that_is_gone() {
    let list = r#"
        [[difference]]
        runs = ["time * to stdio"]
        side = "client"
        at = "initialize"
        field = "/result/*"
        direct = "false"
        through = "true"
        reason = "argued"
    "#;
    let found = Difference {
        side: "client",
        at: "initialize".into(),
        field: "/result/x".into(),
        direct: "false".into(),
        through: "true".into(),
    };
    let one = BTreeSet::from([found.clone()]);
    assert_eq!(judge_by(list, "time 2025-11-25 http to stdio", &one), Vec::<String>::new());
    assert_eq!(judge_by(list, "time 2025-11-25 http to stdio", &BTreeSet::new()).len(), 1);
    assert_eq!(judge_by(list, "git 2025-11-25 http to stdio", &one).len(), 1);
    let other = BTreeSet::from([Difference { through: "\"true\"".into(), ..found }]);
    assert_eq!(judge_by(list, "time 2025-11-25 http to stdio", &other).len(), 2);
}
