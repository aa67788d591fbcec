//! `portreeve configs …`: see, make and undo the changes to the clients' configurations.
//!
//! Shows servers by their identity, never by their arguments: those may hold secrets.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use platform::Layout;
use serde::Serialize;

use crate::cli::EXIT_CODES;
use crate::clients::{Client, Home};
use crate::commands::{block_on, enrol_first};
use crate::enrolment::read_identity;
use crate::ipc::client::ask;
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out, Tone};
use crate::steward::{Action, Applied, EntryChange, FileLook, Restored, Row, Standing, Steward};

/// `portreeve configs`.
#[derive(Debug, clap::Args)]
pub struct ConfigsArgs {
    #[command(subcommand)]
    pub action: ConfigsAction,
}

#[derive(Debug, clap::Subcommand)]
pub enum ConfigsAction {
    /// Show what would change, file by file; changes nothing
    #[command(after_help = EXIT_CODES)]
    Plan,
    /// Put the guard in front of every server that can be governed
    ///
    /// Refused on a machine that is not enrolled: every call would be.
    #[command(after_help = EXIT_CODES)]
    Apply,
    /// List every server, and whether it is governed or why not
    #[command(after_help = EXIT_CODES)]
    List,
    /// Take everything of ours out again
    ///
    /// Refused while a resident runs that would put it back at once; `portreeve unenroll` is the way out.
    #[command(after_help = EXIT_CODES)]
    Restore,
}

/// # Errors
/// The home folder is unknown, or the steward's own state cannot be used.
#[expect(clippy::needless_pass_by_value, reason = "every verb has this signature")]
pub fn run(args: ConfigsArgs, layout: Layout, out: Out) -> anyhow::Result<ExitCode> {
    let home = Home::current().context("no home folder is known for this user")?;
    let steward = Steward::new(&layout, &home)?;
    let face = Face { out, home, enrolled: read_identity(&layout)?.is_some() };
    let exit = match args.action {
        ConfigsAction::Plan => face.plan(&steward.look()?),
        ConfigsAction::List => face.list(&steward.look()?),
        ConfigsAction::Apply => {
            if !face.enrolled {
                face.out.problem(NOT_ENROLLED);
                return Ok(Exit::NotEnrolled.into());
            }
            let applied = steward.apply()?;
            tell_resident(&layout);
            face.applied(&applied, &steward.look()?)
        }
        ConfigsAction::Restore => {
            if resident_heals(&layout) {
                face.out.problem(PUT_BACK);
                return Ok(Exit::Problems.into());
            }
            let restored = steward.restore()?;
            tell_resident(&layout);
            face.restored(&restored)
        }
    };
    Ok(exit.into())
}

const NOT_ENROLLED: &str = "this machine is not enrolled, so the guard would refuse every call; \
    run `portreeve enroll` first. Nothing was changed";
const PUT_BACK: &str = "the resident puts these back within a second, as your organisation's policy says; \
    to leave, use `portreeve unenroll`. Nothing was changed";

/// Does a resident run that would undo a restore?
fn resident_heals(layout: &Layout) -> bool {
    match block_on(ask(layout, &ToResident::Status)) {
        Ok(Ok(FromResident::Status { status })) => status["heals"] == true,
        _ => false,
    }
}

/// A running resident looks at once; without one there is nobody to tell.
fn tell_resident(layout: &Layout) {
    if let Ok(Err(error)) = block_on(ask(layout, &ToResident::LookAgain)) {
        tracing::debug!(%error, "resident.not_told");
    }
}

struct Face {
    out: Out,
    home: Home,
    /// Nothing is applied on a machine that is not.
    enrolled: bool,
}

#[derive(Serialize)]
struct ShownChange<'a> {
    client: &'a str,
    file: &'a Path,
    action: Action,
    scope: &'a str,
    project: &'a str,
    entry: &'a str,
    identity: &'a str,
}

#[derive(Serialize)]
struct ShownServer<'a> {
    client: &'a str,
    scope: &'a str,
    project: &'a str,
    entry: &'a str,
    identity: &'a str,
    governed: bool,
    why: String,
    /// What its identity does not show.
    note: String,
}

