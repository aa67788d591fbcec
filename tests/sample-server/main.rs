//! A small MCP server for machines without Node: the few tools of the reference servers that the
//! demo calls, over stdio or Streamable HTTP. Raw JSON, none of our own crates.
//!
//! `sample-server everything [--http]` · `sample-server filesystem FOLDER`
//!
//! With `SAMPLE_SERVER_LOG=FILE` it appends every call it is asked for, before it answers: what really
//! reached a server, to hold the audit record against. With `SAMPLE_SERVER_DESCRIPTION=FILE` it says of its
//! first tool what stands in the file whenever it is asked: a server that changes its mind.

use harness::http::{Request, Response, Server};
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Which of the two reference servers it stands in for.
#[derive(Debug, Clone)]
enum Kind {
    Everything,
    Filesystem(PathBuf),
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let kind = match args.first().map(String::as_str) {
        Some("filesystem") => {
            Kind::Filesystem(PathBuf::from(args.get(1).map_or(".", String::as_str)).canonicalize()?)
        }
        _ => Kind::Everything,
    };
    if args.iter().any(|arg| arg == "--http") { serve_http(kind) } else { serve_stdio(&kind) }
}

fn serve_stdio(kind: &Kind) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        if let Some(answer) = answer(kind, &message) {
            writeln!(stdout, "{answer}")?;
            stdout.flush()?;
        }
    }
    Ok(())
}

fn serve_http(kind: Kind) -> anyhow::Result<()> {
    let server = Server::start(move |request: Request| match request.method.as_str() {
        "POST" => match answer(&kind, &request.json()) {
            Some(answer) => Response::json(200, &answer).with("mcp-session-id", "sample-session"),
            None => Response::empty(202),
        },
        "DELETE" => Response::empty(204),
        _ => Response::empty(405),
    })?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", server.url("/mcp"))?;
    stdout.flush()?;
    // Serves until its stdin ends, or it is killed.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    loop {
        std::thread::park();
    }
}

fn answer(kind: &Kind, message: &Value) -> Option<Value> {
    let id = message.get("id")?;
    let outcome = match message["method"].as_str()? {
        "initialize" => Ok(json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {"listChanged": true}},
            "serverInfo": {"name": "sample-server", "version": "1.0.0"}
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": tools(kind)})),
        "tools/call" => {
            note(&message["params"]);
            Ok(call(kind, &message["params"]))
        }
        other => Err(json!({"code": -32601, "message": format!("Method not found: {other}")})),
    };
    Some(match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    })
}

fn note(params: &Value) {
    let Some(path) = std::env::var_os("SAMPLE_SERVER_LOG") else { return };
    let file = std::fs::File::options().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(format!("{params}\n").as_bytes()));
}

fn tools(kind: &Kind) -> Vec<Value> {
    let names: &[(&str, &str)] = match kind {
        Kind::Everything => &[("echo", "message"), ("get-sum", "a"), ("get-env", "")],
        Kind::Filesystem(_) => {
            &[("read_text_file", "path"), ("write_file", "path"), ("list_directory", "path")]
        }
    };
    let schema = |argument: &str| match argument {
        "" => json!({"type": "object", "properties": {}}),
        name => json!({"type": "object", "properties": {name: {}}, "required": [name]}),
    };
    let mut tools: Vec<Value> = names
        .iter()
        .map(|(name, argument)| json!({"name": name, "description": name, "inputSchema": schema(argument)}))
        .collect();
    if let Some(told) = std::env::var_os("SAMPLE_SERVER_DESCRIPTION").map(std::fs::read_to_string) {
        tools[0]["description"] = json!(told.unwrap_or_default());
    }
    tools
}

fn call(kind: &Kind, params: &Value) -> Value {
    let arguments = &params["arguments"];
    let done = match (kind, params["name"].as_str().unwrap_or_default()) {
        (Kind::Everything, "echo") => {
            Ok(format!("Echo: {}", arguments["message"].as_str().unwrap_or_default()))
        }
        (Kind::Everything, "get-sum") => {
            let sum =
                arguments["a"].as_f64().unwrap_or_default() + arguments["b"].as_f64().unwrap_or_default();
            Ok(format!("The sum is {sum}."))
        }
        (Kind::Everything, "get-env") => {
            Ok(format!("{:?}", std::env::vars().map(|(name, _)| name).collect::<Vec<_>>()))
        }
        (Kind::Filesystem(shown), "read_text_file") => inside(shown, arguments)
            .and_then(|path| std::fs::read_to_string(path).map_err(|error| error.to_string())),
        (Kind::Filesystem(shown), "write_file") => inside(shown, arguments).and_then(|path| {
            std::fs::write(path, arguments["content"].as_str().unwrap_or_default())
                .map_err(|error| error.to_string())?;
            Ok("written".to_owned())
        }),
        (Kind::Filesystem(shown), "list_directory") => inside(shown, arguments).and_then(|path| {
            let entries = std::fs::read_dir(path).map_err(|error| error.to_string())?;
            Ok(entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join("\n"))
        }),
        (_, name) => Err(format!("Unknown tool: {name}")),
    };
    let (text, is_error) = done.map_or_else(|error| (error, true), |text| (text, false));
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}

fn inside(shown: &Path, arguments: &Value) -> Result<PathBuf, String> {
    let path = PathBuf::from(arguments["path"].as_str().ok_or("path is missing")?);
    let parent = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(&path) };
    let real = parent.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    if real.starts_with(shown) {
        Ok(path)
    } else {
        Err(format!("{} is outside the folder shown", path.display()))
    }
}
