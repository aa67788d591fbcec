//! A trial: no organisation and no resident, which is no fault there, and guards under local policy files.

use super::Check;
use crate::commands::trials::{Configured, Judged};

const NAME: &str = "trial guard";

/// In the place of what an organisation and its resident would be looked at for.
pub(super) fn checks(trials: &[Judged]) -> Vec<Check> {
    let none =
        "none: this is a trial, under local policy files (`portreeve enroll` makes it an organisation's)";
    let mut checks = vec![Check::skipped("organisation", none)];
    let running: Vec<_> = trials.iter().filter(|judged| judged.trial.pid.is_some()).collect();
    if running.is_empty() {
        checks.push(Check::skipped(
            NAME,
            format!("none runs now; {} ran, see `portreeve status`", trials.len()),
        ));
    }
    checks.extend(running.into_iter().map(guard));
    checks.push(Check::skipped("resident", "none; a trial needs none"));
    checks
}

fn guard(judged: &Judged) -> Check {
    let (name, trial) = (judged.trial.name(), &judged.trial);
    if let Some(trouble) = &judged.law.trouble {
        return Check::failed(
            NAME,
            format!(
                "{name} goes by what its policy file said when it started; now that cannot be used: {trouble}"
            ),
            "mend the file before the guard is started again",
        );
    }
    if let Some(unknown) = judged.unknown() {
        let file = trial.policy_file.as_deref().unwrap_or("the policy file");
        let remedy = format!("write it into {file}, and reconnect the server");
        return Check::failed(NAME, format!("{name}: {unknown}"), remedy);
    }
    Check::well(NAME, format!("{name} runs under {}: {}", judged.under(), trial.counts()))
}

/// Nothing is rewritten in a trial: what goes around the guard is a fact, and no fault.
pub(super) fn configurations(configured: &[Configured]) -> Check {
    let guarded = configured.iter().filter(|it| it.guarded).count();
    Check::skipped(
        "configuration",
        format!(
            "{guarded} of {} servers have a guard in front, put there by hand; an organisation's are put there by \
             `portreeve configs apply`",
            configured.len()
        ),
    )
}
