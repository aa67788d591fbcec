//! May a server be started or dialled at all? Only where some call of this member's could be allowed:
//! starting a server runs its code, and its instructions reach the model before any tool is called.

use super::judge::Subject;
use super::{Compiled, Law, Ruleset, reasons};
use crate::decision::{Decision, Mode, Outcome, Request, Verdict};
use crate::document::Effect;
use crate::pattern::Pattern;

impl Ruleset {
    /// Could *some* tool of this server be allowed for this member, with some arguments? In monitor mode
    /// every server is reachable. `request.tool` and `request.arguments` are ignored.
    #[must_use]
    pub fn reachable(&self, request: &Request<'_>) -> bool {
        self.server_refusal(request).is_none_or(|decision| decision.outcome() != Outcome::Refused)
    }

    /// The refusal of the server as a whole, where no tool of it could be allowed. In monitor mode it is
    /// one that is not enforced.
    #[must_use]
    pub fn server_refusal(&self, request: &Request<'_>) -> Option<Decision> {
        match &self.law {
            Law::Lockdown(why) => Some(reasons::lockdown(why)),
            Law::Document(compiled) => {
                compiled.server_refusal(&Subject::of(request, compiled.catalogue.find(request.server)))
            }
        }
    }
}

impl Compiled {
    fn server_refusal(&self, subject: &Subject<'_>) -> Option<Decision> {
        if let Some(decision) = self.standing(subject) {
            return Some(decision);
        }
        let roles = self.members.roles(&subject.member);
        let mode = self.mode(subject.server, &roles);
        let Some(server) = subject.server else { return Some(self.not_in_catalogue(mode, subject)) };
        match self.hold(server, &roles) {
            Hold::Some => None,
            Hold::Denied(grant) => Some(self.by(grant, mode, Verdict::Refuse, reasons::denied_wholly)),
            Hold::Nothing => Some(self.nothing_for(mode, subject, server, &roles)),
        }
    }

    fn nothing_for(&self, mode: Mode, subject: &Subject<'_>, server: usize, roles: &[usize]) -> Decision {
        let (who, server) = (self.who(subject, roles), self.catalogue.name(server));
        let reason = reasons::no_grant_at_all(&self.source, &who, server);
        reasons::refused(mode, "default", reason, self.contact.clone())
    }

    fn hold(&self, server: usize, roles: &[usize]) -> Hold {
        let spoken = self.index.spoken(server, roles);
        let rule = |grant: &usize| &self.grants[*grant];
        let wholly = |grant: &usize| rule(grant).effect == Effect::Deny && rule(grant).conditional.is_none();
        let denies = spoken.iter().filter(|(_, grant)| wholly(grant));
        let denies: Vec<_> = denies.map(|(tools, grant)| (Pattern::new(tools), *grant)).collect();
        let mut hold = Hold::Nothing;
        for (tools, _) in spoken.iter().filter(|(_, grant)| rule(grant).effect == Effect::Allow) {
            // A pattern that matches another's text, star for star, matches all that the other does.
            match denies.iter().find(|(denied, _)| denied.matches(tools)) {
                None => return Hold::Some,
                // Of several, one whose author says why.
                Some((_, grant)) if matches!(hold, Hold::Nothing) || rule(grant).reason.is_some() => {
                    hold = Hold::Denied(*grant);
                }
                Some(_) => {}
            }
        }
        hold
    }
}

/// What a member's grants leave of a server.
enum Hold {
    Some,
    /// There are allows, and all are denied; by this grant among others.
    Denied(usize),
    Nothing,
}
