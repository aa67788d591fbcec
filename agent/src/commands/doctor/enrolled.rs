//! Profile, enrolment, certificate, clock, server and policy: what comes from the organisation.

use super::Check;
use crate::ago::{ago, span, stamp};
use crate::enrolment::{Enrolment, EnrolmentError, ProfileError, Validity, read_profile};
use crate::resident::AccessEnded;
use crate::sync::{Adopted, recall};
use contract::bundle::Anchor;
use platform::Layout;
use platform::managed::ManagedError;
use time::{Duration, OffsetDateTime};

const AGAIN: &str = "portreeve enroll --again";
const START: &str = "portreeve run (it fetches one as soon as it reaches the policy server)";
const WAIT: &str = "the resident fetches one as soon as the policy server gives it one that it accepts; where that \
    lasts, tell your IT department what this says";
/// A clock that differs more breaks certificates and expiry dates sooner or later.
const SKEW: Duration = Duration::minutes(2);
/// Signatures are renewed long before; less than this means that nothing fresh arrives.
const STALE: Duration = Duration::hours(24);

pub(super) async fn checks(layout: &Layout, resident_runs: bool) -> Vec<Check> {
    let now = OffsetDateTime::now_utc();
    let enrolment = Enrolment::load(layout);
    let enrolled = matches!(enrolment, Ok(Some(_)));
    let mut checks = vec![profile(layout, enrolled), enrolment_check(&enrolment)];
    if let Ok(Some(enrolment)) = enrolment {
        checks.push(certificate(enrolment.certificate, now));
        checks.extend(server(&enrolment, now).await);
        let fetch = if resident_runs { WAIT } else { START };
        checks.extend(policy(layout, &enrolment, now, fetch).await);
    }
    checks
}

fn profile(layout: &Layout, enrolled: bool) -> Check {
    const NAME: &str = "managed profile";
    match read_profile(layout) {
        Ok(profile) => Check::well(NAME, format!("of {}, for {}", profile.organisation, profile.server)),
        Err(ProfileError::Absent { looked }) if enrolled => {
            Check::skipped(NAME, format!("none at {}; it is needed to enrol only", looked.display()))
        }
        Err(error @ ProfileError::Absent { .. }) => Check::failed(
            NAME,
            error.to_string(),
            "ask your IT department to assign this machine the profile",
        ),
        Err(error @ ProfileError::Unreadable(ManagedError::File(_))) => Check::failed(
            NAME,
            error.to_string(),
            "give the file to the administrator alone (owner root, mode 0600: the token in it is a secret)",
        ),
        Err(error) => {
            Check::failed(NAME, error.to_string(), "tell your IT department what is wrong in the profile")
        }
    }
}

fn enrolment_check(enrolment: &Result<Option<Enrolment>, EnrolmentError>) -> Check {
    const NAME: &str = "enrolment";
    match enrolment {
        Ok(Some(enrolment)) => {
            let identity = &enrolment.identity;
            Check::well(
                NAME,
                format!("as {}, device {} of {}", identity.member, identity.device_id, identity.organisation),
            )
        }
        Ok(None) => Check::failed(NAME, "this machine is not enrolled", "portreeve enroll"),
        // The device key is the administrator's in a system-wide installation.
        Err(EnrolmentError::File(error)) if error.to_string().contains("Permission denied") => {
            Check::skipped(NAME, format!("not this user's to read: {error}"))
        }
        Err(error) => Check::failed(NAME, error.to_string(), AGAIN),
    }
}

fn certificate(validity: Validity, now: OffsetDateTime) -> Check {
    const NAME: &str = "certificate";
    if now < validity.from {
        let detail = format!("it begins to hold in {}; is the clock slow?", span(validity.from - now));
        return Check::failed(NAME, detail, "set this machine's clock");
    }
    if now >= validity.until {
        return Check::failed(NAME, format!("it ran out {}", ago(validity.until, now)), AGAIN);
    }
    if now >= validity.renew_at() + (validity.until - validity.renew_at()) / 2 {
        let detail = format!("it runs out in {} and was not renewed", span(validity.until - now));
        return Check::failed(NAME, detail, "portreeve run (it renews the certificate), and look at its log");
    }
    Check::well(NAME, format!("good until {}", stamp(validity.until)))
}

