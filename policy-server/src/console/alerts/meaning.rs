//! What an alert's code means, in words for the person who has to act.

/// A few words with the place in them.
pub fn title(code: &str, subject: &str, device: &str) -> String {
    match code {
        "device-dark" => format!("{device} has gone dark"),
        "device-unenrolled" => format!("{device} took itself out of the fleet"),
        "entry-unwrapped" => format!("{subject} was put back by hand on {device}"),
        "entry-direct" => format!("{subject} on {device} does not go through the guard"),
        "entry-steered" => format!("{subject} on {device} may not run what it says"),
        "config-malformed" => format!("{subject} on {device} cannot be read"),
        "config-unwritable" => format!("{subject} on {device} cannot be written"),
        "policy-refused" => format!("{device} refused a policy bundle"),
        "spool-failing" => format!("{device} cannot keep its audit spool"),
        "record-chain-broken" => format!("the record of {device} does not join up"),
        "record-misattributed" => format!("{device} sent records in another's name"),
        _ => format!("{code}: {subject}"),
    }
}

pub fn meaning(code: &str) -> &'static str {
    match code {
        "device-dark" => {
            "Nothing was heard of the device for longer than it may be silent: it is off or offline, or its resident was stopped. Its guards go on judging calls by the last policy."
        }
        "device-unenrolled" => {
            "Somebody ran “portreeve unenroll” there. Its calls are no longer governed or recorded."
        }
        "entry-unwrapped" => {
            "An entry that went through the guard runs its server directly again. Where policy says heal, the agent puts it back itself."
        }
        "entry-direct" => {
            "A new entry runs a server directly. Where policy says heal, the agent puts it behind the guard itself."
        }
        "entry-steered" => {
            "Its environment sets a variable that decides what is really run: another registry, an option of the interpreter, a library loaded first, a path searched first. Policy judges by the command line and cannot see that. Ask whose idea it was, or take the variable out."
        }
        "config-malformed" => {
            "The file is not valid, so the agent leaves it alone. The client usually does as well, until somebody mends it."
        }
        "config-unwritable" => {
            "The agent may not write there: a read-only home, or rights that were changed."
        }
        "policy-refused" => {
            "What the device was given did not verify: expired, rolled back, forged, or of another organisation. It keeps judging by the last good policy."
        }
        "spool-failing" => {
            "The disk under the spool is full or failing. What policy says for that case holds for its calls."
        }
        "record-chain-broken" => {
            "A batch of records does not follow from the one before it: something was lost, changed or replayed on the device."
        }
        "record-misattributed" => {
            "The records name another device or member than the certificate they came under."
        }
        _ => "This version of the server has no more to say about this code.",
    }
}
