//! Every verb and flag of `portreeve`, and nothing else.

use crate::commands::configs::ConfigsArgs;
use crate::commands::pins::PinsVerb;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Said with every verb.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed; the message says why
  2  wrong use, or input that cannot be read
  3  this machine is not enrolled; `status` says so in a trial too (guards under a local --policy, and no
     organisation), where `doctor` ends with 0 or 4: a trial lacks nothing
  4  it ran, and found problems: status, doctor; configs plan, apply and list (a file was left alone);
     configs restore (a file was left alone, or the resident would undo it, so nothing was done)
`portreeve wrap` exits with the code of the server it guards; where a signal ended that, with 128 and the
signal's number, as shells do (137: killed).";

/// Guards the MCP servers that Claude starts or dials, by your organisation's policy.
#[derive(Debug, Parser)]
#[command(name = "portreeve", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Keep everything of Portreeve's under DIR (trials, containers); refused on a managed machine
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Answer with JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Say more on stderr (twice: everything); PORTREEVE_LOG takes a filter
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What this process was asked; where that is no line of ours, says so and exits.
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| with_tip(error).exit())
    }
}

/// A server is given in one of several ways; clap's sentences name only one of them.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let remote = if usage.contains(" wrap ") {
        "`--http URL` or `--sse URL`"
    } else if usage.contains(" serve ") {
        "`--upstream URL`"
    } else {
        return error;
    };
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let tip = match error.kind() {
        ErrorKind::MissingRequiredArgument if named.contains("COMMAND") => {
            format!("name the server to guard: `-- COMMAND ARGS…` for a local one, {remote} for a remote one")
        }
        ErrorKind::UnknownArgument if !named.starts_with('-') => {
            format!("put `--` before the server's own command line: `-- {named} …`")
        }
        _ => return error,
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this machine a device of your organisation, by the managed profile
    #[command(after_help = EXIT_CODES)]
    Enroll(EnrollArgs),
    /// Take this machine out again: configurations restored, identity removed
    #[command(after_help = EXIT_CODES)]
    Unenroll(UnenrollArgs),
    /// The resident: policy, audit log, configurations, detection (started by the system)
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// How this machine stands, in ten lines, or how one guarded server does
    #[command(after_help = EXIT_CODES)]
    Status(StatusArgs),
    /// Look for what is wrong, and say the remedy
    #[command(after_help = EXIT_CODES)]
    Doctor,
    /// The last refusals: which rule, why, and whom to ask
    #[command(after_help = EXIT_CODES)]
    Explain(ExplainArgs),
    /// Policy by hand, for a machine that cannot reach its policy server
    #[command(subcommand, after_help = EXIT_CODES)]
    Policy(Policy),
    /// What servers say their tools are, what changed, and approving it
    #[command(subcommand, after_help = EXIT_CODES)]
    Pins(PinsVerb),
    /// See, apply and undo what Portreeve writes into Claude's configurations
    #[command(after_help = EXIT_CODES)]
    Configs(ConfigsArgs),
    /// Judge one event of Claude Code's hooks, given on stdin: what Claude Code starts for each
    #[command(
        after_help = "Exit codes: 0 judged (a refusal stands on stdout), 2 nobody could judge it: the call is not made."
    )]
    Hook,
    /// Guard one MCP server: what Claude starts in its place
    #[command(after_help = EXIT_CODES)]
    Wrap(WrapArgs),
    /// Guard one MCP server for clients that dial a URL: an HTTP door of its own
    #[command(after_help = EXIT_CODES)]
    Serve(ServeArgs),
    /// The resident's own HTTP door: what it serves, and to which clients
    #[command(subcommand, after_help = EXIT_CODES)]
    Door(DoorVerb),
}

#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// Enrol anew though this machine is enrolled already: new key, new certificate, new log
    #[arg(long)]
    pub again: bool,
}

