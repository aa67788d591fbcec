//! Takes out of a message what policy says must not pass: in arguments on their way to the server, in
//! results, errors, notices and questions on their way to the client.
//!
//! Pure splicing: only the JSON strings concerned are written anew (and, where a rule names a field, its
//! numbers and booleans); every other byte, the order of members and the structure stay. Looked at is every
//! text of the whole message but what holds the protocol together ([`apart`]: ids, methods, names of tools,
//! URIs, cursors, tokens of progress) and the definitions in lists and greetings.
//!
//! Looked into are texts, JSON inside a text, and blobs that are text. Deliberately not: images and sound,
//! texts that are split over several strings, and encodings that a rule's author did not name.

mod apart;
mod literals;
mod scanner;
mod texts;
mod walk;

use crate::secrets;
use apart::{Part, of_params};
use literals::Literals;
use mcp::{Kind, Message};
use policy::Redaction;
use walk::{Walk, Zone};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// Why a message cannot be redacted, so that it must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Blocked {
    #[error("what a rule takes out stands in the name of a member, where nothing can stand in its place")]
    Name,
    #[error("it would grow too large by what stands in the place of what is taken out")]
    Growth,
    #[error("it could not be read again after it was redacted")]
    Unreadable,
    #[error("a text in it is JSON that is nested too deep to be looked into")]
    Depth,
}

/// A message that must not pass, as it came, and why.
#[derive(Debug)]
pub(crate) struct Withheld {
    pub message: Message,
    pub why: Blocked,
}

/// A text that was redacted, and in how many places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redacted {
    pub text: String,
    pub places: u64,
}

/// The message with everything taken out that these rules name, or as it was, with 0 places. `defines`: it is
/// a list or a greeting, whose definitions are left.
pub(crate) fn message(
    message: Message,
    rules: &[&Redaction],
    way: Way,
    defines: bool,
) -> Result<(Message, u64), Box<Withheld>> {
    let rules = going(rules, way);
    if rules.is_empty() {
        return Ok((message, 0));
    }
    let part = match message.kind() {
        Kind::Request { method, .. } | Kind::Notification { method } => Part::Params(of_params(method)),
        Kind::Response { .. } if defines => Part::Definitions,
        Kind::Response { .. } => Part::Result,
        Kind::Error { .. } => Part::Error,
    };
    match redact(message.text(), &rules, &Zone::Message(part)) {
        Ok(None) => Ok((message, 0)),
        Ok(Some(Redacted { text, places })) => match Message::parse(text.into_bytes()) {
            Ok(anew) if anew.kind() == message.kind() => Ok((anew, places)),
            _ => Err(withheld(message, Blocked::Unreadable)),
        },
        Err(why) => Err(withheld(message, why)),
    }
}

fn withheld(message: Message, why: Blocked) -> Box<Withheld> {
    Box::new(Withheld { message, why })
}

fn going<'r>(rules: &[&'r Redaction], way: Way) -> Vec<&'r Redaction> {
    let goes = |rule: &&&Redaction| match way {
        Way::ToServer => rule.direction.is_of_arguments(),
        Way::ToClient => rule.direction.is_of_results(),
    };
    rules.iter().filter(goes).copied().collect()
}

/// One JSON text that was parsed before; `None` where nothing had to be taken out.
fn redact(text: &str, rules: &[&Redaction], zone: &Zone) -> Result<Option<Redacted>, Blocked> {
    let first = Walk::over(text, rules, &Literals::none(), zone)?;
    let literals = Literals::of(&first.named);
    // A field's value may stand in a text beside the field: structured content and its twin.
    let walked = if literals.is_none() { first } else { Walk::over(text, rules, &literals, zone)? };
    Ok(walked.redacted)
}

/// Text that no message carries (a server's stderr), as if it were a notice for the client: without what
/// shows as a secret, and without what these rules take out. Of a line that cannot be redacted nothing is left.
#[must_use]
pub fn shown(text: &str, rules: &[&Redaction]) -> String {
    let text = secrets::masked_text(text);
    let rules = going(rules, Way::ToClient);
    if rules.is_empty() {
        return text;
    }
    let lines: Vec<String> = text.split('\n').map(|line| shown_line(line, &rules)).collect();
    lines.join("\n")
}

fn shown_line(line: &str, rules: &[&Redaction]) -> String {
    let listed = serde_json::json!([line]).to_string();
    match redact(&listed, rules, &Zone::data(rules)) {
        Ok(None) => line.to_owned(),
        Ok(Some(redacted)) => serde_json::from_str::<[String; 1]>(&redacted.text)
            .map_or_else(|_| secrets::MASKED.to_owned(), |[line]| line.replace('\n', " ")),
        Err(_) => secrets::MASKED.to_owned(),
    }
}

#[cfg(test)]
mod tests;
