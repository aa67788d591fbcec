//! One server entry of a configuration, parsed once into what it would start or dial.

use std::fmt;
use std::path::PathBuf;

use policy::ServerIdentity;
use policy::identity::steers_what_runs;

use super::config_text::{Malformed, Node};

/// The environment variable that carries a remote server's headers to its guard.
pub const HEADERS_VARIABLE: &str = "PORTREEVE_HEADERS";

/// How a client reaches a server, directly or behind our guard.
#[derive(Clone, PartialEq, Eq)]
pub enum Launch {
    Stdio { command: String, args: Vec<String> },
    Remote { transport: Transport, url: String, headers: Vec<(String, String)> },
}

// Arguments, addresses and headers may hold secrets: only the identity is for eyes.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Launch({})", self.identity())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Http,
    Sse,
}

impl Transport {
    /// The guard's flag for it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Http => "--http",
            Self::Sse => "--sse",
        }
    }

    /// The client's name for it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
        }
    }
}

impl Launch {
    /// The identity the policy knows the server by.
    pub fn identity(&self) -> String {
        match self {
            Self::Stdio { command, args } => ServerIdentity::from_command(command, args).as_str().to_owned(),
            Self::Remote { url, .. } => ServerIdentity::from_url(url).map_or_else(
                // What is no web address has no identity.
                |_| String::new(),
                |identity| identity.as_str().to_owned(),
            ),
        }
    }
}

/// A command line that runs our guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    pub program: String,
    pub name: String,
    pub root: Option<String>,
    /// Nothing but what the steward itself writes: no further flags that would change its law.
    pub as_written: bool,
    pub inner: Launch,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Direct(Launch),
    Guarded(Guarded),
    Beyond(Beyond),
}

/// Why an entry is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    Transport(String),
    SignsIn,
    HeadersHelper,
    NoType,
    DesktopRemote,
    Unreadable(String),
    NotApproved,
    BelowProject(PathBuf),
}

impl Beyond {
    /// Would a client start or dial it all the same?
    pub fn runs(&self) -> bool {
        match self {
            Self::Transport(name) => name != "sdk",
            Self::SignsIn | Self::HeadersHelper | Self::Unreadable(_) | Self::BelowProject(_) => true,
            Self::NoType | Self::DesktopRemote | Self::NotApproved => false,
        }
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(name) => write!(f, "its transport {name:?} cannot be guarded yet"),
            Self::SignsIn => f.write_str("signs in with OAuth, which a guard cannot do yet"),
            Self::HeadersHelper => {
                f.write_str("gets its headers from a helper program, which a guard cannot run yet")
            }
            Self::NoType => f.write_str("has a url but no type, so the client does not dial it"),
            Self::DesktopRemote => {
                f.write_str("is remote, and Claude Desktop dials no remote entry of this file")
            }
            Self::Unreadable(what) => write!(f, "cannot be read: {what}"),
            Self::NotApproved => f.write_str("not approved by the developer yet"),
            Self::BelowProject(folder) => write!(
                f,
                "comes from {}, below the project's own folder, where one entry cannot shadow it",
                folder.display()
            ),
        }
    }
}

/// The members of an entry that decide what it does.
#[derive(Default)]
struct Keys<'a> {
    kind: Option<Node<'a>>,
    command: Option<Node<'a>>,
    args: Option<Node<'a>>,
    env: Option<Node<'a>>,
    url: Option<Node<'a>>,
    headers: Option<Node<'a>>,
    headers_helper: bool,
    oauth: bool,
}

impl<'a> Keys<'a> {
    fn of(entry: Node<'a>) -> Result<Self, Malformed> {
        let mut keys = Self::default();
        for member in entry.unique_members()? {
            match member.key.as_str() {
                "type" => keys.kind = Some(member.value),
                "command" => keys.command = Some(member.value),
                "args" => keys.args = Some(member.value),
                "env" => keys.env = Some(member.value),
                "url" => keys.url = Some(member.value),
                "headers" => keys.headers = Some(member.value),
                "headersHelper" => keys.headers_helper = true,
                "oauth" => keys.oauth = true,
                _ => {}
            }
        }
        Ok(keys)
    }
}

impl Shape {
    /// Parses one entry. `ours` is our own program's path, recognised whatever it is called.
    pub fn of(entry: Node<'_>, ours: &str) -> Self {
        let keys = match Keys::of(entry) {
            Ok(keys) => keys,
            Err(error) => return Self::Beyond(Beyond::Unreadable(error.to_string())),
        };
        let kind = match keys.kind.map(Node::read::<String>) {
            None if keys.command.is_none() && keys.url.is_some() => return Self::Beyond(Beyond::NoType),
            None => "stdio".to_owned(),
            Some(Some(kind)) => kind,
            Some(None) => return unreadable("its type is not a text"),
        };
        match kind.as_str() {
            "stdio" => stdio(&keys, ours),
            "http" | "streamable-http" => remote(&keys, Transport::Http),
            "sse" => remote(&keys, Transport::Sse),
            _ => Self::Beyond(Beyond::Transport(kind)),
        }
    }
}

