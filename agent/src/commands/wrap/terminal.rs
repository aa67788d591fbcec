//! What a person is told who starts a trial by hand: a guard waits for its client in silence.

use crate::shell::quoted;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// One line on stderr, where stdin is a terminal.
pub fn hint(policy: &Path) {
    if !std::io::stdin().is_terminal() {
        return;
    }
    let args: Vec<_> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", sentence(&args, policy));
}

/// Claude starts it in a folder of its own choice, so the policy is named whole.
fn sentence(args: &[String], policy: &Path) -> String {
    let given = policy.to_string_lossy();
    let whole = std::path::absolute(policy).unwrap_or_else(|_| policy.to_owned());
    let words = args.iter().map(|arg| match arg.strip_suffix(&*given) {
        Some(before) if before.is_empty() || before == "--policy=" => {
            quoted(&format!("{before}{}", whole.display()))
        }
        _ => quoted(arg),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    format!(
        "portreeve: waiting for an MCP client on this terminal (Ctrl-D ends); to have Claude start it: \
         claude mcp add NAME -- {line}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_add_can_be_pasted_from_any_folder() {
        let args = ["portreeve", "wrap", "--policy", "p.toml", "--", "npx", "-y", "it's", "p.toml x"];
        let args: Vec<_> = args.map(str::to_owned).into();
        let whole = std::path::absolute("p.toml").unwrap();
        let expected = format!(
            r"claude mcp add NAME -- portreeve wrap --policy {} -- npx -y 'it'\''s' 'p.toml x'",
            quoted(&whole.to_string_lossy())
        );
        let said = sentence(&args, Path::new("p.toml"));
        assert!(said.ends_with(&expected), "{said}");
    }
}
