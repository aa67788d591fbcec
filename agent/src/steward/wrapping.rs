//! One entry's text with our guard in front of it, and without.
//!
//! A stdio entry keeps every byte but its command and the head of its arguments. A remote entry
//! becomes a stdio entry; its headers travel in the environment, where no process list shows them.

use std::io;
use std::path::Path;

use platform::Layout;

use crate::clients::{
    ConfigText, Guarded, HEADERS_VARIABLE, Launch, Malformed, Member, Node, Shape, guard_args,
};

use super::splice::{Splices, quoted, separator};

/// The command that runs our guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub program: String,
    pub root: Option<String>,
}

impl Guard {
    /// This very program.
    ///
    /// # Errors
    /// Its path is not known, or is no text.
    pub fn of_this_program(layout: &Layout) -> io::Result<Self> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| io::Error::other("our own path is no Unicode text"))
        };
        let program = text(&std::env::current_exe()?)?;
        // Linux says so of a program that was replaced by an upgrade while it runs.
        let program = program.strip_suffix(" (deleted)").unwrap_or(&program).to_owned();
        Ok(Self { program, root: layout.root.as_deref().map(text).transpose()? })
    }

    /// Is this entry governed: our program, our place, and nothing added to what we write?
    pub fn is(&self, name: &str, guarded: &Guarded) -> bool {
        guarded.as_written
            && guarded.program == self.program
            && guarded.name == name
            && guarded.root == self.root
    }

    /// Can this guard have been there before it was here? A program that lives there now and is not this
    /// one is somebody else's, whatever a journal says that the developer can write to.
    pub fn stood_at(&self, program: &str) -> bool {
        let path = Path::new(program);
        match path.symlink_metadata() {
            Ok(_) => path
                .canonicalize()
                .is_ok_and(|there| Path::new(&self.program).canonicalize().is_ok_and(|here| here == there)),
            Err(error) => path.is_absolute() && error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// The entry with this guard in front; `None` for an entry that is left alone.
    ///
    /// # Errors
    /// The text is no entry.
    pub fn wrap(&self, name: &str, text: &str) -> Result<Option<String>, Malformed> {
        let entry = ConfigText::parse(text.as_bytes().to_vec())?;
        match Shape::of(entry.root(), &self.program) {
            Shape::Direct(launch @ Launch::Stdio { .. }) => self.wrap_stdio(name, &entry, &launch).map(Some),
            Shape::Direct(launch @ Launch::Remote { .. }) => {
                self.wrap_remote(name, &entry, &launch).map(Some)
            }
            Shape::Guarded(_) => self.wrap(name, &self.unwrap(text)?),
            Shape::Beyond(_) => Ok(None),
        }
    }

    fn wrap_stdio(&self, name: &str, entry: &ConfigText, launch: &Launch) -> Result<String, Malformed> {
        let Launch::Stdio { command, .. } = launch else {
            return Ok(entry.as_str().to_owned());
        };
        let head = Launch::Stdio { command: command.clone(), args: Vec::new() };
        let head: Vec<String> =
            guard_args(name, self.root.as_deref(), &head).iter().map(|arg| quoted(arg)).collect();
        let members = entry.root().unique_members()?;
        let mut splices = Splices::default();
        for member in &members {
            match member.key.as_str() {
                "command" => splices.replace(member.value.span(), quoted(&self.program)),
                "args" => put_first(&mut splices, member.value, &head),
                _ => {}
            }
        }
        if let (false, Some(command)) = (has(&members, "args"), find(&members, "command")) {
            let end = command.value.span().end;
            let lead = lead_of(entry, &members);
            splices.replace(end..end, format!("{}\"args\": [{}]", separator(lead), head.join(", ")));
        }
        Ok(splices.apply(entry.as_str()))
    }

    fn wrap_remote(&self, name: &str, entry: &ConfigText, launch: &Launch) -> Result<String, Malformed> {
        let args = guard_args(name, self.root.as_deref(), launch);
        let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
        let mut parts = Vec::new();
        for member in entry.root().unique_members()? {
            match member.key.as_str() {
                "type" => parts.push(("type".to_owned(), quoted("stdio"))),
                "url" => {
                    parts.push(("command".to_owned(), quoted(&self.program)));
                    parts.push(("args".to_owned(), format!("[{}]", args.join(", "))));
                    parts.extend(carried(launch));
                }
                // Dead keys of a remote entry, which would come alive in a stdio entry.
                "headers" | "command" | "args" | "env" => {}
                _ => parts.push((member.key, member.value.text().to_owned())),
            }
        }
        compose(entry, &parts)
    }

    /// The entry without any guard of ours.
    ///
    /// # Errors
    /// The text is no entry.
    pub fn unwrap(&self, text: &str) -> Result<String, Malformed> {
        let mut text = text.to_owned();
        loop {
            let entry = ConfigText::parse(text.into_bytes())?;
            text = match Shape::of(entry.root(), &self.program) {
                Shape::Guarded(Guarded { inner: Launch::Stdio { command, args }, .. }) => {
                    unwrap_stdio(&entry, &command, args.len())?
                }
                Shape::Guarded(Guarded { inner, .. }) => unwrap_remote(&entry, &inner)?,
                _ => return Ok(entry.as_str().to_owned()),
            };
        }
    }
}

/// Inserts texts before an array's first item, in the array's own manner.
fn put_first(splices: &mut Splices, array: Node<'_>, head: &[String]) {
    let items = array.items().unwrap_or_default();
    let Some(first) = items.first().map(|item| item.span().start) else {
        splices.replace(array.span(), format!("[{}]", head.join(", ")));
        return;
    };
    let separator = separator(&array.whole()[array.span().start + 1..first]);
    splices.replace(first..first, format!("{}{separator}", head.join(&separator)));
}

/// The headers of a remote server as its guard reads them. `${VAR}` stays for the client to expand.
fn carried(launch: &Launch) -> Option<(String, String)> {
    let Launch::Remote { headers, .. } = launch else {
        return None;
    };
    let pairs: Vec<String> =
        headers.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    let value = quoted(&format!("{{{}}}", pairs.join(",")));
    (!pairs.is_empty()).then(|| ("env".to_owned(), format!("{{{}: {value}}}", quoted(HEADERS_VARIABLE))))
}

fn unwrap_stdio(entry: &ConfigText, command: &str, own_args: usize) -> Result<String, Malformed> {
    let mut splices = Splices::default();
    for member in entry.root().unique_members()? {
        match member.key.as_str() {
            "command" => splices.replace(member.value.span(), quoted(command)),
            "args" => {
                let items = member.value.items().unwrap_or_default();
                let first_own = items.len().saturating_sub(own_args);
                match (items.first(), items.get(first_own)) {
                    (Some(first), Some(own)) => {
                        splices.replace(first.span().start..own.span().start, String::new());
                    }
                    _ => splices.replace(member.value.span(), "[]".to_owned()),
                }
            }
            _ => {}
        }
    }
    Ok(splices.apply(entry.as_str()))
}

fn unwrap_remote(entry: &ConfigText, inner: &Launch) -> Result<String, Malformed> {
    let Launch::Remote { transport, url, headers } = inner else {
        return Ok(entry.as_str().to_owned());
    };
    let members = entry.root().unique_members()?;
    let kind = ("type".to_owned(), quoted(transport.type_name()));
    let mut parts = Vec::new();
    if !has(&members, "type") {
        parts.push(kind.clone());
    }
    for member in members {
        match member.key.as_str() {
            "type" => parts.push(kind.clone()),
            "command" => {
                parts.push(("url".to_owned(), quoted(url)));
                if !headers.is_empty() {
                    let pairs: Vec<String> = headers
                        .iter()
                        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
                        .collect();
                    parts.push(("headers".to_owned(), format!("{{{}}}", pairs.join(", "))));
                }
            }
            "args" => {}
            "env" => parts.extend(without_headers(member.value)?.map(|env| ("env".to_owned(), env))),
            _ => parts.push((member.key, member.value.text().to_owned())),
        }
    }
    compose(entry, &parts)
}

/// The environment without what we put in; `None` where nothing else is there.
fn without_headers(env: Node<'_>) -> Result<Option<String>, Malformed> {
    let entry = ConfigText::parse(env.text().as_bytes().to_vec())?;
    let others = entry.root().members()?.into_iter().filter(|member| member.key != HEADERS_VARIABLE);
    let parts: Vec<_> = others.map(|member| (member.key, member.value.text().to_owned())).collect();
    if parts.is_empty() { Ok(None) } else { compose(&entry, &parts).map(Some) }
}

/// The object anew from its members, in its own manner of white space.
fn compose(object: &ConfigText, parts: &[(String, String)]) -> Result<String, Malformed> {
    let members = object.root().members()?;
    let lead = lead_of(object, &members);
    let span = object.root().span();
    let tail_start = members.last().map_or(span.end - 1, |last| last.value.span().end);
    let parts: Vec<String> = parts.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
    Ok(format!("{{{lead}{}{}}}", parts.join(&separator(lead)), &object.as_str()[tail_start..span.end - 1]))
}

fn lead_of<'a>(object: &'a ConfigText, members: &[Member<'_>]) -> &'a str {
    let start = object.root().span().start + 1;
    members.first().map_or("", |first| &object.as_str()[start..first.key_start])
}

fn find<'a, 'b>(members: &'b [Member<'a>], key: &str) -> Option<&'b Member<'a>> {
    members.iter().find(|member| member.key == key)
}

fn has(members: &[Member<'_>], key: &str) -> bool {
    find(members, key).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard { program: "/opt/portreeve".into(), root: None }
    }

    fn wrapped(text: &str) -> String {
        guard().wrap("gh", text).unwrap().unwrap()
    }

    #[test]
    fn a_stdio_entry_gets_the_guard_in_front_of_its_own_command_line() {
        for (before, after) in [
            (
                r#"{ "command":"npx", "args":["-y" ,"a b"], "env":{"T":"${T:-x}"}, "timeout":1e3 }"#,
                r#"{ "command":"/opt/portreeve", "args":["wrap", "--name", "gh", "--", "npx", "-y" ,"a b"], "env":{"T":"${T:-x}"}, "timeout":1e3 }"#,
            ),
            (
                r#"{"command":"/bin/a"}"#,
                r#"{"command":"/opt/portreeve", "args": ["wrap", "--name", "gh", "--", "/bin/a"]}"#,
            ),
            (
                "{\n  \"args\": [\n    \"x\"\n  ],\n  \"command\": \"a\"\n}",
                "{\n  \"args\": [\n    \"wrap\",\n    \"--name\",\n    \"gh\",\n    \"--\",\n    \"a\",\n    \"x\"\n  ],\n  \"command\": \"/opt/portreeve\"\n}",
            ),
        ] {
            assert_eq!(wrapped(before), after);
        }
    }

    #[test]
    fn a_remote_entry_carries_its_headers_in_the_environment() {
        let before = r#"{"type":"http","url":"https://x.test/mcp","headers":{"Authorization":"Bearer ${T}"},"timeout":5,"command":"evil"}"#;
        let after = wrapped(before);
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "type": "stdio", "command": "/opt/portreeve",
                "args": ["wrap", "--name", "gh", "--http", "https://x.test/mcp"],
                "env": {"PORTREEVE_HEADERS": "{\"Authorization\":\"Bearer ${T}\"}"}, "timeout": 5
            })
        );
        assert!(!value["args"].to_string().contains("Bearer"));
    }

    #[test]
    fn taking_the_guard_off_gives_the_same_server_back() {
        for before in [
            r#"{ "command":"npx", "args":["-y" ,"a b"], "env":{"T":"1"} }"#,
            r#"{"command":"a","args":[]}"#,
            "{\n \"type\": \"sse\",\n \"url\": \"https://x.test\",\n \"headers\": {\"A\": \"b\\\"c\"},\n \"alwaysLoad\": true\n}",
            r#"{"type": "http", "url": "https://x.test"}"#,
        ] {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&guard().unwrap(&wrapped(before)).unwrap()), value(before), "{before}");
        }
    }

    #[test]
    fn wrapping_twice_is_wrapping_once() {
        let once = wrapped(r#"{"command":"npx","args":["-y","x"]}"#);
        assert_eq!(wrapped(&once), once);
        let moved = Guard { program: "/new/portreeve".into(), root: Some("/r".into()) };
        let twice = moved.wrap("gh", &once).unwrap().unwrap();
        assert_eq!(
            twice,
            r#"{"command":"/new/portreeve","args":["wrap", "--name", "gh", "--root", "/r", "--", "npx", "-y","x"]}"#
        );
    }
}
