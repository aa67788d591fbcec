//! From a member to the roles they have. ASCII case does not count.

use crate::document::Role;
use crate::pattern::Pattern;
use std::collections::HashMap;

pub(super) struct Members {
    names: Vec<String>,
    exact: HashMap<String, Vec<usize>>,
    /// `*@acme.example`, under `acme.example`.
    domains: HashMap<String, Vec<usize>>,
    starred: Vec<(Pattern, usize)>,
}

impl Members {
    pub fn of(roles: &[Role]) -> Self {
        let mut members = Self {
            names: roles.iter().map(|role| role.name.clone()).collect(),
            exact: HashMap::new(),
            domains: HashMap::new(),
            starred: Vec::new(),
        };
        for (number, role) in roles.iter().enumerate() {
            for pattern in role.members.iter().map(crate::matcher::MemberPattern::pattern) {
                let domain = pattern.as_str().strip_prefix("*@").filter(|domain| !domain.contains('*'));
                match (pattern.literal(), domain) {
                    (Some(name), _) => members.exact.entry(name.to_owned()).or_default().push(number),
                    (_, Some(name)) => members.domains.entry(name.to_owned()).or_default().push(number),
                    _ => members.starred.push((pattern.clone(), number)),
                }
            }
        }
        members
    }

    /// In document order, each once. `member` is in ASCII lower case.
    pub fn roles(&self, member: &str) -> Vec<usize> {
        let mut roles = self.exact.get(member).cloned().unwrap_or_default();
        let domain = member.rsplit_once('@').and_then(|(_, domain)| self.domains.get(domain));
        roles.extend(domain.into_iter().flatten());
        let starred = self.starred.iter().filter(|(pattern, _)| pattern.matches(member));
        roles.extend(starred.map(|(_, role)| *role));
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    pub fn name(&self, role: usize) -> &str {
        &self.names[role]
    }
}
