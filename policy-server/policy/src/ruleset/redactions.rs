//! Which redactions hold for a request. They hold in every mode: whoever writes one means it.

use super::judge::Subject;
use super::{Compiled, Law, Ruleset};
use crate::decision::{Feature, Request};
use crate::document::Document;
use crate::redaction::Redaction;
use crate::uri::{Uri, folded};
use std::collections::HashMap;

/// A rule with its names looked up; `None` where it names none.
pub(super) struct Scoped {
    redaction: Redaction,
    roles: Option<Vec<usize>>,
    servers: Option<Vec<usize>>,
}

impl Ruleset {
    /// Does the document redact anything at all?
    #[must_use]
    pub fn redacts(&self) -> bool {
        matches!(&self.law, Law::Document(law) if !law.redactions.is_empty())
    }

    /// The redactions that hold for this request and its answer, in the document's order. Arguments are
    /// ignored. Mostly empty.
    #[must_use]
    pub fn redactions(&self, request: &Request<'_>) -> Vec<&Redaction> {
        self.redactions_where(request, |redaction| speaks_of(redaction, request.feature, request.name))
    }

    /// Those of them that could hold for anything of this server: for messages that do not say which tool
    /// or resource they belong to. The request's feature and name are ignored.
    #[must_use]
    pub fn redactions_of_server(&self, request: &Request<'_>) -> Vec<&Redaction> {
        self.redactions_where(request, |_| true)
    }

    fn redactions_where(
        &self,
        request: &Request<'_>,
        speaks: impl Fn(&Redaction) -> bool,
    ) -> Vec<&Redaction> {
        let Law::Document(law) = &self.law else { return Vec::new() };
        let subject = Subject::of(request, law.catalogue.find(request.server));
        let roles = law.members.roles(&subject.member);
        law.redactions_of(subject.server, &roles, speaks)
    }
}

impl Compiled {
    /// Those that hold for a subject, for whoever explains.
    pub(super) fn redactions_for(&self, subject: &Subject<'_>) -> Vec<&Redaction> {
        let roles = self.members.roles(&subject.member);
        self.redactions_of(subject.server, &roles, |rule| speaks_of(rule, subject.feature, subject.name))
    }

    fn redactions_of(
        &self,
        server: Option<usize>,
        roles: &[usize],
        speaks: impl Fn(&Redaction) -> bool,
    ) -> Vec<&Redaction> {
        let holds = |rule: &&Scoped| {
            let of_role =
                rule.roles.as_ref().is_none_or(|named| named.iter().any(|role| roles.contains(role)));
            let of_server = rule
                .servers
                .as_ref()
                .is_none_or(|named| server.is_some_and(|server| named.contains(&server)));
            of_role && of_server && speaks(&rule.redaction)
        };
        self.redactions.iter().filter(holds).map(|rule| &rule.redaction).collect()
    }
}

/// Resources compare as in a deny: any reading of the URI.
fn speaks_of(redaction: &Redaction, feature: Feature, name: &str) -> bool {
    let mut patterns = redaction.scope.of(feature).iter();
    if feature != Feature::Resource {
        return patterns.any(|pattern| pattern.matches(name));
    }
    let uri = Uri::of(name);
    patterns.any(|pattern| {
        pattern.is_any()
            || uri.is_denied_by(pattern, &crate::pattern::Pattern::new(&folded(pattern.as_str())))
    })
}

pub(super) fn compile(document: &Document) -> Vec<Scoped> {
    let numbers = |names: Vec<&str>| names.into_iter().map(str::to_owned).zip(0..).collect::<HashMap<_, _>>();
    let servers = numbers(document.servers().iter().map(|server| server.name.as_str()).collect());
    let roles = numbers(document.roles().iter().map(|role| role.name.as_str()).collect());
    let named = |names: &[String], known: &HashMap<String, usize>| {
        (!names.is_empty()).then(|| names.iter().filter_map(|name| known.get(name).copied()).collect())
    };
    let compiled = document.redactions().iter().map(|redaction| Scoped {
        roles: named(&redaction.roles, &roles),
        servers: named(&redaction.servers, &servers),
        redaction: redaction.clone(),
    });
    compiled.collect()
}
