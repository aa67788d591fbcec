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
        "spool-lost" => format!("the audit log of {device} was taken away"),
        "spool-tampered" => format!("records were altered on {device} before they were sent"),
        "record-chain-broken" => format!("the record of {device} does not join up"),
        "record-misattributed" => format!("{device} sent records in another's name"),
        "second-device" => format!("{device} is another device of its member"),
        "suspended-member-enrolled-try" => format!("{subject} tried to enrol after access had ended"),
        "revoked-device-enrolled-again" => format!("{device} was revoked and has enrolled again"),
        "webhook-failing" => "A webhook takes no alerts".to_owned(),
        "record-gap" => format!("records of a run on {device} are missing"),
        "record-store-altered" => format!("stored records of {device} were changed or removed"),
        "record-log-begun-anew" => format!("{device} began a new log"),
        "definition-changed" => format!("{subject} changed on {device}"),
        "definition-poisoned" => format!("{subject} on {device} looks poisoned"),
        "tool-shadowed" => format!("{subject} on {device} gets in another tool's way"),
        "door-tried" => format!("somebody tried the HTTP door of {device}"),
        "findings-flooded" => format!("{device} reports more than anybody can read"),
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
        "spool-lost" => {
            "The file of the device's audit log was gone when its resident started. What had not reached this server is lost; what came before is here. Ask who removed it. The device tells of it for 30 days."
        }
        "spool-tampered" => {
            "Records in the device's own log no longer match their links: somebody changed them on its disk, or the disk is failing. They were set aside there and not sent; the rest goes on in a new log. Keep the machine for whoever investigates."
        }
        "record-chain-broken" => {
            "A batch of records does not follow from the one before it: something was lost, changed or replayed on the device."
        }
        "record-misattributed" => {
            "The records name another device or member than the certificate they came under."
        }
        "second-device" => {
            "A member who has a live device has enrolled another one. New hardware is the usual reason; a token in the wrong hands is the other. Ask the member, and revoke the device if it is not theirs."
        }
        "suspended-member-enrolled-try" => {
            "Somebody whose access was ended still has a usable enrolment token, and tried it. It was refused. Withdraw the token if nobody else needs it."
        }
        "revoked-device-enrolled-again" => {
            "A machine that an admin revoked came back under the same host name and member, by a token that still worked. If nobody meant that, revoke it again and withdraw the token."
        }
        "webhook-failing" => {
            "Several attempts in a row failed. Alerts for it wait, at most 500 and at most 7 days; what is older is given up. The console has them all. It resolves by itself when the webhook takes one again."
        }
        "record-gap" => {
            "A guard numbers its records from 1 in each run, and some numbers never came: they were lost or removed on the device before they were sent. Ask what happened on that machine; if the missing records still come, this resolves itself."
        }
        "record-store-altered" => {
            "What is in this server's database is not what the devices sent: a record does not match its link, or is no longer there. Somebody with access to the server's disk changed it, or the disk is failing. “portreeve-server records verify” lists every place; compare with an export or a backup taken before."
        }
        "record-log-begun-anew" => {
            "A device has one log for as long as it is enrolled. A new one begins where the old one was removed, damaged or set back, or where this server was restored from a backup. Ask what happened there; what reached this server before is here."
        }
        "definition-changed" => {
            "A server says of a tool, prompt or of itself something else than when it was first used on that device, or than the policy approves. Read it: where it is well, put its fingerprint into the policy; where the policy names none of that server, somebody on the device may approve it (“portreeve pins approve”)."
        }
        "definition-poisoned" => {
            "What a server says of its tool holds signs of an attempt to steer the model: orders to disregard or conceal, credentials to be read, text that does not show. Read it before anybody uses that server. The signs are few and simple; they can be wrong."
        }
        "tool-shadowed" => {
            "A tool has the name of another server's tool on that device, or its description tells the model about one. Two servers of one kind are the usual reason; a server that wants calls meant for another is the bad one."
        }
        "door-tried" => {
            "At the device's HTTP door somebody asked for what is not theirs: a web page of another origin or under a made-up name (DNS rebinding), a credential that is nobody's, another client's session. It was refused, and nothing was started. A client whose credential was revoked and that still shows it is the everyday reason; otherwise look at what the member had open in the browser, and who else is on that machine."
        }
        "findings-flooded" => {
            "The device reports findings of so many kinds, or so often, that they are not told one by one. Somebody may be hiding one alert among many: look at the device itself."
        }
        _ => "This version of the server has no more to say about this code.",
    }
}
