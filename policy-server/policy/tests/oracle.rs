//! Our index and Cedar over the candidates say what Cedar alone says of the whole document.
//!
//! The oracle shares nothing with the ruleset but the document's text: its entities, its patterns
//! and its JSON conversion are Cedar's own or written naively here.

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, EntityUid, PolicySet, Request as CedarRequest, Response,
};
use policy::{Document, Feature, Request, Ruleset, ServerIdentity, Standing, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write;
use std::str::FromStr;
use time::OffsetDateTime;

const MEMBERS: [&str; 4] =
    ["alice@acme.example", "bob@acme.example", "Carol@Other.example", "ci@acme.example"];
const MEMBER_PATTERNS: [&str; 6] = [
    "alice@acme.example",
    "*@acme.example",
    "*",
    "CAROL@other.example",
    "c*@*.example",
    "nobody@acme.example",
];
/// Three servers of the catalogue, and one identity outside it.
const SERVERS: [(&str, &str); 3] =
    [("one", "npm:one"), ("two", "https://two.example/*"), ("three", "oci:ghcr.io/three")];
const IDENTITIES: [(&str, Option<&str>); 4] = [
    ("npm:one@1.0", Some("one")),
    ("https://two.example/mcp", Some("two")),
    ("oci:ghcr.io/three:2", Some("three")),
    ("npm:four", None),
];
const TOOLS: [&str; 6] = ["get_issue", "get_repo", "delete_repo", "Get_issue", "*", "größe"];
const TOOL_PATTERNS: [&str; 7] = ["get_*", "*_repo", "get_issue", "*", "g*e", "delete_repo", "größe"];
/// Some of them as they are read: plain, without fragment, without query, and those three folded.
const URIS: [(&str, bool, [&str; 5]); 9] = [
    (
        "file:///a/x.md",
        true,
        ["file:///a/x.md", "file:///a/x.md", "file:/a/x.md", "file:/a/x.md", "file:/a/x.md"],
    ),
    (
        "file:///a/X.md",
        true,
        ["file:///a/X.md", "file:///a/X.md", "file:/a/x.md", "file:/a/x.md", "file:/a/x.md"],
    ),
    (
        "file:///a/b%2Fx.md",
        true,
        ["file:///a/b%2Fx.md", "file:///a/b%2Fx.md", "file:/a/b/x.md", "file:/a/b/x.md", "file:/a/b/x.md"],
    ),
    (
        "file:///a/../b",
        false,
        ["file:///a/../b", "file:///a/../b", "file:/a/../b", "file:/a/../b", "file:/a/../b"],
    ),
    (
        "file:///a/%2e%2e/b",
        false,
        ["file:///a/%2e%2e/b", "file:///a/%2e%2e/b", "file:/a/../b", "file:/a/../b", "file:/a/../b"],
    ),
    ("file:///a/y#.md", true, ["file:///a/y", "file:///a/y", "file:/a/y#.md", "file:/a/y", "file:/a/y"]),
    (
        "file:///a/y?z#.md",
        true,
        ["file:///a/y?z", "file:///a/y", "file:/a/y?z#.md", "file:/a/y?z", "file:/a/y"],
    ),
    ("memo://b/", true, ["memo://b/", "memo://b/", "memo:/b", "memo:/b", "memo:/b"]),
    (
        "FILE:///a/x.md",
        false,
        ["FILE:///a/x.md", "FILE:///a/x.md", "file:/a/x.md", "file:/a/x.md", "file:/a/x.md"],
    ),
];
const URI_PATTERNS: [&str; 9] = [
    "file:///a/*",
    "*",
    "file:///a/*.md",
    "file:///a/x.md",
    "file:///a/../b",
    "file:///a/y?*",
    "memo://*",
    "memo://b",
    "file:///a/y",
];
const PROMPTS: [&str; 3] = ["review", "Review", "get_issue"];
const PROMPT_PATTERNS: [&str; 4] = ["re*", "review", "*", "get_*"];
const CLIENT: [&str; 3] = ["sampling", "elicitation", "roots"];
const CLIENT_PATTERNS: [&str; 3] = ["sampling", "*", "roots"];
const METHODS: [&str; 3] = ["logging/setLevel", "x/run", "get_issue"];
const METHOD_PATTERNS: [&str; 3] = ["x/*", "*", "logging/setLevel"];
const CONDITIONS: [&str; 14] = [
    "context.args.n > 3",
    "context.args has n && context.args.n > 3",
    "!(context.args has path)",
    "context.args.path like \"/home/*\"",
    "context.args.path != \"/etc\"",
    "context.args.list.contains(\"a\")",
    "[\"a\", \"b\"].containsAll(context.args.list)",
    "context.args.inner.deep == true",
    "context.member like \"*@acme.example\"",
    "context.feature == \"resource\" && context.args has uri && context.args.uri == context.name",
    "context.feature != \"tool\" || context.name == context.tool",
    "context.now > 100 && context.tool != \"delete_repo\"",
    "context.server == \"one\" || context.client == \"cursor\"",
    "if context.args has inner then context.args.inner has deep else context.device == \"d1\"",
];

fn arguments() -> impl Strategy<Value = Value> {
    let field = |name: &'static str, values: Vec<Value>| {
        prop_oneof![Just(None), proptest::sample::select(values).prop_map(move |value| Some((name, value)))]
    };
    let n = field("n", vec![json!(1), json!(4), json!("4"), json!(-9_223_372_036_854_775_808_i64)]);
    let path = field("path", vec![json!("/home/x"), json!("/etc"), json!(7), json!("")]);
    let list = field("list", vec![json!([]), json!(["a"]), json!(["b", "a", "a"]), json!(["c"]), json!("a")]);
    let inner =
        field("inner", vec![json!({}), json!({"deep": true}), json!({"deep": false}), json!({"deep": 1})]);
    (n, path, list, inner).prop_map(|(n, path, list, inner)| {
        let pairs = [n, path, list, inner].into_iter().flatten();
        Value::Object(pairs.map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn condition() -> impl Strategy<Value = String> {
    let one = proptest::sample::select(&CONDITIONS[..]).prop_map(str::to_owned);
    one.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

fn some_of(pool: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(pool, 1..=pool.len().min(3))
}

/// The lists of a grant; some have none, and then it is a deny.
fn lists() -> impl Strategy<Value = String> {
    let list = |key: &'static str, pool: &'static [&'static str]| {
        proptest::option::weighted(0.4, some_of(pool))
            .prop_map(move |list| list.map_or_else(String::new, |list| format!("{key} = {list:?}\n")))
    };
    (
        list("tools", &TOOL_PATTERNS),
        list("resources", &URI_PATTERNS),
        list("prompts", &PROMPT_PATTERNS),
        list("client-features", &CLIENT_PATTERNS),
        list("methods", &METHOD_PATTERNS),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

fn grant() -> impl Strategy<Value = String> {
    let roles = some_of(&["r0", "r1", "r2"]);
    let servers = some_of(&["one", "two", "three"]);
    let when = proptest::option::of(condition());
    (roles, servers, lists(), when, prop::bool::weighted(0.25)).prop_map(
        |(roles, servers, lists, when, deny)| {
            let when = when.map_or_else(String::new, |when| format!("when = '''{when}'''\n"));
            let effect = if deny || lists.is_empty() { "deny" } else { "allow" };
            format!("roles = {roles:?}\nservers = {servers:?}\n{lists}effect = \"{effect}\"\n{when}")
        },
    )
}

fn asked() -> impl Strategy<Value = (Feature, &'static str)> {
    let of = |feature, pool: &'static [&'static str]| {
        proptest::sample::select(pool).prop_map(move |name| (feature, name))
    };
    prop_oneof![
        of(Feature::Tool, &TOOLS),
        proptest::sample::select(&URIS[..]).prop_map(|(uri, ..)| (Feature::Resource, uri)),
        of(Feature::Prompt, &PROMPTS),
        of(Feature::Client, &CLIENT),
        of(Feature::Method, &METHODS),
    ]
}

fn document() -> impl Strategy<Value = (Vec<Vec<&'static str>>, String)> {
    let roles = proptest::collection::vec(some_of(&MEMBER_PATTERNS), 3);
    let grants = proptest::collection::vec(grant(), 0..8);
    (roles, grants).prop_map(|(roles, grants)| {
        let mut text = "[defaults]\nmode = \"enforce\"\n".to_owned();
        for (name, matcher) in SERVERS {
            write!(text, "[servers.{name}]\nmatch = [\"{matcher}\"]\n").expect("a string takes text");
        }
        for (number, members) in roles.iter().enumerate() {
            writeln!(text, "[roles.r{number}]\nmembers = {members:?}").expect("a string takes text");
        }
        for (number, grant) in grants.iter().enumerate() {
            write!(text, "[[grants]]\nname = \"g{number}\"\n{grant}").expect("a string takes text");
        }
        (roles, text)
    })
}

/// A pattern by recursion over its characters: slow, and plainly right.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        [first, rest @ ..] => text.first() == Some(first) && like(rest, &text[1..]),
    }
}

fn has_role(member: &str, patterns: &[&str]) -> bool {
    let chars = |text: &str| text.to_ascii_lowercase().chars().collect::<Vec<_>>();
    patterns.iter().any(|pattern| like(&chars(pattern), &chars(member)))
}

fn cedar_alone(
    document: &Document,
    roles: &[Vec<&str>],
    server: &str,
    request: &Request<'_>,
) -> (PolicySet, Response) {
    let policies = PolicySet::from_str(&document.to_cedar()).expect("the document's Cedar text is Cedar");
    let parents: Vec<Value> = roles
        .iter()
        .enumerate()
        .filter(|(_, patterns)| has_role(request.member, patterns))
        .map(|(number, _)| json!({"type": "Role", "id": format!("r{number}")}))
        .collect();
    let entities = json!([
        {"uid": {"type": "Member", "id": "m"}, "attrs": {}, "parents": parents},
        {"uid": {"type": "Tool", "id": "t"}, "attrs": {}, "parents": [{"type": "Server", "id": server}]},
    ]);
    let is = |feature| request.feature == feature;
    let uri = if is(Feature::Resource) { json!({ "uri": request.name }) } else { json!({}) };
    let mut context = json!({
        "args": request.arguments.cloned().unwrap_or(uri), "name": request.name,
        "tool": if is(Feature::Tool) { request.name } else { "" },
        "feature": serde_json::to_value(request.feature).expect("a word"),
        "client": request.client, "device": request.device, "member": request.member.to_ascii_lowercase(),
        "now": request.now.unix_timestamp(), "server": server,
    });
    if let Some((_, plain, read)) =
        URIS.iter().find(|(uri, ..)| is(Feature::Resource) && *uri == request.name)
    {
        let [unfragmented, unqueried, folded, folded_unfragmented, folded_unqueried] = read;
        context["uri"] = json!({
            "plain": plain, "unfragmented": unfragmented, "unqueried": unqueried, "folded": folded,
            "folded_unfragmented": folded_unfragmented, "folded_unqueried": folded_unqueried,
        });
    }
    let entity = |text: &str| EntityUid::from_str(text).expect("an entity's name");
    let asked = CedarRequest::new(
        entity("Member::\"m\""),
        entity("Action::\"call\""),
        entity("Tool::\"t\""),
        Context::from_json_value(context, None).expect("a context"),
        None,
    );
    let entities = Entities::from_json_value(entities, None).expect("entities");
    let response = Authorizer::new().is_authorized(&asked.expect("a request"), &policies, &entities);
    (policies, response)
}

/// The grants' names behind Cedar's reasons, and whether one of them is an unconditional deny.
fn reasons(policies: &PolicySet, response: &Response) -> Vec<String> {
    response
        .diagnostics()
        .reason()
        .map(|id| policies.annotation(id, "id").expect("each policy has its grant's name").to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn index_and_cedar_say_what_cedar_alone_says(
        (roles, text) in document(),
        member in proptest::sample::select(&MEMBERS[..]),
        (identity, name) in proptest::sample::select(&IDENTITIES[..]),
        (feature, asked) in asked(),
        arguments in proptest::option::of(arguments()),
        (client, device, now) in (
            proptest::sample::select(&["claude-code", "cursor"][..]),
            proptest::sample::select(&["d1", ""][..]),
            0_i64..200,
        ),
    ) {
        let document = Document::parse(&text).expect("a generated document is sound");
        let ruleset = Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles");
        let server = ServerIdentity::from_canonical(identity);
        let now = OffsetDateTime::from_unix_timestamp(now).expect("a time");
        let request = Request { member, device, client, server: &server, feature, name: asked, arguments: arguments.as_ref(), now };
        let ours = ruleset.decide(&request);
        // What a guard compiles, who judges this server's calls and no others.
        let narrow = Document::parse_for(&text, &server).expect("it is sound, so a part of it is");
        let narrow = Ruleset::compile(&narrow, &Standing::default(), 1, None).expect("it compiles");
        prop_assert_eq!(&narrow.decide(&request), &ours, "{}", text);
        prop_assert_eq!(narrow.visible(&request), ruleset.visible(&request), "{}", text);
        prop_assert_eq!(narrow.reachable(&request), ruleset.reachable(&request), "{}", text);
        prop_assert_eq!(narrow.server_name(&server), ruleset.server_name(&server));
        let Some(name) = name else {
            prop_assert_eq!(ours.verdict, Verdict::Refuse);
            return Ok(());
        };
        let (policies, theirs) = cedar_alone(&document, &roles, name, &request);
        let reasons = reasons(&policies, &theirs);
        let errors = theirs.diagnostics().errors().count();
        match (errors, theirs.decision()) {
            (0, Decision::Allow) => {
                prop_assert_eq!(ours.verdict, Verdict::Allow, "{:?}\n{}", ours, text);
                // Of several grants that allow, the first in the document is named.
                prop_assert_eq!(&ours.rule, reasons.iter().min().expect("an allow has a reason"));
            }
            (0, Decision::Deny) if ours.rule == "default-methods" => {
                prop_assert!(feature == Feature::Method && reasons.is_empty(), "{:?} {}", reasons, text);
                prop_assert_eq!(ours.verdict, Verdict::Allow);
            }
            (0, Decision::Deny) => {
                prop_assert_eq!(ours.verdict, Verdict::Refuse, "{:?}\n{}", ours, text);
                prop_assert!(reasons.is_empty() || reasons.contains(&ours.rule), "{:?} {:?}", ours, reasons);
                prop_assert!(ours.rule != "undecidable");
            }
            _ => {
                prop_assert_eq!(ours.verdict, Verdict::Refuse, "{:?}\n{}", ours, text);
                let denied = reasons.contains(&ours.rule)
                    && policies.policies().any(|policy| policy.effect() == Effect::Forbid
                        && policy.annotation("id") == Some(&ours.rule));
                prop_assert!(ours.rule == "undecidable" || denied, "{:?}\n{}", ours, text);
            }
        }
        prop_assert!(ours.verdict == Verdict::Refuse || ruleset.visible(&request), "an allowed tool is visible");
        let starts = matches!(feature, Feature::Tool | Feature::Resource | Feature::Prompt);
        prop_assert!(!starts || !ruleset.visible(&request) || ruleset.reachable(&request), "a visible tool's server is reachable");
        prop_assert!(!ruleset.visible(&request) || feature == Feature::Method || ruleset.template_visible(&request), "a name is a template too");
    }
}
