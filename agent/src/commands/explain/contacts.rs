//! Whom to ask about a rule: the record names the rule, and the policy in force names the person.

use crate::enrolment::read_identity;
use contract::bundle::{self, Anchor, MAX_BUNDLE_BYTES};
use platform::Layout;
use platform::files::read_bounded;
use policy::Document;
use std::collections::BTreeMap;
use std::path::Path;

/// Empty where no policy can be read: then nobody is named rather than somebody wrong.
#[derive(Default)]
pub(super) struct Contacts {
    by_rule: BTreeMap<String, String>,
    default: Option<String>,
}

impl Contacts {
    pub(super) async fn read(layout: &Layout) -> Self {
        match document(layout).await {
            Some(document) => Self::in_document(&document),
            None => Self::default(),
        }
    }

    /// Of a trial's document.
    pub(super) fn in_file(path: &Path) -> Self {
        let bytes = read_bounded(path, MAX_BUNDLE_BYTES as u64).ok();
        let document = bytes.and_then(|bytes| Document::parse(&String::from_utf8(bytes).ok()?).ok());
        document.map_or_else(Self::default, |document| Self::in_document(&document))
    }

    fn in_document(document: &Document) -> Self {
        let named = |grant: &policy::document::Grant| Some((grant.name.clone(), grant.contact.clone()?));
        Self {
            by_rule: document.grants().iter().filter_map(named).collect(),
            default: document.defaults().contact.clone(),
        }
    }

    pub(super) fn of(&self, rule: &str) -> Option<&str> {
        self.by_rule.get(rule).or(self.default.as_ref()).map(String::as_str)
    }
}

async fn document(layout: &Layout) -> Option<Document> {
    let identity = read_identity(layout).ok()??;
    let root = read_bounded(&layout.trust_root(), MAX_BUNDLE_BYTES as u64).ok()?;
    let bytes = read_bounded(&layout.adopted_policy(), MAX_BUNDLE_BYTES as u64).ok()?;
    let anchor = Anchor { organisation: identity.organisation, root };
    let verified = bundle::verify_again(&bytes, &anchor).await.ok()?;
    Document::parse(&verified.policy_toml).ok()
}
