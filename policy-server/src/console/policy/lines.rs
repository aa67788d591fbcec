//! Two versions of a text, line by line, with a little of what stands around each change.

use similar::{ChangeTag, TextDiff};

/// Unchanged lines shown around a change.
const AROUND: usize = 3;

pub struct Line {
    pub class: &'static str,
    pub sign: &'static str,
    pub old: String,
    pub new: String,
    pub text: String,
}

/// Empty where the texts are the same.
pub fn diff(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        if !lines.is_empty() {
            lines.push(Line {
                class: "gap",
                sign: "…",
                old: String::new(),
                new: String::new(),
                text: String::new(),
            });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (class, sign) = match change.tag() {
                ChangeTag::Equal => ("same", ""),
                ChangeTag::Insert => ("add", "+"),
                ChangeTag::Delete => ("del", "−"),
            };
            let number = |index: Option<usize>| index.map(|i| (i + 1).to_string()).unwrap_or_default();
            lines.push(Line {
                class,
                sign,
                old: number(change.old_index()),
                new: number(change.new_index()),
                text: change.value().trim_end_matches(['\r', '\n']).to_owned(),
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_change_is_shown_with_its_surroundings_and_far_ones_apart() {
        let before = (1..=40).fold(String::new(), |text, n| text + &format!("line {n}\n"));
        let after = before.replace("line 5\n", "line five\n").replace("line 35\n", "");
        let lines = diff(&before, &after);
        let shown: Vec<_> = lines.iter().map(|line| format!("{}{}", line.sign, line.text)).collect();
        assert!(
            shown.contains(&"−line 5".to_owned()) && shown.contains(&"+line five".to_owned()),
            "{shown:?}"
        );
        assert_eq!(lines.iter().filter(|line| line.class == "gap").count(), 1);
        assert_eq!(lines.first().unwrap().text, "line 2");
        assert!(diff(&before, &before).is_empty());
    }
}