impl Face {
    fn plan(&self, looks: &[FileLook]) -> Exit {
        let changes: Vec<_> =
            looks.iter().flat_map(|look| shown_changes(look.client, &look.file, &look.changes)).collect();
        let problems = problems(looks);
        self.out.value(&serde_json::json!({ "changes": changes, "problems": problems }));
        for look in looks.iter().filter(|look| !look.changes.is_empty()) {
            self.heading(look.client, &look.file);
            self.changes(&look.changes);
        }
        self.problems(&problems);
        let servers = looks.iter().flat_map(|look| &look.rows).count();
        let unchanged = servers.saturating_sub(changes.len());
        self.out.say(format_args!("{} servers would change, {unchanged} stay as they are", changes.len()));
        if !self.enrolled && !changes.is_empty() {
            self.out.say("nothing is applied before this machine is enrolled: `portreeve enroll`");
        }
        if problems.is_empty() { Exit::Done } else { Exit::Problems }
    }

    fn applied(&self, applied: &[Applied], looks: &[FileLook]) -> Exit {
        let changes: Vec<_> =
            applied.iter().flat_map(|file| shown_changes(file.client, &file.file, &file.changes)).collect();
        let mut problems = problems(looks);
        problems.extend(applied.iter().filter_map(|file| file.problem.as_ref()).map(ToString::to_string));
        problems.sort();
        problems.dedup();
        let (governed, all) = governed(looks);
        self.out.value(&serde_json::json!({
            "changed": changes, "problems": problems, "governed": governed, "servers": all
        }));
        for file in applied.iter().filter(|file| !file.changes.is_empty()) {
            self.heading(file.client, &file.file);
            self.changes(&file.changes);
        }
        self.problems(&problems);
        self.out.say(format_args!("{} changed; {governed} of {all} servers governed", changes.len()));
        if problems.is_empty() { Exit::Done } else { Exit::Problems }
    }

