//! The lists of a grant: tools, resources, prompts, client features, methods.

use super::each;
use crate::decision::Feature;
use crate::document::reader::{Reader, Section};
use crate::document::{Effect, Scope};
use crate::pattern::Pattern;
use crate::uri::is_plain;

/// What a server may ask of a client.
const CLIENT_FEATURES: [&str; 3] = ["sampling", "elicitation", "roots"];

type Fault = (String, String);

/// An allow says what it allows; a deny that lists nothing denies everything.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, effect: Effect) -> Scope {
    let mut scope = Scope::default();
    for feature in Feature::ALL {
        let list = match feature {
            Feature::Tool => each(reader, section, "tools", |text| name("tool", text)),
            Feature::Resource => each(reader, section, "resources", |text| resource(text, effect)),
            Feature::Prompt => each(reader, section, "prompts", |text| name("prompt", text)),
            Feature::Client => each(reader, section, "client-features", client_feature),
            Feature::Method => each(reader, section, "methods", |text| name("method", text)),
        };
        scope.set(feature, list);
    }
    if Feature::ALL.iter().any(|feature| section.table.contains_key(feature.list())) {
        return scope;
    }
    if effect == Effect::Allow {
        let message = format!("{} does not say what it allows", section.what);
        let help = "list `tools`, `resources`, `prompts`, `client-features` or `methods`; for example: \
                    tools = [\"read_*\"]; say tools = [\"*\"] if you mean all tools";
        reader.problem(section.span.start, message, help);
    }
    Scope::everything()
}

fn name(word: &str, text: &str) -> Result<Pattern, Fault> {
    let bad = |help: String| Err((format!("bad {word} pattern `{text}`"), help));
    if text.is_empty() {
        return bad(format!("an empty pattern would match only a {word} without a name"));
    }
    if text.contains(['?', '[', ']', '{', '}', '\\']) {
        return bad("only `*` is special; write two patterns where you mean alternatives".to_owned());
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return bad("names are matched whole and exact, so a space would be part of the name".to_owned());
    }
    Ok(Pattern::new(text))
}

fn resource(text: &str, effect: Effect) -> Result<Pattern, Fault> {
    let bad = |help: &str| Err((format!("bad resource pattern `{text}`"), help.to_owned()));
    if text.is_empty() {
        return bad("write a URI such as `file:///work/*`, or `*` for every resource");
    }
    if text.contains(['{', '}']) {
        return bad("only `*` is special; write it where a template has a name in braces");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return bad("a URI has no blanks; one that is sent has `%20` there");
    }
    if !text.contains([':', '*']) {
        return bad("a URI begins with its scheme, as `file:///work/*` does");
    }
    let starred = text.contains('*') && text.bytes().any(|byte| byte != b'*');
    if effect == Effect::Allow && starred && !could_be_plain(text) {
        return bad("a pattern with `*` never allows a URI that readers read differently: no `..`, `//` or \
                    `%2e` in it, scheme and host in lower case, no user, no port that goes without saying");
    }
    Ok(Pattern::new(text))
}

/// Is there a plain URI that the pattern matches, as far as a few stand-ins for its stars tell?
fn could_be_plain(pattern: &str) -> bool {
    // A star at the front may stand for the scheme.
    let example = pattern.strip_prefix('*').map_or_else(|| pattern.to_owned(), |rest| format!("x:{rest}"));
    ["", "x", "/x", "//x", "///x"].iter().any(|stand_in| is_plain(&example.replace('*', stand_in)))
}

fn client_feature(text: &str) -> Result<Pattern, Fault> {
    if text == "*" || CLIENT_FEATURES.contains(&text) {
        return Ok(Pattern::new(text));
    }
    let help = format!("there are `{}`, and `*` for all", CLIENT_FEATURES.join("`, `"));
    Err((format!("unknown client feature `{text}`"), help))
}