#[derive(Debug, Args)]
pub struct UnenrollArgs {
    /// Go on where the policy server cannot be reached: its records that are not upstream are kept on disk
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Enrol first, by the managed profile, where this machine is not enrolled
    #[arg(long)]
    pub enroll: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One guarded server instead: does it run, what does it speak, what did it say on stderr
    #[arg(long, value_name = "ENTRY")]
    pub server: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// How many refusals
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub last: u32,
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Verify a signed policy bundle from a file, and put it in force
    ///
    /// For machines that cannot reach the policy server. `portreeve-server policy bundle --out FILE`
    /// makes the file, with `--expires` for how long it is good; carry it here by whatever way there is.
    ///
    /// It passes the same checks as a bundle that was fetched: signatures, expiry, organisation, and no
    /// older than what this machine has seen. What is refused changes nothing, exit code 1; the resident
    /// tells the policy server of it. Where no resident runs, the bundle is put in force on disk.
    #[command(after_help = EXIT_CODES)]
    Adopt {
        /// The signed bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct WrapArgs {
    /// The entry's name in the client's configuration
    #[arg(long, value_name = "ENTRY")]
    pub name: Option<String>,

    /// Guard a remote server over Streamable HTTP
    #[arg(long, value_name = "URL", conflicts_with_all = ["sse", "command"])]
    pub http: Option<String>,

    /// Guard a remote server over the older HTTP with server-sent events
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub sse: Option<String>,

    /// Judge by a local policy document, unsigned; refused on an enrolled or managed machine
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Whom that document judges
    #[arg(long, value_name = "ADDRESS", requires = "policy", default_value = "you@localhost")]
    pub member: String,

    /// The server's own command line
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["http", "sse"])]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Guard a remote server (Streamable HTTP)
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub upstream: Option<String>,

    /// It speaks the older HTTP with server-sent events
    #[arg(long, requires = "upstream")]
    pub sse: bool,

    /// The entry's name in the record
    #[arg(long, value_name = "ENTRY")]
    pub name: Option<String>,

    /// Judge by a local policy document, unsigned; refused on an enrolled or managed machine
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Whom that document judges
    #[arg(long, value_name = "ADDRESS", requires = "policy", default_value = "you@localhost")]
    pub member: String,

    /// What a client has to show: `none` only on loopback and with --policy
    #[arg(long, value_enum, default_value_t = ClientAuth::Token)]
    pub client_auth: ClientAuth,

    /// Take the credential from this file (0600) instead of making one
    #[arg(long, value_name = "FILE")]
    pub client_token_file: Option<PathBuf>,

    /// Another host name that clients may use for this door (repeatable); loopback's own always are
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,

    /// Conversations held at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub sessions: u16,

    /// End a conversation that nobody uses for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    pub idle: u32,

    /// The server's own command line
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "upstream")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub enum DoorVerb {
    /// List the servers with their URLs, and the clients that have a credential
    #[command(after_help = EXIT_CODES)]
    List,
    /// Make a client's credential; it is told once
    #[command(after_help = EXIT_CODES)]
    Grant {
        /// A name of your choice for the client: letters, digits, dots, dashes and underscores
        #[arg(value_name = "CLIENT")]
        client: String,
    },
    /// Let a client in no more
    #[command(after_help = EXIT_CODES)]
    Revoke {
        /// The name it was given, as `portreeve door list` shows it
        #[arg(value_name = "CLIENT")]
        client: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientAuth {
    Token,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_verbs_and_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_says_its_exit_codes() {
        fn without(command: &clap::Command, path: &str) -> Vec<String> {
            let here = command.clone().render_long_help().to_string();
            let mine = (!here.contains("Exit codes:")).then(|| path.to_owned());
            let below = command.get_subcommands().filter(|below| below.get_name() != "help");
            let below = below.flat_map(|below| without(below, &format!("{path} {}", below.get_name())));
            mine.into_iter().chain(below.collect::<Vec<_>>()).collect()
        }
        assert_eq!(without(&Cli::command(), "portreeve"), Vec::<String>::new());
    }

    #[test]
    fn a_wrapped_entry_keeps_its_own_arguments_untouched() {
        let cli = Cli::try_parse_from([
            "portreeve",
            "wrap",
            "--name",
            "files",
            "--root",
            "/r",
            "--",
            "npx",
            "-y",
            "--json",
            "--root",
            "x",
        ])
        .unwrap();
        assert_eq!(cli.root, Some(PathBuf::from("/r")));
        assert!(!cli.json);
        let Command::Wrap(args) = cli.command else { panic!("not wrap") };
        assert_eq!(args.command, ["npx", "-y", "--json", "--root", "x"]);
    }

    #[test]
    fn a_line_without_a_server_is_told_every_way_to_name_one() {
        let said = |args: &[&str]| {
            let line = ["portreeve"].iter().chain(args);
            with_tip(Cli::try_parse_from(line).unwrap_err()).to_string()
        };
        for (args, parts) in [
            (&["wrap"][..], &["`-- COMMAND ARGS…`", "`--http URL`", "`--sse URL`"][..]),
            (&["serve", "--listen", "127.0.0.1:0"], &["`-- COMMAND ARGS…`", "`--upstream URL`"]),
            (&["wrap", "--policy", "p", "npx", "foo"], &["'npx'", "`-- npx …`"]),
            (&["serve", "npx"], &["'npx'", "`-- npx …`"]),
        ] {
            let said = said(args);
            assert!(parts.iter().all(|part| said.contains(part)), "{args:?}: {said}");
        }
        for args in [&["wrap", "--nothing-of-ours"][..], &["door", "grant", "a", "b"], &["door", "grant"]] {
            assert!(!said(args).contains("server"), "{args:?}");
        }
    }

    #[test]
    fn wrap_needs_exactly_one_server() {
        for args in [
            &["portreeve", "wrap"][..],
            &["portreeve", "wrap", "--http", "https://a/", "--sse", "https://a/"],
            &["portreeve", "wrap", "--http", "https://a/", "--", "npx"],
            &["portreeve", "wrap", "--sse", "https://a/", "--", "npx"],
        ] {
            assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        }
    }
}
