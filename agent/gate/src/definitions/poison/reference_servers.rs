//! The reference servers, as they listed themselves on 2026-11-20 (npm and PyPI): nobody wants to be
//! alerted about these. Their lists are in `tests/fixtures/reference-servers`.

use super::*;
use crate::definitions::Elsewhere;
use serde_json::Value;
use std::collections::BTreeSet;

const SERVERS: &[(&str, &str)] = &[
    (
        "npm:@modelcontextprotocol/server-everything",
        include_str!("../../../tests/fixtures/reference-servers/everything.jsonl"),
    ),
    (
        "npm:@modelcontextprotocol/server-filesystem",
        include_str!("../../../tests/fixtures/reference-servers/filesystem.jsonl"),
    ),
    (
        "npm:@modelcontextprotocol/server-memory",
        include_str!("../../../tests/fixtures/reference-servers/memory.jsonl"),
    ),
    (
        "npm:@modelcontextprotocol/server-sequential-thinking",
        include_str!("../../../tests/fixtures/reference-servers/sequential-thinking.jsonl"),
    ),
    ("pypi:mcp-server-time", include_str!("../../../tests/fixtures/reference-servers/time.jsonl")),
    ("pypi:mcp-server-git", include_str!("../../../tests/fixtures/reference-servers/git.jsonl")),
    ("pypi:mcp-server-fetch", include_str!("../../../tests/fixtures/reference-servers/fetch.jsonl")),
];

/// Everything a server defines, with its name.
fn definitions(lines: &str) -> Vec<(Part, String, Value)> {
    let mut found = Vec::new();
    for line in lines.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let result = &answer["result"];
        for (member, part, key) in [
            ("tools", Part::Tool, "name"),
            ("prompts", Part::Prompt, "name"),
            ("resourceTemplates", Part::ResourceTemplate, "uriTemplate"),
        ] {
            let items = result[member].as_array().into_iter().flatten();
            found.extend(items.map(|item| (part, item[key].as_str().unwrap().to_owned(), item.clone())));
        }
        if let Some(text) = result.get("instructions") {
            found.push((Part::Instructions, String::new(), text.clone()));
        }
    }
    found
}

#[test]
fn the_reference_servers_raise_no_flag_also_beside_each_other() {
    let mut looked_at = 0;
    for (server, lines) in SERVERS {
        let mine = definitions(lines);
        let others = SERVERS.iter().filter(|(other, _)| other != server);
        let others =
            others.flat_map(|(other, lines)| definitions(lines).into_iter().map(move |it| (it, *other)));
        let others = others.filter(|((part, ..), _)| *part == Part::Tool);
        let elsewhere = Elsewhere::new(others.map(|((_, name, _), other)| (name, other)));
        let own: BTreeSet<String> = mine.iter().map(|(_, name, _)| name.clone()).collect();
        for (part, name, definition) in &mine {
            let near = Neighbours { elsewhere: &elsewhere, own: &own };
            assert_eq!(flags(*part, name, definition, near), [], "{server} {name}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 55, "{looked_at}");
}
