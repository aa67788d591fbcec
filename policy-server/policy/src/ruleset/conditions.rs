//! The candidates that have a condition, decided by Cedar.

use super::Compiled;
use super::judge::{Finding, Subject};
use crate::condition::{Observed, restricted};
use crate::decision::Feature;
use crate::document::Effect;
use cedar_policy::{
    Authorizer, Context, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, RestrictedExpression,
};
use std::borrow::Cow;
use std::str::FromStr;
use std::sync::LazyLock;

impl Compiled {
    /// Cedar over the candidates with a condition; every other part of them is known to hold.
    pub(super) fn ask_cedar(&self, conditional: &[usize], subject: &Subject<'_>, server: usize) -> Finding {
        let request = match self.cedar_request(conditional, subject, server) {
            Ok(request) => request,
            Err(why) => return Finding::Undecidable { grant: conditional.first().copied(), why },
        };
        let policies = match self.policies(conditional) {
            Ok(policies) => policies,
            Err(why) => return Finding::Undecidable { grant: None, why },
        };
        let answer = Authorizer::new().is_authorized(&request, &policies, &Entities::empty());
        let named = |id: &cedar_policy::PolicyId| {
            let name: &str = id.as_ref();
            conditional.iter().copied().find(|number| self.grants[*number].name == name)
        };
        if let Some(error) = answer.diagnostics().errors().next() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            return Finding::Undecidable { grant: named(error.policy_id()), why: error.inner().to_string() };
        }
        let reason = answer.diagnostics().reason().filter_map(named).min();
        match (answer.decision(), reason) {
            (cedar_policy::Decision::Allow, Some(number)) => Finding::Allowed(number),
            (cedar_policy::Decision::Deny, Some(number)) => Finding::Denied(number),
            _ => {
                let allows = |number: &usize| self.grants[*number].effect == Effect::Allow;
                let unmet: Vec<_> = conditional.iter().copied().filter(allows).collect();
                if unmet.is_empty() { Finding::Nothing } else { Finding::Unmet(unmet) }
            }
        }
    }

    fn policies(&self, conditional: &[usize]) -> Result<Cow<'_, PolicySet>, String> {
        if let [only] = conditional
            && let Some(conditional) = &self.grants[*only].conditional
        {
            return Ok(Cow::Borrowed(&conditional.alone));
        }
        let rules = conditional.iter().map(|number| &self.grants[*number]);
        let policies = rules.filter_map(|rule| Some(rule.condition()?.policy(&rule.name)));
        PolicySet::from_policies(policies).map(Cow::Owned).map_err(|fault| fault.to_string())
    }

    fn cedar_request(
        &self,
        conditional: &[usize],
        subject: &Subject<'_>,
        server: usize,
    ) -> Result<cedar_policy::Request, String> {
        let observed = self.observed(conditional);
        // What is read of a resource is its name, so its arguments go without saying.
        let uri = (subject.feature == Feature::Resource && subject.arguments.is_none())
            .then(|| serde_json::json!({ "uri": subject.name }));
        let arguments = restricted(subject.arguments.or(uri.as_ref()), &observed).map_err(|fault| fault.0)?;
        let tool = if subject.feature == Feature::Tool { subject.name } else { "" };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let context = Context::from_pairs([
            ("args".to_owned(), arguments),
            ("client".to_owned(), text(subject.client)),
            ("device".to_owned(), text(subject.device)),
            ("feature".to_owned(), text(subject.feature.word())),
            ("member".to_owned(), text(&subject.member)),
            ("name".to_owned(), text(subject.name)),
            ("now".to_owned(), RestrictedExpression::new_long(subject.now.unix_timestamp())),
            ("server".to_owned(), text(self.catalogue.name(server))),
            ("tool".to_owned(), text(tool)),
        ]);
        let context = context.map_err(|fault| fault.to_string())?;
        let [principal, action, resource] = &*NOBODY;
        cedar_policy::Request::new(principal.clone(), action.clone(), resource.clone(), context, None)
            .map_err(|fault| fault.to_string())
    }

    fn observed(&self, conditional: &[usize]) -> Cow<'_, Observed> {
        let mut all = conditional
            .iter()
            .filter_map(|number| self.grants[*number].condition())
            .map(|condition| Cow::Borrowed(condition.observed()));
        let mut union = all.next().unwrap_or_else(|| Cow::Owned(Observed::nothing()));
        for observed in all {
            union.to_mut().widen(&observed);
        }
        union
    }
}

/// Conditions cannot ask who and what by entity, so one set of names serves every request.
static NOBODY: LazyLock<[EntityUid; 3]> = LazyLock::new(|| {
    ["Member", "Action", "Tool"].map(|kind| {
        let kind = EntityTypeName::from_str(kind).expect("a plain word is an entity type's name");
        EntityUid::from_type_name_and_id(kind, EntityId::new("call"))
    })
});
