//! `portreeve enroll`: from the managed profile to a device of the organisation.

use crate::cli::EnrollArgs;
use crate::commands::{block_on, look_again};
use crate::enrolment::{EnrolError, Identity, enrol, read_identity};
use crate::out::{Exit, Out};
use platform::Layout;
use serde_json::json;

pub fn run(args: &EnrollArgs, layout: &Layout, out: Out) -> Exit {
    if !args.again {
        match read_identity(layout) {
            Ok(Some(identity)) => {
                said(out, &identity, true);
                return Exit::Done;
            }
            Ok(None) => {}
            Err(error) => {
                out.problem(&error);
                return Exit::Failed;
            }
        }
    }
    let enrolled = block_on(async {
        let identity = enrol(layout).await?;
        look_again(layout).await;
        Ok::<_, EnrolError>(identity)
    });
    match enrolled {
        Ok(Ok(identity)) => {
            said(out, &identity, false);
            Exit::Done
        }
        Ok(Err(error)) => {
            out.problem(&error);
            if matches!(error, EnrolError::Profile(_)) { Exit::Usage } else { Exit::Failed }
        }
        Err(error) => {
            out.problem(&error);
            Exit::Failed
        }
    }
}

fn said(out: Out, identity: &Identity, already: bool) {
    let Identity { device_id, member, organisation, server, .. } = identity;
    let word = if already { "already enrolled" } else { "enrolled" };
    out.say(format_args!("{word} as {member}, device {device_id} of {organisation} ({server})"));
    if already {
        out.say("`portreeve enroll --again` makes a new key and a new device of this machine");
    }
    out.value(&json!({ "already": already, "identity": identity }));
}
