//! The index: from a server's identity to its name, and from server, role and tool to the grants
//! that speak of them. Grants and servers are numbered in document order.

use crate::document::{Document, Server};
use crate::identity::{Parts, ServerIdentity};
use crate::matcher::ServerMatcher;
use crate::pattern::Pattern;
use std::collections::HashMap;

/// `[servers.*]`, by identity. Exact names win over names with stars; then document order decides.
pub(super) struct Catalogue {
    names: Vec<String>,
    exact: HashMap<String, Vec<(ServerMatcher, usize)>>,
    starred: Vec<(ServerMatcher, usize)>,
}

impl Catalogue {
    pub fn of(servers: &[Server]) -> Self {
        let mut catalogue = Self {
            names: servers.iter().map(|server| server.name.clone()).collect(),
            exact: HashMap::new(),
            starred: Vec::new(),
        };
        for (number, server) in servers.iter().enumerate() {
            for matcher in &server.matches {
                match matcher.key() {
                    Some(key) => {
                        let entry = catalogue.exact.entry(key.to_owned()).or_default();
                        entry.push((matcher.clone(), number));
                    }
                    None => catalogue.starred.push((matcher.clone(), number)),
                }
            }
        }
        // Of matchers for one name, those that say more about the rest come first.
        for entry in catalogue.exact.values_mut() {
            entry.sort_by_key(|(matcher, _)| matcher.as_str().contains('*') || matcher.is_open());
        }
        catalogue
    }

    pub fn find(&self, server: &ServerIdentity) -> Option<usize> {
        let parts = Parts::of(server.as_str());
        let exact = self.exact.get(parts.key).map(Vec::as_slice).unwrap_or_default();
        let first = exact.iter().chain(&self.starred).find(|(matcher, _)| matcher.matches(&parts));
        first.map(|(_, number)| *number)
    }

    pub fn name(&self, number: usize) -> &str {
        &self.names[number]
    }

    pub fn number(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// Grants by server and role, then by tool.
pub(super) struct Index(HashMap<(usize, usize), Tools>);

#[derive(Default)]
struct Tools {
    any: Vec<usize>,
    exact: HashMap<Box<str>, Vec<usize>>,
    starred: Vec<(Pattern, usize)>,
}

impl Index {
    pub fn of(document: &Document) -> Self {
        let servers = numbers(document.servers().iter().map(|server| server.name.as_str()));
        let roles = numbers(document.roles().iter().map(|role| role.name.as_str()));
        let mut index: HashMap<(usize, usize), Tools> = HashMap::new();
        for (number, grant) in document.grants().iter().enumerate() {
            for server in grant.servers.iter().filter_map(|name| servers.get(name.as_str())) {
                for role in grant.roles.iter().filter_map(|name| roles.get(name.as_str())) {
                    index.entry((*server, *role)).or_default().add(&grant.tools, number);
                }
            }
        }
        Self(index)
    }

    /// Every grant that speaks of this call, in document order, each once.
    pub fn candidates(&self, server: usize, roles: &[usize], tool: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for role in roles {
            if let Some(tools) = self.0.get(&(server, *role)) {
                tools.collect(tool, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Tools {
    fn add(&mut self, patterns: &[Pattern], grant: usize) {
        for pattern in patterns {
            match pattern.literal() {
                _ if pattern.is_any() => self.any.push(grant),
                Some(name) => self.exact.entry(name.into()).or_default().push(grant),
                None => self.starred.push((pattern.clone(), grant)),
            }
        }
    }

    fn collect(&self, tool: &str, found: &mut Vec<usize>) {
        found.extend_from_slice(&self.any);
        if let Some(grants) = self.exact.get(tool) {
            found.extend_from_slice(grants);
        }
        let starred = self.starred.iter().filter(|(pattern, _)| pattern.matches(tool));
        found.extend(starred.map(|(_, grant)| *grant));
    }
}

fn numbers<'d>(names: impl Iterator<Item = &'d str>) -> HashMap<&'d str, usize> {
    names.enumerate().map(|(number, name)| (name, number)).collect()
}
