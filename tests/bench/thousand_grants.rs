//! The policy that the guard judges by: 1,000 grants over a hundred servers.

use std::fmt::Write;
use std::path::Path;

pub const GRANTS: usize = 1000;
const SERVERS: usize = 99;

/// A document under which `members` may call `echo` on the benchmark's servers. One grant in ten has a
/// condition, one in fifty denies; none of those speaks of `echo`.
pub fn document(members: &str, echo_server: &Path, url: &str) -> String {
    let mut text = format!(
        "[defaults]\nmode = \"enforce\"\nheal = false\n\n\
         [servers.bench]\nmatch = [\"exec:{}*\", \"{url}\"]\n\n",
        echo_server.display()
    );
    // Writing to a string does not fail.
    for server in 0..SERVERS {
        let _ = writeln!(text, "[servers.server-{server}]\nmatch = [\"npm:@acme/server-{server}\"]\n");
    }
    let _ = writeln!(text, "[roles.everybody]\nmembers = [\"{members}\"]\n");
    for number in 0..GRANTS - 1 {
        let server = match number % 100 {
            99 => "bench".to_owned(),
            other => format!("server-{other}"),
        };
        let _ = writeln!(
            text,
            "[[grants]]\nname = \"grant-{number}\"\nroles = [\"everybody\"]\nservers = [\"{server}\"]\n\
             tools = [\"tool-{number}\", \"list_{number}_*\"]"
        );
        if number % 50 == 7 {
            text.push_str("effect = \"deny\"\n");
        }
        if number % 10 == 3 {
            text.push_str("when = 'context.args has path && context.args.path like \"/work/*\"'\n");
        }
        text.push('\n');
    }
    text.push_str(
        "[[grants]]\nname = \"echo\"\nroles = [\"everybody\"]\nservers = [\"bench\"]\ntools = [\"echo\"]\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_grants_as_promised() {
        let text = document("*", Path::new("/bin/echo"), "http://127.0.0.1:1/mcp");
        assert_eq!(text.matches("[[grants]]").count(), GRANTS);
    }
}
