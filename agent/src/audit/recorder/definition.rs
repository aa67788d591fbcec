//! A sighting of a definition, as the record has it.

use contract::record::{Definition, DefinitionChange, DefinitionFlag, Disapproval, Happened, Part, What};
use gate::definitions::{self, Sighting};

/// The longest name the record keeps whole.
const NAME_BYTES: usize = 1024;

pub fn what(sighting: Sighting, policy_version: u64) -> What {
    let Sighting {
        subject,
        happened,
        digest,
        was,
        held,
        let_through,
        approved,
        flags,
        changes,
        definition,
        disapproval,
    } = sighting;
    let mut name = subject.name;
    name.truncate(name.floor_char_boundary(NAME_BYTES));
    let is_tool = subject.part == definitions::Part::Tool;
    let flag = |flag: definitions::Flag| DefinitionFlag {
        sign: flag.sign.code().to_owned(),
        member: flag.member,
        excerpt: flag.excerpt,
    };
    let change = |definitions::Change { member, was, is }| DefinitionChange { member, was, is };
    What::Definition(Box::new(Definition {
        part: part(subject.part),
        tool: is_tool.then(|| name.clone()),
        name: if is_tool { String::new() } else { name },
        event: event(happened),
        digest: digest.to_string(),
        was: was.map(|was| was.to_string()),
        held,
        let_through,
        approved,
        disapproval: disapproval.map(against_policy),
        flags: flags.into_iter().map(flag).collect(),
        changes: changes.into_iter().map(change).collect(),
        definition,
        policy_version,
    }))
}

fn part(part: definitions::Part) -> Part {
    match part {
        definitions::Part::Tool => Part::Tool,
        definitions::Part::Prompt => Part::Prompt,
        definitions::Part::ResourceTemplate => Part::ResourceTemplate,
        definitions::Part::Instructions => Part::Instructions,
    }
}

fn event(happened: definitions::Happened) -> Happened {
    match happened {
        definitions::Happened::New => Happened::New,
        definitions::Happened::Changed => Happened::Changed,
        definitions::Happened::Restored => Happened::Restored,
        definitions::Happened::Disapproved => Happened::Disapproved,
    }
}

fn against_policy(disapproval: definitions::Disapproval) -> Disapproval {
    match disapproval {
        definitions::Disapproval::Unlisted => Disapproval::Unlisted,
        definitions::Disapproval::OtherFingerprint => Disapproval::OtherFingerprint,
    }
}
