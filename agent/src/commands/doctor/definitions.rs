//! What servers say their tools are: held back where it changed, and the pins that say what it was.

use super::Check;
use crate::pins::{HeldBack, Standing, Unreadable};
use crate::shell::quoted;

const NAME: &str = "definitions";

pub(super) fn checks(standing: &Standing) -> Vec<Check> {
    if *standing == Standing::default() {
        return vec![Check::well(NAME, "nothing of any server is held back")];
    }
    let held = standing.held.iter().map(held_back);
    held.chain(standing.unreadable.iter().map(unreadable)).collect()
}

fn held_back(HeldBack { server, definitions }: &HeldBack) -> Check {
    let count = definitions.len();
    let named = quoted(server);
    let (word, verb) = if count == 1 { ("definition", "is") } else { ("definitions", "are") };
    Check::failed(
        NAME,
        format!("{count} {word} of {server} {verb} held back: {}", definitions.join(", ")),
        format!(
            "read `portreeve pins diff --server {named}`; where that is well, `portreeve pins approve --server {named}` \
             takes it, or says who does"
        ),
    )
}

/// Fail closed: what was approved is not known any more.
fn unreadable(Unreadable { path, server, why }: &Unreadable) -> Check {
    let server = server.as_deref();
    Check::failed(
        NAME,
        format!(
            "{why}. Where policy holds definitions, nothing of {} is shown or called",
            server.unwrap_or("that server")
        ),
        format!(
            "keep a copy of {path}, as somebody may have written to it; then `portreeve pins forget --server {}`",
            server.map_or_else(|| "SERVER".to_owned(), quoted)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Standing as Stands;
    use super::*;

    #[test]
    fn what_is_held_back_and_what_cannot_be_read_have_their_remedies() {
        assert_eq!(checks(&Standing::default())[0].standing, Stands::Well);
        let held = HeldBack { server: "npm:a".to_owned(), definitions: vec!["tool x".to_owned()] };
        let blank =
            HeldBack { server: "exec:node /x.mjs".to_owned(), definitions: vec!["tool x".to_owned()] };
        let torn = Unreadable { path: "/p".to_owned(), server: None, why: "/p holds no pins".to_owned() };
        let standing = Standing { held: vec![held, blank], unreadable: vec![torn] };
        let told = checks(&standing);
        let told: Vec<String> = told
            .iter()
            .map(|check| format!("{} do: {}", check.detail, check.remedy.as_deref().unwrap_or_default()))
            .collect();
        for (said, parts) in told.iter().zip([
            ["1 definition of npm:a is held back: tool x", "pins diff --server npm:a"],
            ["tool x", "pins approve --server 'exec:node /x.mjs'`"],
            ["nothing of that server is shown or called", "pins forget --server SERVER"],
        ]) {
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
    }
}