/// The identity of what an entry starts or dials, its guard looked through; empty where it has none.
pub fn identity_of(entry: Node<'_>) -> String {
    let launch = |keys: Keys<'_>| {
        let Some(command) = keys.command.and_then(Node::read::<String>) else {
            let url = keys.url.and_then(Node::read)?;
            return Some(Launch::Remote { transport: Transport::Http, url, headers: Vec::new() });
        };
        let args = keys.args.and_then(Node::read::<Vec<String>>).unwrap_or_default();
        let inner = guarded(&command, &args, None, &command).map(|guarded| guarded.inner);
        Some(inner.unwrap_or(Launch::Stdio { command, args }))
    };
    Keys::of(entry).ok().and_then(launch).map(|launch| launch.identity()).unwrap_or_default()
}

/// The variables an entry sets by which something else is run than its command line says. Names only:
/// their values may be secrets.
pub fn steering_variables(entry: Node<'_>) -> Vec<String> {
    let env = Keys::of(entry).ok().and_then(|keys| keys.env);
    // A variable that is set twice is set.
    let members = env.and_then(|env| env.members().ok()).unwrap_or_default();
    let mut names: Vec<_> = members.into_iter().map(|member| member.key).collect();
    names.retain(|name| steers_what_runs(name));
    names.sort();
    names.dedup();
    names
}

fn unreadable(what: &str) -> Shape {
    Shape::Beyond(Beyond::Unreadable(what.to_owned()))
}

fn stdio(keys: &Keys<'_>, ours: &str) -> Shape {
    let Some(command) = keys.command.and_then(Node::read::<String>).filter(|command| !command.is_empty())
    else {
        return unreadable("it has no command");
    };
    let Some(args) = keys.args.map_or(Some(Vec::new()), Node::read::<Vec<String>>) else {
        return unreadable("its args are not a list of texts");
    };
    match guarded(&command, &args, keys.env, ours) {
        Some(guarded) => Shape::Guarded(guarded),
        None => Shape::Direct(Launch::Stdio { command, args }),
    }
}

fn remote(keys: &Keys<'_>, transport: Transport) -> Shape {
    let Some(url) = keys.url.and_then(Node::read::<String>) else {
        return unreadable("it has no url");
    };
    let Some(headers) = keys.headers.map_or(Some(Vec::new()), text_pairs) else {
        return unreadable("its headers are not texts");
    };
    if keys.headers_helper {
        return Shape::Beyond(Beyond::HeadersHelper);
    }
    if keys.oauth {
        return Shape::Beyond(Beyond::SignsIn);
    }
    Shape::Direct(Launch::Remote { transport, url, headers })
}

fn text_pairs(object: Node<'_>) -> Option<Vec<(String, String)>> {
    let members = object.unique_members().ok()?;
    members.into_iter().map(|member| Some((member.key, member.value.read()?))).collect()
}

/// Recognises our guard by its path or its file name, with the grammar the steward writes.
fn guarded(command: &str, args: &[String], env: Option<Node<'_>>, ours: &str) -> Option<Guarded> {
    let file_name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    let named_ours = matches!(file_name.as_str(), "portreeve" | "portreeve.exe");
    if command != ours && !named_ours {
        return None;
    }
    let (mut root, mut rest) = after_the_verb(args)?;
    let mut name = String::new();
    let inner = loop {
        match rest {
            [flag, value, after @ ..] if flag == "--name" => (name, rest) = (value.clone(), after),
            [flag, value, after @ ..] if flag == "--root" => (root, rest) = (Some(value.clone()), after),
            [flag, command, after @ ..] if flag == "--" => {
                break Launch::Stdio { command: command.clone(), args: after.to_vec() };
            }
            [flag, url, ..] if flag == "--http" || flag == "--sse" => {
                let transport = if flag == "--http" { Transport::Http } else { Transport::Sse };
                break Launch::Remote { transport, url: url.clone(), headers: carried_headers(env) };
            }
            [_, after @ ..] => rest = after,
            // Our name without a server behind it: to be guarded as any other program.
            [] => return None,
        }
    };
    let as_written = guard_args(&name, root.as_deref(), &inner) == args;
    Some(Guarded { program: command.to_owned(), name, root, as_written, inner })
}

/// What follows `wrap`, and the root that was named before it: options of every verb may stand there.
fn after_the_verb(args: &[String]) -> Option<(Option<String>, &[String])> {
    let (mut root, mut rest) = (None, args);
    loop {
        let [word, after @ ..] = rest else { return None };
        rest = after;
        match (word.as_str(), after) {
            ("wrap", _) => return Some((root, rest)),
            ("--root", [value, after @ ..]) => (root, rest) = (Some(value.clone()), after),
            ("--json" | "--verbose", _) => {}
            (word, _) => match word.strip_prefix("--root=") {
                Some(value) => root = Some(value.to_owned()),
                None if is_verbose(word) => {}
                None => return None,
            },
        }
    }
}

/// `-v`, `-vv` and so on.
fn is_verbose(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| !letters.is_empty() && letters.chars().all(|c| c == 'v'))
}

