//! May a server be started or dialled at all? Only where some tool, resource or prompt of it could be
//! allowed for this member: starting a server runs its code, and its instructions reach the model before
//! anything is called. What a server may ask of the client, and which methods pass, is no reason to start it.

use super::judge::Subject;
use super::{Compiled, Law, Rule, Ruleset, reasons};
use crate::decision::{Decision, Feature, Mode, Outcome, Request, Verdict};
use crate::document::Effect;
use crate::pattern::Pattern;

impl Ruleset {
    /// Could *some* tool, resource or prompt of this server be allowed for this member, with some arguments?
    /// In monitor mode every server is reachable. The request's feature, name and arguments are ignored.
    #[must_use]
    pub fn reachable(&self, request: &Request<'_>) -> bool {
        self.server_refusal(request).is_none_or(|decision| decision.outcome() != Outcome::Refused)
    }

    /// [`Ruleset::visible`] for a resource template: `request.name` is its `uriTemplate`, and the question is
    /// whether some URI that it may stand for could be allowed.
    #[must_use]
    pub fn template_visible(&self, request: &Request<'_>) -> bool {
        match &self.law {
            Law::Lockdown(_) => false,
            Law::Document(compiled) => {
                compiled.template_visible(&Subject::of(request, compiled.catalogue.find(request.server)))
            }
        }
    }

    /// The refusal of the server as a whole, where nothing of it could be allowed. In monitor mode it is
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
            Hold::Denied(grant) => {
                let reason = reasons::denied_wholly(&self.grants[grant]);
                Some(self.by(grant, mode, Verdict::Refuse, reason))
            }
            Hold::Nothing => Some(self.nothing_for(mode, subject, server, &roles)),
        }
    }

    fn nothing_for(&self, mode: Mode, subject: &Subject<'_>, server: usize, roles: &[usize]) -> Decision {
        let (who, server) = (self.who(subject, roles), self.catalogue.name(server));
        let reason = reasons::no_grant_at_all(&self.source, &who, server);
        reasons::refused(mode, "default", reason, self.contact.clone())
    }

    fn hold(&self, server: usize, roles: &[usize]) -> Hold {
        let mut hold = Hold::Nothing;
        for feature in [Feature::Tool, Feature::Resource, Feature::Prompt] {
            match self.hold_of(feature, server, roles) {
                Hold::Some => return Hold::Some,
                Hold::Denied(grant) if hold.is_better_told_by(&self.grants[grant]) => {
                    hold = Hold::Denied(grant);
                }
                Hold::Denied(_) | Hold::Nothing => {}
            }
        }
        hold
    }

    fn hold_of(&self, feature: Feature, server: usize, roles: &[usize]) -> Hold {
        let spoken = self.index.spoken(server, roles, feature);
        let rule = |grant: &usize| &self.grants[*grant];
        let wholly = |grant: &usize| rule(grant).effect == Effect::Deny && rule(grant).conditional.is_none();
        let denies = spoken.iter().filter(|(_, grant)| wholly(grant));
        let denies: Vec<_> = denies.map(|(names, grant)| (Pattern::new(names), *grant)).collect();
        let mut hold = Hold::Nothing;
        for (names, _) in spoken.iter().filter(|(_, grant)| rule(grant).effect == Effect::Allow) {
            // A pattern that matches another's text, star for star, matches all that the other does.
            match denies.iter().find(|(denied, _)| denied.matches(names)) {
                None => return Hold::Some,
                Some((_, grant)) if hold.is_better_told_by(rule(grant)) => hold = Hold::Denied(*grant),
                Some(_) => {}
            }
        }
        hold
    }

    /// Could some of the names be allowed that a template (`file:///{path}`) stands for?
    fn template_visible(&self, subject: &Subject<'_>) -> bool {
        self.is_shown(subject, |server, roles| {
            let names = Pattern::of_template(subject.name);
            let spoken = self.index.spoken(server, roles, subject.feature);
            let rule = |grant: &usize| &self.grants[*grant];
            let allowed = spoken.iter().any(|(allowed, grant)| {
                rule(grant).effect == Effect::Allow && Pattern::new(allowed).meets(&names)
            });
            let denied = spoken.iter().any(|(denied, grant)| {
                let rule = rule(grant);
                rule.effect == Effect::Deny
                    && rule.conditional.is_none()
                    && Pattern::new(denied).matches(names.as_str())
            });
            allowed && !denied
        })
    }
}

/// What a member's grants leave of a server.
enum Hold {
    Some,
    /// There are allows, and all are denied; by this grant among others.
    Denied(usize),
    Nothing,
}

impl Hold {
    /// Of several denies, one whose author says why.
    fn is_better_told_by(&self, rule: &Rule) -> bool {
        matches!(self, Self::Nothing) || rule.reason.is_some()
    }
}
