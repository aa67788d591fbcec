//! `cargo bench-path`: what the data path costs. One run interleaves, in rounds of random order: direct, a
//! floor of ours, the guard under 1,000 grants with its full record, and the peers from the registries.
//!
//! Drives the programs from outside and uses none of our own crates but the test harness. It judges
//! no change by itself: a target that is missed is said, and the exit code is 0.

mod contestants;
mod dice;
mod figures;
mod measure;
mod peers;
mod processes;
mod program;
mod programs;
mod results;
mod setting;
mod speech;
mod stage;
mod tables;
mod thirty_guards;
mod thousand_grants;
mod wire;

use anyhow::{Context, Result};
use clap::Parser;
use contestants::{Contestant, Role, Way};
use dice::Dice;
use figures::Taken;
use measure::{Bench, Effort};
use programs::Programs;
use results::{Absent, Results, Row};
use setting::Setting;
use stage::Stage;
use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What the data path costs, with the baselines and the peers in the same run.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-path", bin_name = "cargo bench-path")]
struct Arguments {
    /// Rounds; the figures are the medians over them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Two short rounds: five minutes with the peers, two without, once everything is built and installed.
    #[arg(long)]
    quick: bool,
    /// Only contestants whose way and name contain one of these (as in `stdio→stdio`, `HTTP→`, `shield`). Direct and
    /// floor of the same way run too.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Every figure of every round as JSON, in place of the tables.
    #[arg(long)]
    json: bool,
    /// Without the peers: nothing is fetched.
    #[arg(long)]
    no_peers: bool,
    /// Measure the programs as they lie beside this one, without building them.
    #[arg(long)]
    no_build: bool,
    /// Plays the random order of another run again.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let programs = Programs::build(arguments.no_build)?;
    if !programs::is_release()? {
        say("this is not a release build: its figures say little");
    }
    let stage = Stage::set(&programs).context("setting the stage")?;
    let (contestants, absent) = contestants(&arguments, &programs, &stage)?;
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let bench = Bench { effort, server: &programs.echo_server, log: &stage.log() };
    let rounds = if arguments.quick { arguments.rounds.min(2) } else { arguments.rounds };
    let seed = arguments.seed.unwrap_or_else(from_the_clock);
    let setting = Setting::of(rounds, seed);
    let taken = rounds_of(&bench, &contestants, rounds, &stage, seed);
    let idle =
        contestants.iter().any(|one| one.role == Role::Guard).then(|| idle(&programs, &stage)).flatten();
    let rows = contestants.into_iter().zip(taken).map(|(one, taken)| {
        let Contestant { name, way, role, .. } = one;
        Row { name, way, role, taken }
    });
    let results = Results {
        setting,
        rows: rows.collect(),
        nothing_ms: measure::start_of_nothing(&programs.do_nothing, 51)?,
        copy_and_scan_us: [measure::copy_and_scan(measure::LARGE)?, measure::copy_and_scan(measure::HUGE)?],
        idle,
        absent,
    };
    let mut stdout = std::io::stdout();
    if arguments.json {
        writeln!(stdout, "{}", tables::json(&results))?;
    } else {
        write!(stdout, "{}", tables::markdown(&results))?;
    }
    Ok(())
}

fn idle(programs: &Programs, stage: &Stage) -> Option<thirty_guards::Idle> {
    say("the resident alone, and beside thirty idle guards");
    let idle = thirty_guards::idle(programs, stage);
    idle.inspect_err(|error| say(&format!("  {error:#}"))).ok()
}

/// Everybody who takes part, and the peers who cannot.
fn contestants(
    arguments: &Arguments,
    programs: &Programs,
    stage: &Stage,
) -> Result<(Vec<Contestant>, Vec<Absent>)> {
    let (mut all, mut absent) = (contestants::ours(programs, stage)?, Vec::new());
    for peer in peers::ALL.iter().filter(|_| !arguments.no_peers) {
        if !arguments.wants_peer(peer.name) {
            continue;
        }
        say(&format!("{}: installed, or now to be (once; the Rust ones take minutes)", peer.name));
        match peer.contestants(&programs.echo_server, stage) {
            Ok(contestants) => all.extend(contestants),
            Err(why) => {
                absent.push(Absent { name: peer.name.to_owned(), why: reason(&format!("{why:#}")) });
            }
        }
    }
    absent.extend(peers::not_measured());
    all.sort_by_key(|one| one.way);
    let is_baseline = |one: &Contestant| matches!(one.role, Role::Direct | Role::Floor);
    let wanted = |one: &&Contestant| !is_baseline(one) && arguments.wants(one);
    let ways: Vec<Way> = all.iter().filter(wanted).map(|one| one.way).collect();
    all.retain(|one| arguments.wants(one) || (is_baseline(one) && ways.contains(&one.way)));
    Ok((all, absent))
}

fn rounds_of(
    bench: &Bench<'_>,
    contestants: &[Contestant],
    rounds: usize,
    stage: &Stage,
    seed: u64,
) -> Vec<Taken> {
    say(&format!("{rounds} rounds of {} contestants, --seed {seed}", contestants.len()));
    let mut dice = Dice::new(seed);
    let mut taken: Vec<Taken> = contestants.iter().map(|_| Taken::default()).collect();
    for round in 1..=rounds {
        for index in dice.order(contestants.len()) {
            let (Some(contestant), Some(taken)) = (contestants.get(index), taken.get_mut(index)) else {
                continue;
            };
            let began = Instant::now();
            // Whoever failed once is not waited for again; a round without figures keeps the others in step.
            let mut sample = figures::Sample::new();
            if taken.trouble.is_none()
                && let Err(error) = bench.measure(contestant, &mut sample)
            {
                say(&format!("  {}: {error:#}", contestant.name));
                taken.trouble = Some(last_line(&format!("{error:#}")));
            }
            taken.rounds.push(sample);
            if !stage.settle() {
                say("  the record is not upstream yet; going on");
            }
            let (way, name, took) = (contestant.way.name(), &contestant.name, began.elapsed().as_secs_f64());
            say(&format!("  round {round}: {way} {name}: {took:.1} s"));
        }
    }
    taken
}

impl Arguments {
    fn wants(&self, one: &Contestant) -> bool {
        let full = format!("{} {}", one.way.name(), one.name);
        self.only.is_empty() || self.only.iter().any(|part| full.contains(part))
    }

    fn wants_peer(&self, name: &str) -> bool {
        let ways = Way::ALL.map(Way::name);
        self.only.is_empty()
            || self.only.iter().any(|part| name.contains(part) || ways.iter().any(|way| way.contains(part)))
    }
}

/// The line in which a registry's client says what went wrong: its first error, where it names one.
fn reason(text: &str) -> String {
    let error = text.lines().find(|line| line.trim_start().to_lowercase().starts_with("error"));
    error.map_or_else(|| last_line(text), |line| line.trim().to_owned())
}

fn from_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

fn last_line(text: &str) -> String {
    text.trim().lines().last().unwrap_or_default().to_owned()
}

/// Progress, beside the tables.
fn say(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_peer_that_cannot_be_installed_says_why_and_not_what_came_after() {
        let cargo = "Compiling x\nerror: could not find `x` in registry\nTo reuse those artifacts, set Y.\n";
        assert_eq!(reason(cargo), "error: could not find `x` in registry");
        assert_eq!(
            reason("pip ended with 1:\nERROR: No matching distribution\n"),
            "ERROR: No matching distribution"
        );
        assert_eq!(reason("python3 is not on the path"), "python3 is not on the path");
    }
}