/// The arguments of our guard in front of a server. Headers are secrets and travel in
/// [`HEADERS_VARIABLE`] instead.
pub fn guard_args(name: &str, root: Option<&str>, inner: &Launch) -> Vec<String> {
    let mut args = vec!["wrap".to_owned(), "--name".to_owned(), name.to_owned()];
    if let Some(root) = root {
        args.extend(["--root".to_owned(), root.to_owned()]);
    }
    match inner {
        Launch::Stdio { command, args: own } => {
            args.extend(["--".to_owned(), command.clone()]);
            args.extend(own.iter().cloned());
        }
        Launch::Remote { transport, url, .. } => args.extend([transport.flag().to_owned(), url.clone()]),
    }
    args
}

fn carried_headers(env: Option<Node<'_>>) -> Vec<(String, String)> {
    let carried = || {
        let text: String = env?.member(HEADERS_VARIABLE).ok()??.value.read()?;
        let config = super::ConfigText::parse(text.into_bytes()).ok()?;
        text_pairs(config.root())
    };
    carried().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::ConfigText;

    fn shape(entry: &str) -> Shape {
        Shape::of(ConfigText::parse(entry.as_bytes().to_vec()).unwrap().root(), "/opt/ours")
    }

    #[test]
    fn entries_are_told_apart() {
        for (entry, beyond) in [
            (r#"{"url":"https://x.test/mcp"}"#, Beyond::NoType),
            (r#"{"type":"ws","url":"wss://x.test"}"#, Beyond::Transport("ws".into())),
            (r#"{"type":"http","url":"https://x.test","oauth":{}}"#, Beyond::SignsIn),
            (r#"{"type":"sse","url":"https://x.test","headersHelper":"h"}"#, Beyond::HeadersHelper),
            (r#"{"command":""}"#, Beyond::Unreadable("it has no command".into())),
            (r#"{"command":"a","args":[1]}"#, Beyond::Unreadable("its args are not a list of texts".into())),
        ] {
            assert_eq!(shape(entry), Shape::Beyond(beyond), "{entry}");
        }
        assert!(matches!(shape(r#"{"command":"a","command":"b"}"#), Shape::Beyond(Beyond::Unreadable(_))));
        assert!(matches!(shape("[]"), Shape::Beyond(Beyond::Unreadable(_))));
        let Shape::Direct(Launch::Remote { transport: Transport::Http, headers, .. }) =
            shape(r#"{"type":"streamable-http","url":"https://x.test","headers":{"A":"${B}"}}"#)
        else {
            panic!("a remote entry");
        };
        assert_eq!(headers, [("A".to_owned(), "${B}".to_owned())]);
    }

    #[test]
    fn our_guard_is_known_by_path_or_name_and_only_in_our_own_grammar() {
        let known = |entry: &str| match shape(entry) {
            Shape::Guarded(guarded) => Some((guarded.name.clone(), guarded.as_written)),
            _ => None,
        };
        let written = |name: &str| Some((name.to_owned(), true));
        let foreign = |name: &str| Some((name.to_owned(), false));
        for (entry, expected) in [
            (r#"{"command":"/opt/ours","args":["wrap","--name","x","--","npx","-y"]}"#, written("x")),
            (
                r#"{"command":"C:\\old\\Portreeve.exe","args":["wrap","--name","x","--root","C:\\r","--","npx"]}"#,
                written("x"),
            ),
            (
                r#"{"command":"/old/portreeve","args":["wrap","--name","--","--sse","https://x.test"]}"#,
                written("--"),
            ),
            // Attacks: a law of one's own, a root of one's own in a place we do not write it.
            (
                r#"{"command":"/opt/ours","args":["wrap","--policy","/tmp/lax","--name","x","--","npx"]}"#,
                foreign("x"),
            ),
            (
                r#"{"command":"/opt/ours","args":["wrap","--root","/tmp","--name","x","--","npx"]}"#,
                foreign("x"),
            ),
            (
                r#"{"command":"/opt/ours","args":["wrap","--name","x","--http","https://x.test","--policy","p"]}"#,
                foreign("x"),
            ),
            // Options of every verb, before the verb.
            (
                r#"{"command":"portreeve","args":["--root","/tmp","wrap","--policy","p","--name","x","--","npx"]}"#,
                foreign("x"),
            ),
            (
                r#"{"command":"portreeve","args":["--root=/tmp","-vv","--verbose","--json","wrap","--name","x","--","npx"]}"#,
                foreign("x"),
            ),
            (r#"{"command":"portreeve","args":["--root","wrap","--name","x","--","npx"]}"#, None),
            (r#"{"command":"portreeve","args":["--policy","wrap","--","npx"]}"#, None),
            (r#"{"command":"portreeve","args":["-","wrap","--","npx"]}"#, None),
            (r#"{"command":"/opt/ours","args":["status"]}"#, None),
            (r#"{"command":"/opt/ours","args":["wrap","--name","x"]}"#, None),
            (r#"{"command":"/usr/bin/env","args":["/opt/ours","wrap","--name","x","--","npx"]}"#, None),
        ] {
            assert_eq!(known(entry), expected, "{entry}");
        }
    }
}
