//! The servers that the door offers: the governed entries of one user's configurations, looked through
//! their guard, with the environment and headers that each gives its server.
//!
//! Claude puts variables into an entry when it starts the server; here nobody does, so we do it.

use crate::clients::{
    ConfigText, Entry, Guarded, HEADERS_VARIABLE, Home, Launch, Shape, Transport, parse_config, read_bytes,
};
use crate::steward::Guard;
use crate::transport::http::SecretHeaders;
use crate::transport::target::{Given, Target};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// One server to offer. What it holds may be secret and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    entry: String,
    launch: Launch,
    env: Vec<(String, String)>,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({})", self.entry)
    }
}

#[derive(Default)]
pub struct Found {
    /// By the name in their path.
    pub offers: BTreeMap<String, Offer>,
    /// Governed entries that cannot be offered, and why.
    pub left_out: Vec<(String, String)>,
}

/// Every entry that is behind our guard now. Files that cannot be read offer nothing; detection tells of them.
pub fn governed(home: &Home, guard: &Guard) -> Found {
    let mut found = Found::default();
    for file in home.config_files() {
        let Ok(Some(bytes)) = read_bytes(file.path()) else { continue };
        let Ok(text) = parse_config(file.path(), bytes) else { continue };
        let Ok(entries) = file.entries(&text, &file.surroundings(), &guard.program) else { continue };
        for entry in entries.all {
            found.take(&entry, guard);
        }
    }
    found
}

impl Found {
    fn take(&mut self, entry: &Entry, guard: &Guard) {
        let name = &entry.place.name;
        let Shape::Guarded(guarded) = &entry.shape else { return };
        if !guard.is(name, guarded) {
            return;
        }
        match Offer::of(name, guarded, &entry.text, &|name| std::env::var(name).ok()) {
            Ok(offer) => self.offer(&path_name(name), offer),
            Err(why) => self.left_out.push((name.clone(), why)),
        }
    }

    /// Two entries of one name that are not the same server get paths of their own.
    fn offer(&mut self, name: &str, offer: Offer) {
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        for name in std::iter::once(name.to_owned()).chain(numbered) {
            match self.offers.get(&name) {
                Some(same) if *same == offer => return,
                Some(_) => {}
                None => {
                    self.offers.insert(name, offer);
                    return;
                }
            }
        }
    }
}

impl Offer {
    fn of(
        entry: &str,
        guarded: &Guarded,
        text: &str,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let full = |text: &str| expanded(text, variable);
        let launch = match &guarded.inner {
            Launch::Stdio { command, args } => Launch::Stdio {
                command: full(command)?,
                args: args.iter().map(|arg| full(arg)).collect::<Result<_, _>>()?,
            },
            Launch::Remote { transport, url, headers } => {
                let pair = |(name, value): &(String, String)| Ok((name.clone(), full(value)?));
                let headers = headers.iter().map(pair).collect::<Result<_, String>>()?;
                Launch::Remote { transport: *transport, url: full(url)?, headers }
            }
        };
        let env = environment(text).unwrap_or_default().into_iter();
        let env = env.filter(|(name, _)| name != HEADERS_VARIABLE);
        let env = env.map(|(name, value)| Ok((name, full(&value)?))).collect::<Result<_, String>>()?;
        let offer = Self { entry: entry.to_owned(), launch, env };
        offer.try_target().map(|_| offer)
    }

    pub fn entry(&self) -> &str {
        &self.entry
    }

    pub fn identity(&self) -> String {
        self.launch.identity()
    }

    pub fn target(&self) -> Target {
        self.try_target().expect("an offer is made of what names a target")
    }

    fn try_target(&self) -> Result<Target, String> {
        let (named, headers) = match &self.launch {
            Launch::Stdio { command, args } => {
                let command = std::iter::once(command).chain(args).map(OsString::from).collect();
                (Target::named_by(None, None, command), SecretHeaders::default())
            }
            Launch::Remote { transport, url, headers } => {
                let headers: BTreeMap<_, _> = headers.iter().cloned().collect();
                let json = serde_json::to_string(&headers).map_err(|error| error.to_string())?;
                let headers = SecretHeaders::parse(&json).map_err(|error| error.to_string())?;
                let named = match transport {
                    Transport::Http => Target::named_by(Some(url), None, Vec::new()),
                    Transport::Sse => Target::named_by(None, Some(url), Vec::new()),
                };
                (named, headers)
            }
        };
        let target = named.map_err(|error| error.to_string())?;
        Ok(target.given(Given { env: self.env.clone(), headers: Some(headers) }))
    }
}

fn environment(entry: &str) -> Option<Vec<(String, String)>> {
    let entry = ConfigText::parse(entry.as_bytes().to_vec()).ok()?;
    let env = entry.root().member("env").ok()??.value;
    let members = env.unique_members().ok()?.into_iter();
    Some(members.filter_map(|member| Some((member.key, member.value.read()?))).collect())
}

/// `${NAME}` and `${NAME:-default}`, as Claude Code puts them in.
fn expanded(text: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inner = &rest[start + 2..start + length];
        let (name, default) =
            inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        out.push_str(&rest[..start]);
        match variable(name).or(default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => return Err(format!("it needs the variable `{name}`, which the resident does not have")),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// A name as it may stand in a path.
fn path_name(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._~-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(fit).collect();
    if name.trim_matches('.').is_empty() { "server".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "s3cret".to_owned())
    }

    #[test]
    fn variables_are_put_in_as_claude_does() {
        for (text, expected) in [
            ("a", "a"),
            ("Bearer ${TOKEN}", "Bearer s3cret"),
            ("${TOKEN}${OTHER:-x}", "s3cretx"),
            ("${TOKEN", "${TOKEN"),
            ("$TOKEN", "$TOKEN"),
        ] {
            assert_eq!(expanded(text, &variables).as_deref(), Ok(expected), "{text}");
        }
        assert!(expanded("${OTHER}", &variables).unwrap_err().contains("`OTHER`"));
    }

    #[test]
    fn two_servers_of_one_name_have_two_paths_and_one_server_has_one() {
        let offer = |command: &str| Offer {
            entry: "x".to_owned(),
            launch: Launch::Stdio { command: command.to_owned(), args: Vec::new() },
            env: Vec::new(),
        };
        let mut found = Found::default();
        for command in ["a", "a", "b"] {
            found.offer("x", offer(command));
        }
        assert_eq!(found.offers.keys().collect::<Vec<_>>(), ["x", "x-2"]);
    }

    #[test]
    fn a_name_is_one_step_of_a_path() {
        for (name, expected) in
            [("files", "files"), ("a/../b", "a-..-b"), ("ä b", "--b"), ("..", "server"), ("", "server")]
        {
            assert_eq!(path_name(name), expected);
        }
    }
}