    fn list(&self, looks: &[FileLook]) -> Exit {
        let servers: Vec<ShownServer<'_>> = looks
            .iter()
            .flat_map(|look| look.rows.iter().map(|row| self.shown_server(look.client, row)))
            .collect();
        let problems = problems(looks);
        let (governed, all) = governed(looks);
        self.out.value(&serde_json::json!({
            "servers": servers, "problems": problems, "governed": governed
        }));
        let width = |of: fn(&ShownServer<'_>) -> usize| servers.iter().map(of).max().unwrap_or(0);
        let entry = width(|server| server.entry.chars().count());
        let identity = width(|server| server.identity.chars().count()).min(60);
        for server in &servers {
            let state = if server.governed {
                self.out.tone(Tone::Good, "governed")
            } else {
                format!("{} {}", self.out.tone(Tone::Bad, "not governed:"), server.why)
            };
            let place = self.in_home(Path::new(server.project));
            self.out.say(
                format!(
                    "{:14}  {:7}  {:entry$}  {:identity$}  {state}  {}",
                    server.client,
                    server.scope,
                    shown_name(server.entry),
                    server.identity,
                    self.out.tone(Tone::Faint, place)
                )
                .trim_end(),
            );
            if !server.note.is_empty() {
                self.out.say(format_args!("    {} {}", self.out.tone(Tone::Warn, "note:"), server.note));
            }
        }
        self.problems(&problems);
        match looks.iter().any(|look| look.problem.is_some()) {
            true if all == 0 => {
                self.out
                    .say("how many servers there are, and are governed, is unknown: see the problem above");
            }
            true => self.out.say(format_args!("{governed} of {all} servers governed, as far as can be read")),
            false => self.out.say(format_args!("{governed} of {all} servers governed")),
        }
        if problems.is_empty() { Exit::Done } else { Exit::Problems }
    }

    fn shown_server<'a>(&self, client: Client, row: &'a Row) -> ShownServer<'a> {
        let why = match row.standing {
            Standing::Altered if !self.enrolled => {
                "has a guard that was put there by hand, as for a trial".to_owned()
            }
            _ => row.why(),
        };
        ShownServer {
            client: client.id(),
            scope: row.scope.id(),
            project: &row.project,
            entry: &row.entry,
            identity: &row.identity,
            governed: row.is_governed(),
            why: if self.enrolled { why } else { enrol_first(&why) },
            note: row.note(),
        }
    }

    fn restored(&self, restored: &Restored) -> Exit {
        self.out.value(&serde_json::json!({
            "entries": restored.entries, "files": restored.files, "problems": restored.failures
        }));
        for file in &restored.files {
            let how = if file.byte_for_byte {
                "as it was before, byte for byte"
            } else {
                "changed by others meanwhile; only ours was taken out"
            };
            self.out.say(format_args!("{}: {} entries, {how}", self.in_home(&file.file), file.entries));
        }
        self.problems(&restored.failures);
        self.out.say(format_args!("{} entries restored", restored.entries));
        if restored.failures.is_empty() { Exit::Done } else { Exit::Problems }
    }

    fn heading(&self, client: Client, file: &Path) {
        let heading = format!("{}  {}", client.title(), self.in_home(file));
        self.out.say(self.out.tone(Tone::Strong, heading));
    }

    fn changes(&self, changes: &[EntryChange]) {
        let width = changes.iter().map(|change| change.place.name.chars().count()).max().unwrap_or(0);
        for change in changes {
            let (from, to) = from_to(change);
            let name = shown_name(&change.place.name);
            let place = change.place.project.as_deref().unwrap_or_default();
            let line = format!(
                "  {:7}  {name:width$}  {from}  ->  {to}  {}",
                change.scope.id(),
                self.out.tone(Tone::Faint, self.in_home(Path::new(place)))
            );
            self.out.say(line.trim_end());
        }
    }

    fn problems(&self, problems: &[String]) {
        for problem in problems {
            self.out.say(format_args!("{} {problem}", self.out.tone(Tone::Warn, "left alone:")));
        }
    }

    /// A path as its owner thinks of it.
    fn in_home(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home.path) {
            Ok(inside) => Path::new("~").join(inside).display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

fn from_to(change: &EntryChange) -> (String, String) {
    let identity = &change.identity;
    let guarded = format!("portreeve wrap, then {identity}");
    match change.action {
        Action::Wrap => (identity.clone(), guarded),
        Action::Move => (format!("portreeve wrap at its old place, then {identity}"), guarded),
        Action::Repair => (format!("another guard, then {identity}"), guarded),
        Action::Shadow => {
            (format!("{identity} of the team's .mcp.json"), format!("{guarded}, in local scope"))
        }
        Action::Follow => {
            ("an earlier state of the team's entry".to_owned(), format!("{guarded}, in local scope"))
        }
        Action::Unshadow => {
            (format!("{guarded}, in local scope"), "nothing: the team's entry is gone".to_owned())
        }
    }
}

/// Names come from files of anybody's making: control characters stay out of the terminal.
fn shown_name(name: &str) -> String {
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.to_owned() }
}

fn shown_changes<'a>(
    client: Client,
    file: &'a Path,
    changes: &'a [EntryChange],
) -> impl Iterator<Item = ShownChange<'a>> {
    changes.iter().map(move |change| ShownChange {
        client: client.id(),
        file,
        action: change.action,
        scope: change.scope.id(),
        project: change.place.project.as_deref().unwrap_or_default(),
        entry: &change.place.name,
        identity: &change.identity,
    })
}

fn governed(looks: &[FileLook]) -> (usize, usize) {
    let rows = || looks.iter().flat_map(|look| &look.rows);
    (rows().filter(|row| row.is_governed()).count(), rows().count())
}

fn problems(looks: &[FileLook]) -> Vec<String> {
    let own = looks.iter().filter_map(|look| look.problem.as_ref()).map(ToString::to_string);
    let team = looks.iter().flat_map(|look| &look.team_problems).map(ToString::to_string);
    own.chain(team).collect()
}
