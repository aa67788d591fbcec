//! What can be typed. How a single value is read is in `values`.

mod values;

use crate::store::records::{DECISIONS, FATES, KINDS};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;
use values::{duration, moment, note};

/// Below every `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done, and the last line says why; 2 wrong usage; \
    3 the policy or the record has problems.";

/// Portreeve's policy server: one signed policy for the MCP servers of a whole organisation, one record
/// of what was called, and alerts when something goes around it.
#[derive(Debug, Parser)]
#[command(name = "portreeve-server", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// The folder with everything the server owns.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Arguments {
    /// What the process was started with; usage errors end it with exit code 2.
    #[must_use]
    pub fn of_process() -> Self {
        let mut command = explained(Self::command());
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// The exit codes stand below the help of every command, not of the first only.
fn explained(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).mut_subcommands(explained)
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server. The first start makes everything in DIR and prints a one-time console link.
    Serve(Serve),
    /// Enrolment of machines.
    #[command(subcommand)]
    Enrolment(Enrolment),
    /// The people, and the end of their access.
    #[command(subcommand)]
    Members(Members),
    /// The enrolled machines.
    #[command(subcommand)]
    Devices(Devices),
    /// The policy: check, ask, publish.
    #[command(subcommand)]
    Policy(Policy),
    /// The record of calls.
    #[command(subcommand)]
    Records(Records),
    /// Alerts.
    #[command(subcommand)]
    Alerts(Alerts),
    /// Where alerts are sent.
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Admins of this server.
    #[command(subcommand)]
    Admin(Admin),
    /// Print the API's description (OpenAPI 3.1).
    Openapi,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Where agents and admins reach this server, if it is not the listening address.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<Url>,
    /// The organisation's name, said at the first start and kept.
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// A device that is silent for longer is dark, and that is an alert.
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub dark_after: u64,
    /// A TLS certificate of your own, in the place of one from the server's own authority.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Enrolment {
    /// The tokens by which machines enrol.
    #[command(subcommand)]
    Token(Token),
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token, and print the managed profile that carries it.
    Create {
        /// The member its machines belong to, whatever the machine says.
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["members", "any_member"])]
        member: Option<String>,
        /// The machine says whose it is, and that member has to fit: '*@acme.example'. Repeatable.
        #[arg(long, value_name = "PATTERN", conflicts_with = "any_member")]
        members: Vec<String>,
        /// The machine says whose it is, whoever that may be: whoever has the token can enrol as any
        /// member. Needed for more than one use without --member or --members.
        #[arg(long)]
        any_member: bool,
        /// How many machines it enrols.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How long it is good for: 30m, 24h, 7d.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
        expires: u64,
        /// The form in which the MDM takes the profile.
        #[arg(long, value_enum, default_value_t = ProfileForm::Json)]
        profile: ProfileForm,
    },
    /// Every token, without its secret.
    List,
    /// Make a token useless.
    Withdraw { id: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileForm {
    /// `/etc/portreeve/managed.json` on Linux.
    Json,
    /// Managed preferences on macOS: the settings alone, for Jamf's custom schema.
    Plist,
    /// A whole configuration profile for macOS, to be uploaded to any MDM.
    Mobileconfig,
    /// Registry on Windows.
    Reg,
}

#[derive(Debug, Subcommand)]
pub enum Members {
    /// Everybody who ever enrolled a machine.
    List,
    /// End a member's access on every machine, now.
    Offboard { address: String },
    /// Give a member their access back.
    Restore { address: String },
}

#[derive(Debug, Subcommand)]
pub enum Devices {
    /// Every machine, with what it last said of itself.
    List,
    /// End one machine's access, for good.
    Revoke { id: String },
    /// Forget a machine that is gone: closes its alerts; its records stay. Not while it is live.
    Remove { id: String },
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Parse, compile and test a policy file. Needs no server.
    Check { file: PathBuf },
    /// What a policy says to one call, and why.
    Explain(Box<Explain>),
    /// Print the policy in force, or a version of before.
    Show {
        /// One of `policy history`.
        version: Option<u64>,
    },
    /// Publish a policy file to every agent.
    Publish {
        file: PathBuf,
        /// Why, for those who read the history.
        #[arg(long, value_parser = note)]
        note: String,
        /// The version it was written against; refused if another one is in force.
        #[arg(long, value_name = "VERSION")]
        base: Option<u64>,
    },
    /// Every published version, newest first.
    History,
    /// The signed bundle in force, for machines that cannot reach this server: carry it there and run
    /// `portreeve policy adopt FILE`.
    Bundle {
        /// Sign it anew, good for so long (30s, 12h, 7d); at most the usual validity. Without this it
        /// is the very bundle that agents fetch.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<u64>,
        /// Where to write it; - for standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A policy file to ask. Needs no server.
    #[arg(required_unless_present = "current", conflicts_with = "current")]
    pub file: Option<PathBuf>,
    /// Ask the policy in force.
    #[arg(long)]
    pub current: bool,
    #[arg(long, value_name = "ADDRESS")]
    pub member: String,
    /// A name in the catalogue, or an identity such as `npm:@scope/name`.
    #[arg(long, value_name = "NAME|IDENTITY")]
    pub server: String,
    #[command(flatten)]
    pub asked: Asked,
    /// The arguments, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub args: Option<String>,
    #[arg(long, value_name = "ID", default_value = "")]
    pub device: String,
    /// The client's name: `claude-code`.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub client: String,
}

/// What is asked about: one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Asked {
    #[arg(long, value_name = "NAME")]
    pub tool: Option<String>,
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub prompt: Option<String>,
    /// What the server asks of the client: sampling, elicitation or roots.
    #[arg(long, value_name = "NAME")]
    pub client_feature: Option<String>,
    /// Any other method of the protocol: logging/setLevel.
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Records {
    /// What matches, newest first.
    Search {
        #[command(flatten)]
        filter: Filter,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Go on where the page before ended.
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
    },
    /// Everything that matches as JSON lines, oldest first.
    Export {
        #[command(flatten)]
        filter: Filter,
        #[arg(long, value_enum, default_value_t = RecordForm::Raw)]
        format: RecordForm,
    },
    /// Verify that nothing was changed, removed or put in: every log from its first link to its head,
    /// every run without a hole. Needs no server with FILE.
    Verify {
        /// What `records export --format chained` wrote; - for standard input. Without it, the
        /// server's own store.
        file: Option<PathBuf>,
        /// FILE was exported with filters: what is not in it is no problem.
        #[arg(long, requires = "file")]
        partial: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordForm {
    /// As the device wrote it.
    Raw,
    /// OCSF API Activity.
    Ocsf,
    /// With place and link, one line each: SHA-256(previous link || bytes of record) is its link.
    /// Without filters it is the whole record, which `records verify FILE` verifies anywhere.
    Chained,
}

#[derive(Debug, Args)]
pub struct Filter {
    /// An address, or what stands before its @.
    #[arg(long, value_name = "ADDRESS")]
    pub member: Option<String>,
    /// A device's id, or its host name.
    #[arg(long, value_name = "ID|HOST")]
    pub device: Option<String>,
    /// Part of the server's identity, of its name in the catalogue, or of the client's entry.
    #[arg(long)]
    pub server: Option<String>,
    /// A tool; * stands for anything: 'read_*'.
    #[arg(long)]
    pub tool: Option<String>,
    #[arg(long, value_parser = DECISIONS)]
    pub decision: Option<String>,
    #[arg(long, value_parser = KINDS)]
    pub kind: Option<String>,
    /// The rule that decided.
    #[arg(long)]
    pub rule: Option<String>,
    /// Part of the client's name, or of that of its credential at an HTTP door.
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// What became of calls: their outcomes.
    #[arg(long, value_parser = FATES)]
    pub fate: Option<String>,
    /// Why a message was not taken: door-credential, header-mismatch, …
    #[arg(long)]
    pub code: Option<String>,
    /// RFC 3339 (2026-11-20T08:00:00Z), or how long ago: 15m, 24h, 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<i64>,
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<i64>,
    /// Text anywhere in the record.
    #[arg(long)]
    pub text: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Alerts, newest first.
    List {
        #[arg(long, value_parser = ["open", "acknowledged", "resolved"])]
        state: Option<String>,
    },
    /// Say that somebody looks after it.
    Ack {
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Every open alert.
        #[arg(long)]
        all: bool,
        /// With --all: only those of this code (device-dark, entry-unwrapped, …).
        #[arg(long, requires = "all")]
        code: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// Send alerts to this address. Prints the secret they are signed with.
    Add {
        url: String,
        #[arg(long)]
        secret: Option<String>,
    },
    List,
    /// By id or address.
    Remove {
        webhook: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// A new link into the console: works once, for 15 minutes.
    Link,
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_help_ends_with_the_exit_codes() {
        fn look(command: &mut clap::Command) {
            let name = command.get_name().to_owned();
            if name == "help" {
                return; // clap's own
            }
            assert!(command.render_long_help().to_string().contains("Exit codes: 0 done"), "{name}");
            command.get_subcommands_mut().for_each(look);
        }
        look(&mut super::explained(Arguments::command()));
    }

    #[test]
    fn filters_that_name_nothing_are_wrong_usage_and_the_values_are_listed() {
        for (line, listed) in [
            ("s records search --decision would-refused", "would-refuse"),
            ("s records export --kind bogus", "outcome"),
            ("s records search --fate gone", "tool-error"),
            ("s alerts list --state opne", "acknowledged"),
            ("s policy publish p.toml --note=", "say why"),
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(listed), "{error}");
        }
    }
}
