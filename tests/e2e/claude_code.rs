//! The real Claude Code from npm, against a model that plays from a script.

use harness::claude::{self, Servers};
use harness::model::{Ask, Model};
use harness::stage::{self, Stage};
use harness::{tools, wait};
use serde_json::{Value, json};
use std::time::Duration;

fn ask(tool: &str, input: Value) -> Ask {
    Ask { tool: tool.to_owned(), input }
}

/// Claude Code is started unchanged in a home whose configuration was rewired: it is offered what
/// policy allows, calls it, and is refused the rest with the whole sentence; all of it is upstream.
#[test]
fn claude_code_calls_an_allowed_tool_and_is_refused_another() {
    let Some(_) = tools::need("Claude Code", tools::claude_code()) else { return };
    let Some(npm) = tools::need("the npm servers", tools::npm_folder()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::find(folder.path(), false).unwrap();
    let stage =
        Stage::governed_with(&stage::usual_policy().unwrap(), &json!({"everything": servers.everything()}))
            .unwrap();
    servers.install_into(&stage.project).unwrap();
    assert_eq!(stage.entry("everything").unwrap()["args"][0], "wrap", "{}", npm.display());
    let model = Model::start(vec![
        ask("mcp__everything__echo", json!({"message": "from Claude"})),
        ask("mcp__everything__get-env", json!({})),
        ask("mcp__everything__get-sum", json!({"a": 40, "b": 2})),
    ])
    .unwrap();
    let said = claude::ask(&stage.machine, &stage.project, &model, "mcp__everything").unwrap();
    model.seen(|seen| {
        assert_eq!(seen.results.len(), 3, "{said}\n{:?}", seen.results);
        assert_eq!(seen.results[0], "Echo: from Claude");
        assert!(
            seen.results[1].contains("no-environment") || seen.results[1].contains("get-env"),
            "{}",
            seen.results[1]
        );
        assert!(seen.results[2].contains("42"), "{}", seen.results[2]);
    });
    let echo = wait::for_value("Claude's call upstream", Duration::from_secs(20), || {
        let records = stage.organisation.records().ok()?;
        records.into_iter().find(|record| record["kind"] == "call" && record["tool"] == "echo")
    })
    .unwrap();
    assert_eq!(echo["client"]["name"], "claude-code", "{echo}");
    assert_eq!(echo["member"], stage::MEMBER);
    assert_eq!(echo["tool_use_id"], "toolu_fake_0000", "the id that joins the record with Claude's own");
    assert_eq!(echo["server"]["identity"], "npm:@modelcontextprotocol/server-everything");
    assert_eq!(echo["server"]["entry"], "everything");
}
