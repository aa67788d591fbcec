//! The real Claude Code with an HTTP entry: what its model gets is the same whether the entry names the server
//! or the door in front of it.

use super::sdks::Suite;
use anyhow::Result;
use harness::machine::Machine;
use harness::model::{Ask, Model};
use harness::{claude, tools};
use serde_json::json;

/// The results of what the model called: plain, failed, with progress, with roots asked of the client, with
/// an argument that HTTP repeats in a header.
fn met(suite: &Suite, name: &str, url: &str) -> Result<Vec<String>> {
    let folder = suite.folder().join(name);
    let machine = Machine::new(&folder, "alice@acme.example")?;
    let project = folder.join("project");
    std::fs::create_dir_all(&project)?;
    let servers = json!({"fixture": {"type": "http", "url": url}});
    let config = claude::claude_json(&servers, &project, &json!({}));
    std::fs::write(machine.home.join(".claude.json"), config)?;
    let tools = [
        "test_simple_text",
        "test_error_handling",
        "test_tool_with_progress",
        "test_input_required_result_list_roots",
        "test_x_mcp_header",
    ];
    let ask = |tool: &&str| Ask { tool: format!("mcp__fixture__{tool}"), input: json!({"region": "eu"}) };
    let model = Model::start(tools.iter().map(ask).collect())?;
    claude::ask(&machine, &project, &model, "mcp__fixture")?;
    let results = model.seen(|seen| seen.results.clone());
    Ok(results.into_iter().map(|result| result.replace(&folder.display().to_string(), "{folder}")).collect())
}

#[test]
fn claude_code_meets_the_same_server_through_the_door() {
    let Some(_) = tools::need("Claude Code", tools::claude_code()) else { return };
    let Some(suite) = tools::need("the TypeScript SDK", Suite::open().unwrap()) else { return };
    let (_fixture, url) = suite.started("fixture", &mut suite.node("server.mjs")).unwrap();
    let (_door, door) = suite.door("door", &url, &["--upstream", &url]).unwrap();
    let (direct, through) = (met(&suite, "direct", &url).unwrap(), met(&suite, "through", &door).unwrap());
    assert!(direct.len() == 5 && direct[4] == "region=eu", "Claude Code met too little: {direct:?}");
    assert_eq!(direct, through);
}
