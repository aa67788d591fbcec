//! A decision with its grounds, for the command line and the console.

use super::judge::Subject;
use super::{Compiled, Law, Ruleset, reasons};
use crate::decision::{Decision, Request};
use crate::document::{Effect, Place};
use serde::Serialize;

/// Why a call is decided as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub decision: Decision,
    /// The grant that decided, and where it stands in the document.
    pub grant: Option<(String, Place)>,
    /// The catalogue's name of the server.
    pub server: Option<String>,
    /// The member's roles.
    pub roles: Vec<String>,
    /// Every grant that speaks of this member, server and feature, in document order.
    pub considered: Vec<Considered>,
    /// The redactions that hold for it, in document order.
    pub redactions: Vec<String>,
}

/// One grant that could have decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    pub grant: String,
    pub line: usize,
    pub denies: bool,
    pub when: Option<String>,
}

impl Ruleset {
    /// [`Ruleset::decide`] with its grounds.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        match &self.law {
            Law::Lockdown(why) => Explanation::bare(reasons::lockdown(why)),
            Law::Document(compiled) => {
                compiled.explain(&Subject::of(request, compiled.catalogue.find(request.server)))
            }
        }
    }

    /// The same for a server by its name in the catalogue; `request.server` is ignored. An unknown
    /// name is a server outside the catalogue.
    #[must_use]
    pub fn explain_named(&self, server: &str, request: &Request<'_>) -> Explanation {
        match &self.law {
            Law::Lockdown(why) => Explanation::bare(reasons::lockdown(why)),
            Law::Document(compiled) => {
                compiled.explain(&Subject::of(request, compiled.catalogue.number(server)))
            }
        }
    }
}

impl Compiled {
    fn explain(&self, subject: &Subject<'_>) -> Explanation {
        let judgement = self.judge(subject);
        let considered = judgement.candidates.iter().map(|number| {
            let rule = &self.grants[*number];
            Considered {
                grant: rule.name.clone(),
                line: rule.place.line,
                denies: rule.effect == Effect::Deny,
                when: rule.condition().map(|condition| condition.text().to_owned()),
            }
        });
        Explanation {
            grant: judgement
                .grant
                .map(|number| (self.grants[number].name.clone(), self.grants[number].place)),
            server: subject.server.map(|server| self.catalogue.name(server).to_owned()),
            roles: judgement.roles.iter().map(|role| self.members.name(*role).to_owned()).collect(),
            considered: considered.collect(),
            redactions: self.redactions_for(subject).into_iter().map(|rule| rule.name.clone()).collect(),
            decision: judgement.decision,
        }
    }
}

impl Explanation {
    fn bare(decision: Decision) -> Self {
        let (roles, considered, redactions) = (Vec::new(), Vec::new(), Vec::new());
        Self { decision, grant: None, server: None, roles, considered, redactions }
    }
}
