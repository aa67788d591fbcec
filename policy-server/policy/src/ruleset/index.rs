//! The index: from a server's identity to its name, and from server, role, feature and name to
//! the grants that speak of them. Grants and servers are numbered in document order.

use crate::decision::Feature;
use crate::document::{Document, Effect, Server};
use crate::identity::{Parts, ServerIdentity};
use crate::matcher::ServerMatcher;
use crate::pattern::Pattern;
use crate::uri::{Uri, folded};
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

/// Grants by server, role and feature, then by name. Every guard of every session holds one, so names are
/// kept once and entries are pairs of numbers.
pub(super) struct Index {
    rooms: HashMap<(u32, u32, Feature), Room>,
    /// Names that some grant spells out.
    names: HashMap<Box<str>, u32>,
    /// Patterns that are more than a name.
    patterns: Vec<Starred>,
}

/// One server, one role, one feature.
#[derive(Default)]
struct Room {
    /// Grants of every name.
    any: Vec<u32>,
    /// Name and grant, in order.
    exact: Vec<(u32, u32)>,
    /// Pattern and grant.
    starred: Vec<(u32, u32)>,
}

/// What one of a grant's patterns is filed under.
#[derive(Clone, Copy)]
enum Filed {
    Any,
    Exact(u32),
    Starred(u32),
}

/// How a pattern compares; [`crate::uri`] says why URIs differ.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Starred {
    Name(Pattern),
    AllowedUri(Pattern),
    DeniedUri { pattern: Pattern, folded: Pattern },
}

impl Starred {
    fn of(feature: Feature, effect: Effect, pattern: &Pattern) -> Self {
        let pattern = pattern.clone();
        match (feature, effect) {
            (Feature::Resource, Effect::Allow) => Self::AllowedUri(pattern),
            (Feature::Resource, Effect::Deny) => {
                let folded = Pattern::new(&folded(pattern.as_str()));
                Self::DeniedUri { pattern, folded }
            }
            _ => Self::Name(pattern),
        }
    }

    fn pattern(&self) -> &Pattern {
        match self {
            Self::Name(pattern) | Self::AllowedUri(pattern) | Self::DeniedUri { pattern, .. } => pattern,
        }
    }

    fn matches(&self, name: &str, uri: Option<&Uri<'_>>) -> bool {
        match (self, uri) {
            (Self::AllowedUri(pattern), Some(uri)) => uri.is_allowed_by(pattern),
            (Self::DeniedUri { pattern, folded }, Some(uri)) => uri.is_denied_by(pattern, folded),
            (other, _) => other.pattern().matches(name),
        }
    }
}

impl Index {
    pub fn of(document: &Document) -> Self {
        let servers = numbers(document.servers().iter().map(|server| server.name.as_str()));
        let roles = numbers(document.roles().iter().map(|role| role.name.as_str()));
        let mut index = Self { rooms: HashMap::new(), names: HashMap::new(), patterns: Vec::new() };
        let mut starred = HashMap::new();
        for (number, grant) in (0_u32..).zip(document.grants()) {
            let file =
                |(feature, pattern)| (feature, index.file(feature, grant.effect, pattern, &mut starred));
            let filed: Vec<_> = grant.scope.patterns().map(file).collect();
            for server in grant.servers.iter().filter_map(|name| servers.get(name.as_str())) {
                for role in grant.roles.iter().filter_map(|name| roles.get(name.as_str())) {
                    for (feature, filed) in &filed {
                        let room = index.rooms.entry((*server, *role, *feature)).or_default();
                        room.add(*filed, number);
                    }
                }
            }
        }
        index.rooms.values_mut().for_each(Room::settle);
        index
    }

    fn file(
        &mut self,
        feature: Feature,
        effect: Effect,
        pattern: &Pattern,
        starred: &mut HashMap<Starred, u32>,
    ) -> Filed {
        // A denied URI has other spellings, so it is no name to look up.
        let literal = pattern.literal().filter(|_| (feature, effect) != (Feature::Resource, Effect::Deny));
        match literal {
            _ if pattern.is_any() => Filed::Any,
            Some(name) => {
                let next = number(self.names.len());
                Filed::Exact(*self.names.entry(name.into()).or_insert(next))
            }
            None => {
                let pattern = Starred::of(feature, effect, pattern);
                Filed::Starred(*starred.entry(pattern).or_insert_with_key(|pattern| {
                    self.patterns.push(pattern.clone());
                    number(self.patterns.len() - 1)
                }))
            }
        }
    }

    /// The names of a feature that grants list for these roles on this server, each with its grant. For
    /// questions that are asked once in a while: it looks at every name.
    pub fn spoken(&self, server: usize, roles: &[usize], feature: Feature) -> Vec<(&str, usize)> {
        let mut names = vec![""; self.names.len()];
        for (name, number) in &self.names {
            names[*number as usize] = name;
        }
        let mut spoken = Vec::new();
        for room in self.rooms(server, roles, feature) {
            let starred = |pattern: u32| self.patterns[pattern as usize].pattern().as_str();
            spoken.extend(room.any.iter().map(|grant| ("*", *grant as usize)));
            spoken.extend(room.exact.iter().map(|(name, grant)| (names[*name as usize], *grant as usize)));
            spoken.extend(room.starred.iter().map(|(pattern, grant)| (starred(*pattern), *grant as usize)));
        }
        spoken
    }

    /// Every grant that speaks of this request, in document order, each once.
    pub fn candidates(&self, server: usize, roles: &[usize], feature: Feature, name: &str) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut add = |grant: &u32| found.push(*grant as usize);
        let exact = self.names.get(name);
        let uri = (feature == Feature::Resource).then(|| Uri::of(name));
        for room in self.rooms(server, roles, feature) {
            room.any.iter().for_each(&mut add);
            if let Some(name) = exact {
                let first = room.exact.partition_point(|(filed, _)| filed < name);
                let same = room.exact[first..].iter().take_while(|(filed, _)| filed == name);
                same.map(|(_, grant)| grant).for_each(&mut add);
            }
            let matching = room
                .starred
                .iter()
                .filter(|(pattern, _)| self.patterns[*pattern as usize].matches(name, uri.as_ref()));
            matching.map(|(_, grant)| grant).for_each(&mut add);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn rooms(&self, server: usize, roles: &[usize], feature: Feature) -> impl Iterator<Item = &Room> {
        roles.iter().filter_map(move |role| self.rooms.get(&(number(server), number(*role), feature)))
    }
}

impl Room {
    fn add(&mut self, filed: Filed, grant: u32) {
        match filed {
            Filed::Any => self.any.push(grant),
            Filed::Exact(name) => self.exact.push((name, grant)),
            Filed::Starred(pattern) => self.starred.push((pattern, grant)),
        }
    }

    fn settle(&mut self) {
        self.exact.sort_unstable();
        self.any.shrink_to_fit();
        self.exact.shrink_to_fit();
        self.starred.shrink_to_fit();
    }
}

fn numbers<'d>(names: impl Iterator<Item = &'d str>) -> HashMap<&'d str, u32> {
    names.zip(0..).collect()
}

/// Numbers count things of one document, whose text has far fewer than 2^32 bytes.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
