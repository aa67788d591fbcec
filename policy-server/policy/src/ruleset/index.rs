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

/// Grants by server and role, then by tool. Every guard of every session holds one, so names are kept
/// once and entries are pairs of numbers.
pub(super) struct Index {
    rooms: HashMap<(u32, u32), Room>,
    /// Tool names that some grant spells out.
    tools: HashMap<Box<str>, u32>,
    /// Patterns with a star.
    patterns: Vec<Pattern>,
}

/// One server, one role.
#[derive(Default)]
struct Room {
    /// Grants of every tool.
    any: Vec<u32>,
    /// Tool and grant, in order.
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

impl Index {
    pub fn of(document: &Document) -> Self {
        let servers = numbers(document.servers().iter().map(|server| server.name.as_str()));
        let roles = numbers(document.roles().iter().map(|role| role.name.as_str()));
        let mut index = Self { rooms: HashMap::new(), tools: HashMap::new(), patterns: Vec::new() };
        let mut starred = HashMap::new();
        for (number, grant) in (0_u32..).zip(document.grants()) {
            let filed: Vec<_> = grant.tools.iter().map(|pattern| index.file(pattern, &mut starred)).collect();
            for server in grant.servers.iter().filter_map(|name| servers.get(name.as_str())) {
                for role in grant.roles.iter().filter_map(|name| roles.get(name.as_str())) {
                    let room = index.rooms.entry((*server, *role)).or_default();
                    for filed in &filed {
                        room.add(*filed, number);
                    }
                }
            }
        }
        index.rooms.values_mut().for_each(Room::settle);
        index
    }

    fn file(&mut self, pattern: &Pattern, starred: &mut HashMap<Pattern, u32>) -> Filed {
        match pattern.literal() {
            _ if pattern.is_any() => Filed::Any,
            Some(name) => {
                let next = number(self.tools.len());
                Filed::Exact(*self.tools.entry(name.into()).or_insert(next))
            }
            None => Filed::Starred(*starred.entry(pattern.clone()).or_insert_with(|| {
                self.patterns.push(pattern.clone());
                number(self.patterns.len() - 1)
            })),
        }
    }

    /// The tools that grants name for these roles on this server, each with its grant. For questions that
    /// are asked once in a while: it looks at every tool's name.
    pub fn spoken(&self, server: usize, roles: &[usize]) -> Vec<(&str, usize)> {
        let mut names = vec![""; self.tools.len()];
        for (name, number) in &self.tools {
            names[*number as usize] = name;
        }
        let rooms = roles.iter().filter_map(|role| self.rooms.get(&(number(server), number(*role))));
        let mut spoken = Vec::new();
        for room in rooms {
            let starred = |pattern: u32| self.patterns[pattern as usize].as_str();
            spoken.extend(room.any.iter().map(|grant| ("*", *grant as usize)));
            spoken.extend(room.exact.iter().map(|(tool, grant)| (names[*tool as usize], *grant as usize)));
            spoken.extend(room.starred.iter().map(|(tools, grant)| (starred(*tools), *grant as usize)));
        }
        spoken
    }

    /// Every grant that speaks of this call, in document order, each once.
    pub fn candidates(&self, server: usize, roles: &[usize], tool: &str) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut add = |grant: &u32| found.push(*grant as usize);
        let exact = self.tools.get(tool);
        for role in roles {
            let Some(room) = self.rooms.get(&(number(server), number(*role))) else { continue };
            room.any.iter().for_each(&mut add);
            if let Some(tool) = exact {
                let first = room.exact.partition_point(|(filed, _)| filed < tool);
                let same = room.exact[first..].iter().take_while(|(filed, _)| filed == tool);
                same.map(|(_, grant)| grant).for_each(&mut add);
            }
            let matching =
                room.starred.iter().filter(|(pattern, _)| self.patterns[*pattern as usize].matches(tool));
            matching.map(|(_, grant)| grant).for_each(&mut add);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Room {
    fn add(&mut self, filed: Filed, grant: u32) {
        match filed {
            Filed::Any => self.any.push(grant),
            Filed::Exact(tool) => self.exact.push((tool, grant)),
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
