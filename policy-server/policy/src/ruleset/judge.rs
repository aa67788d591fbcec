//! One decision: standing first, then the catalogue, then the grants, a deny before every allow.

use super::{Compiled, reasons};
use crate::decision::{Decision, Feature, Mode, Request, Verdict};
use crate::document::Effect;
use crate::identity::ServerIdentity;
use serde_json::Value;
use std::borrow::Cow;
use time::OffsetDateTime;

/// A request whose server is found.
pub(super) struct Subject<'a> {
    pub member: Cow<'a, str>,
    pub device: &'a str,
    pub client: &'a str,
    pub server: Option<usize>,
    pub identity: &'a ServerIdentity,
    pub feature: Feature,
    pub name: &'a str,
    pub arguments: Option<&'a Value>,
    pub now: OffsetDateTime,
}

impl<'a> Subject<'a> {
    pub fn of(request: &Request<'a>, server: Option<usize>) -> Self {
        let member = if request.member.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(request.member.to_ascii_lowercase())
        } else {
            Cow::Borrowed(request.member)
        };
        let Request { device, client, server: identity, feature, name, arguments, now, .. } = *request;
        Self { member, device, client, server, identity, feature, name, arguments, now }
    }
}

/// A decision and how it came about.
pub(super) struct Judgement {
    pub decision: Decision,
    /// The grant that decided.
    pub grant: Option<usize>,
    pub roles: Vec<usize>,
    pub candidates: Vec<usize>,
}

/// What the candidate grants say together.
pub(super) enum Finding {
    Allowed(usize),
    Denied(usize),
    /// Conditions that did not hold, where one of them would have allowed.
    Unmet(Vec<usize>),
    Undecidable {
        grant: Option<usize>,
        why: String,
    },
    Nothing,
}

impl Compiled {
    pub fn judge(&self, subject: &Subject<'_>) -> Judgement {
        if let Some(decision) = self.standing(subject) {
            return Judgement { decision, grant: None, roles: Vec::new(), candidates: Vec::new() };
        }
        let roles = self.members.roles(&subject.member);
        let mode = self.mode(subject.server, &roles);
        let Some(server) = subject.server else {
            let decision = self.not_in_catalogue(mode, subject);
            return Judgement { decision, grant: None, roles, candidates: Vec::new() };
        };
        let candidates = self.index.candidates(server, &roles, subject.feature, subject.name);
        let finding = self.weigh(&candidates, subject, server);
        let (decision, grant) = self.say(finding, mode, subject, server, &roles);
        Judgement { decision, grant, roles, candidates }
    }

    pub fn visible(&self, subject: &Subject<'_>) -> bool {
        self.is_shown(subject, |server, roles| {
            let candidates = self.index.candidates(server, roles, subject.feature, subject.name);
            let some = |effect, unconditional: bool| {
                let mut rules = candidates.iter().map(|number| &self.grants[*number]);
                rules.any(|rule| rule.effect == effect && !(unconditional && rule.conditional.is_some()))
            };
            let allowed = some(Effect::Allow, false) || subject.feature == Feature::Method;
            allowed && !some(Effect::Deny, true)
        })
    }

    /// Where access has ended nothing is, in monitor mode everything; else the grants say it, of the server
    /// for these roles.
    pub(super) fn is_shown(
        &self,
        subject: &Subject<'_>,
        by_grants: impl FnOnce(usize, &[usize]) -> bool,
    ) -> bool {
        if self.standing(subject).is_some() {
            return false;
        }
        let roles = self.members.roles(&subject.member);
        let is_monitored = self.mode(subject.server, &roles) == Mode::Monitor;
        is_monitored || subject.server.is_some_and(|server| by_grants(server, &roles))
    }

    /// Access that has ended, in every mode and whatever the grants say.
    pub(super) fn standing(&self, subject: &Subject<'_>) -> Option<Decision> {
        let contact = || self.contact.clone();
        if self.suspended.contains(subject.member.trim()) {
            return Some(reasons::suspended(&subject.member, contact()));
        }
        if !subject.device.is_empty() && self.revoked.contains(&subject.device.to_ascii_lowercase()) {
            return Some(reasons::revoked(contact()));
        }
        match self.expires {
            Some(expires) if subject.now >= expires => Some(reasons::expired(expires, contact())),
            _ => None,
        }
    }

