//! "Did you mean": the known name nearest to one that is not known.

use std::fmt::Display;

/// ``did you mean `everything`?``, or empty where nothing is near.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let limit = 1 + wrong.chars().count() / 3;
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map_or_else(String::new, |(_, name)| format!("did you mean `{name}`?"))
}

/// The nearest name, else all of them: `one of a, b, c`.
pub(crate) fn nearest_or_all<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    none: impl Display,
) -> String {
    let near = did_you_mean(wrong, known.clone());
    if !near.is_empty() {
        return near;
    }
    let all: Vec<_> = known.into_iter().take(12).map(|name| format!("`{name}`")).collect();
    if all.is_empty() { none.to_string() } else { format!("known: {}", all.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn only_near_names_are_offered() {
        assert_eq!(did_you_mean("everythign", ["github", "everything"]), "did you mean `everything`?");
        assert_eq!(did_you_mean("jira", ["github", "everything"]), "");
    }
}
