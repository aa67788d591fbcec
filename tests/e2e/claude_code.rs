//! The real Claude Code from npm, against a model that plays from a script.

use harness::claude::{self, Servers};
use harness::machine::Machine;
use harness::model::{Ask, Model};
use serde_json::json;

#[test]
fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new(folder.path(), "alice@acme.example").unwrap();
    let project = folder.path().join("project");
    std::fs::create_dir_all(&project).unwrap();
    let servers = Servers::find().unwrap();
    servers.install_into(&project).unwrap();
    let model =
        Model::start(vec![Ask { tool: "mcp__everything__echo".into(), input: json!({"message": "hello"}) }])
            .unwrap();
    std::fs::write(
        machine.home.join(".claude.json"),
        claude::claude_json(&json!({"everything": servers.everything()}), &project, &json!({})),
    )
    .unwrap();
    let said = claude::ask(&machine, &project, &model, "mcp__everything").unwrap();
    model.seen(|seen| {
        assert_eq!(seen.results, ["Echo: hello"], "{said} {:#?}", seen.tools);
    });
}