    /// The most specific word on the mode: the server's, else the roles', else the default. Of several
    /// roles that say one, a single `enforce` decides.
    pub fn mode(&self, server: Option<usize>, roles: &[usize]) -> Mode {
        let of_roles = || {
            let modes = || roles.iter().filter_map(|role| self.role_modes[*role]);
            if modes().any(|mode| mode == Mode::Enforce) { Some(Mode::Enforce) } else { modes().next() }
        };
        server.and_then(|server| self.server_modes[server]).or_else(of_roles).unwrap_or(self.mode)
    }

    fn weigh(&self, candidates: &[usize], subject: &Subject<'_>, server: usize) -> Finding {
        let first = |effect| {
            let plain = |number: &&usize| {
                let rule = &self.grants[**number];
                rule.effect == effect && rule.conditional.is_none()
            };
            candidates.iter().find(plain).copied()
        };
        if let Some(denied) = first(Effect::Deny) {
            return Finding::Denied(denied);
        }
        let allowed = first(Effect::Allow);
        let conditional = |number: &usize| self.grants[*number].conditional.is_some();
        let conditional: Vec<usize> = candidates.iter().copied().filter(conditional).collect();
        if conditional.is_empty() {
            return allowed.map_or(Finding::Nothing, Finding::Allowed);
        }
        match self.ask_cedar(&conditional, subject, server) {
            Finding::Allowed(number) => Finding::Allowed(allowed.map_or(number, |plain| plain.min(number))),
            Finding::Unmet(_) | Finding::Nothing if allowed.is_some() => {
                allowed.map_or(Finding::Nothing, Finding::Allowed)
            }
            finding => finding,
        }
    }

    fn say(
        &self,
        finding: Finding,
        mode: Mode,
        subject: &Subject<'_>,
        server: usize,
        roles: &[usize],
    ) -> (Decision, Option<usize>) {
        let feature = subject.feature;
        let by = |number, verdict, reason: String| (self.by(number, mode, verdict, reason), Some(number));
        let rule = |number: usize| &self.grants[number];
        let ours = |rule: &str, reason| reasons::refused(mode, rule, reason, self.contact.clone());
        match finding {
            Finding::Allowed(number) => by(number, Verdict::Allow, reasons::allowed(rule(number))),
            Finding::Denied(number) => by(number, Verdict::Refuse, reasons::denied(rule(number), feature)),
            Finding::Unmet(unmet) => {
                if let [only] = unmet[..] {
                    let (decision, grant) = by(only, Verdict::Refuse, reasons::unmet(rule(only), feature));
                    return (Decision { unmet: reasons::needs(&self.grants[only]), ..decision }, grant);
                }
                let names = unmet.iter().map(|number| self.grants[*number].name.as_str());
                (ours("default", reasons::all_unmet(names)), None)
            }
            Finding::Undecidable { grant, why } => {
                let name = grant.map(|number| self.grants[number].name.as_str());
                (ours("undecidable", reasons::undecidable(name, &why)), grant)
            }
            Finding::Nothing if feature == Feature::Method => (reasons::ungoverned(mode), None),
            Finding::Nothing => {
                let (who, server) = (self.who(subject, roles), self.catalogue.name(server));
                (ours("default", reasons::no_grant(&self.source, &who, feature, subject.name, server)), None)
            }
        }
    }

    /// A grant's decision, in its author's words where there are any.
    pub(super) fn by(&self, number: usize, mode: Mode, verdict: Verdict, reason: String) -> Decision {
        let rule = &self.grants[number];
        Decision {
            verdict,
            mode,
            rule: rule.name.clone(),
            reason: rule.reason.clone().unwrap_or(reason),
            contact: rule.contact.clone().or_else(|| self.contact.clone()),
            unmet: None,
        }
    }

    pub(super) fn not_in_catalogue(&self, mode: Mode, subject: &Subject<'_>) -> Decision {
        let reason = reasons::not_in_catalogue(subject.identity, &self.source);
        reasons::refused(mode, "default", reason, self.contact.clone())
    }

    pub(super) fn who(&self, subject: &Subject<'_>, roles: &[usize]) -> String {
        let roles: Vec<_> = roles.iter().map(|role| self.members.name(*role)).collect();
        reasons::who(&subject.member, &roles)
    }
}