/// The server, and the clock by the server's.
async fn server(enrolment: &Enrolment, now: OffsetDateTime) -> Vec<Check> {
    const NAME: &str = "policy server";
    let upstream = match enrolment.upstream() {
        Ok(upstream) => upstream,
        Err(error) => return vec![Check::failed(NAME, error.to_string(), AGAIN)],
    };
    let address = enrolment.identity.server.as_str().trim_end_matches('/');
    match upstream.probe().await {
        Ok(date) => {
            let reached = Check::well(NAME, format!("{address} answers, and knows this device"));
            std::iter::once(reached).chain(date.map(|date| clock(date, now))).collect()
        }
        Err(error) if error.code().is_some() => {
            vec![Check::failed(NAME, format!("{address} refuses this device: {error}"), AGAIN)]
        }
        Err(error) => vec![Check::failed(
            NAME,
            error.to_string(),
            "check this machine's network; calls are judged by the last policy meanwhile",
        )],
    }
}

fn clock(theirs: OffsetDateTime, ours: OffsetDateTime) -> Check {
    const NAME: &str = "clock";
    let apart = (theirs - ours).abs();
    if apart <= SKEW {
        return Check::well(NAME, "agrees with the policy server's");
    }
    let side = if ours < theirs { "behind" } else { "ahead of" };
    Check::failed(NAME, format!("{} {side} the policy server's", span(apart)), "set this machine's clock")
}

async fn policy(
    layout: &Layout,
    enrolment: &Enrolment,
    now: OffsetDateTime,
    fetch: &'static str,
) -> Vec<Check> {
    const NAME: &str = "policy";
    let anchor =
        Anchor { organisation: enrolment.identity.organisation.clone(), root: enrolment.trust_root.clone() };
    match recall(layout, &anchor).await {
        Ok(Some(adopted)) => {
            let ended = AccessEnded::of(&enrolment.identity, &adopted);
            std::iter::once(in_force(&adopted, now, fetch)).chain(ended.as_ref().map(access)).collect()
        }
        Ok(None) => {
            vec![Check::failed(NAME, "none has reached this machine yet: every call is refused", fetch)]
        }
        Err(refusal) => {
            vec![Check::failed(NAME, format!("the one on disk is not accepted: {refusal}"), fetch)]
        }
    }
}

fn in_force(adopted: &Adopted, now: OffsetDateTime, fetch: &'static str) -> Check {
    const NAME: &str = "policy";
    let (version, left) = (adopted.version, adopted.expires - now);
    if left > STALE {
        return Check::well(NAME, format!("version {version}, verified, good for another {}", span(left)));
    }
    let detail = format!("version {version} runs out in {}: nothing fresh has come", span(left));
    Check::failed(NAME, detail, fetch)
}

fn access(ended: &AccessEnded) -> Check {
    let detail =
        format!("the access of {} was ended by your organisation: every call is refused", ended.whose);
    Check::failed("access", detail, format!("ask {}", ended.whom()))
}

#[cfg(test)]
mod tests {
    use super::super::Standing;
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_certificate_is_told_by_its_dates() {
        let from = datetime!(2026-11-01 0:00 UTC);
        let validity = Validity { from, until: from + Duration::days(30) };
        for (day, standing, said) in [
            (-1, Standing::Failed, "is the clock slow?"),
            (1, Standing::Well, "good until"),
            (21, Standing::Well, "good until"),
            (26, Standing::Failed, "was not renewed"),
            (30, Standing::Failed, "it ran out"),
        ] {
            let check = certificate(validity, from + Duration::days(day));
            assert_eq!(check.standing, standing, "day {day}");
            assert!(check.detail.contains(said), "day {day}: {}", check.detail);
        }
    }

    #[test]
    fn access_that_has_ended_is_a_failure_with_whom_to_ask() {
        let ended = |contact: Option<&str>| {
            access(&AccessEnded { whose: "alice".to_owned(), contact: contact.map(str::to_owned) })
        };
        let check = ended(Some("it@acme.example"));
        assert_eq!(
            (check.standing, check.remedy.as_deref()),
            (Standing::Failed, Some("ask it@acme.example"))
        );
        assert_eq!(ended(None).remedy.as_deref(), Some("ask your IT department"));
    }

    #[test]
    fn a_wrong_clock_is_said_with_its_side() {
        let server = datetime!(2026-11-20 12:00 UTC);
        assert_eq!(clock(server, server + Duration::seconds(90)).standing, Standing::Well);
        let slow = clock(server, server - Duration::hours(5));
        assert!(slow.detail.starts_with("5 h behind"), "{}", slow.detail);
        let fast = clock(server, server + Duration::days(3));
        assert!(fast.detail.starts_with("3 days ahead of"), "{}", fast.detail);
    }
}
