//! Which server is meant by what `--server` says. It guesses nothing: what may be several is asked back.

use super::Server;
use crate::commands::{block_on, in_force};
use crate::transport::standing::in_folder;
use platform::Layout;
use policy::ServerIdentity;
use std::collections::BTreeSet;

/// A name that is also part of another server's identity is said to be ambiguous rather than guessed.
pub(super) fn one_of(
    servers: Vec<Server>,
    asked: &str,
    named: impl FnOnce(&[Server]) -> BTreeSet<String>,
) -> Result<Vec<Server>, String> {
    let (exact, others): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.identity == asked);
    if !exact.is_empty() {
        return Ok(exact);
    }
    let named = named(&others);
    let may_be = |it: &Server| it.identity.contains(asked) || named.contains(&it.identity);
    let mut like: Vec<_> = others.into_iter().filter(may_be).collect();
    match like.len() {
        1 => Ok(like),
        // One that cannot be read, or was never seen, may still be forgotten by its whole name.
        0 if asked.contains(':') => Ok(vec![Server { identity: asked.to_owned(), pins: Vec::new() }]),
        0 => Err(format!(
            "nothing is pinned of a server {asked:?}; give an identity as `portreeve pins list` prints it"
        )),
        _ => {
            like.sort_by(|a, b| a.identity.cmp(&b.identity));
            let names: Vec<&str> = like.iter().map(|server| server.identity.as_str()).collect();
            Err(format!("{asked:?} may be several, give one whole: {}", names.join(", ")))
        }
    }
}

/// The identities that bear this name in the policy, or as a client's entry under a guard of this user's.
pub(super) fn named(servers: &[Server], asked: &str, layout: &Layout) -> BTreeSet<String> {
    let guarded = in_folder(&layout.servers()).into_iter().map(|found| found.facts);
    let mut named: BTreeSet<String> =
        guarded.filter(|facts| facts.entry == asked).map(|facts| facts.identity).collect();
    if let Ok(Some(in_force)) = block_on(in_force(layout)) {
        let identities = servers.iter().map(|server| ServerIdentity::from_canonical(server.identity.clone()));
        let of_name = identities.filter(|it| in_force.ruleset.server_name(it) == Some(asked));
        named.extend(of_name.map(|it| it.as_str().to_owned()));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asked: &str) -> Result<Vec<String>, String> {
        let server = |identity: &str| Server { identity: identity.to_owned(), pins: Vec::new() };
        let servers = ["npm:@acme/files", "exec:node /x/notes.mjs", "npm:mail"].map(server).into();
        let named = |_: &[Server]| match asked {
            "notes-entry" | "mail" => BTreeSet::from(["exec:node /x/notes.mjs".to_owned()]),
            _ => BTreeSet::new(),
        };
        one_of(servers, asked, named).map(|found| found.into_iter().map(|it| it.identity).collect())
    }

    #[test]
    fn a_server_is_found_by_its_identity_a_part_or_a_name_and_never_by_guessing() {
        for (asked, identity) in [
            ("npm:mail", "npm:mail"),
            ("@acme", "npm:@acme/files"),
            ("notes-entry", "exec:node /x/notes.mjs"),
            ("uvx:never-seen", "uvx:never-seen"),
        ] {
            assert_eq!(of(asked).unwrap(), [identity]);
        }
        for (asked, said) in [
            ("mail", "may be several, give one whole: exec:node /x/notes.mjs, npm:mail"),
            ("npm", "may be several"),
            ("nobody", "give an identity as `portreeve pins list` prints it"),
        ] {
            let why = of(asked).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
