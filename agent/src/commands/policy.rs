//! `portreeve policy adopt`: a signed bundle from a file, for a machine that its policy server is out of
//! reach of.
//!
//! The file is believed no more than an answer from the net: the same steps verify it.

use crate::cli::Policy;
use crate::commands::block_on;
use crate::enrolment::{Enrolment, EnrolmentError};
use crate::ipc::client::{AskError, ask};
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out};
use crate::sync::{Intake, PolicyState};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::bundle::{Anchor, MAX_BUNDLE_BYTES};
use contract::report::PolicyRefused;
use platform::Layout;
use platform::ipc::{IpcError, Listener};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
enum AdoptError {
    #[error("this machine is not enrolled, so it has nothing to verify policy by; run `portreeve enroll`")]
    NotEnrolled,
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the policy was refused ({}): {}; what was in force stays in force", .0.code, .0.detail)]
    Refused(PolicyRefused),
    #[error(transparent)]
    Resident(#[from] AskError),
    #[error("the resident is of another version; start it again")]
    OtherVersion,
    #[error(transparent)]
    Place(#[from] IpcError),
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error("the system gives no more: {0}")]
    System(#[from] io::Error),
}

pub fn run(policy: &Policy, layout: &Layout, out: Out) -> Exit {
    let Policy::Adopt { file } = policy;
    match block_on(adopt(file, layout)).map_err(AdoptError::from).and_then(|adopted| adopted) {
        Ok(version) => {
            out.say(format_args!("policy version {version} adopted"));
            out.value(&json!({"adopted": version}));
            Exit::Done
        }
        Err(error) => {
            match &error {
                AdoptError::Refused(refused) => out.problem_as(&error, &json!({"refused": refused})),
                _ => out.problem(&error),
            }
            if matches!(error, AdoptError::NotEnrolled) { Exit::NotEnrolled } else { Exit::Failed }
        }
    }
}

async fn adopt(file: &Path, layout: &Layout) -> Result<u64, AdoptError> {
    let bytes = read(file).map_err(|source| AdoptError::File { path: file.to_owned(), source })?;
    match ask(layout, &ToResident::Adopt { bundle: BASE64.encode(&bytes) }).await {
        Ok(FromResident::Adopted { version }) => Ok(version),
        Ok(FromResident::PolicyRefused { refused }) => Err(AdoptError::Refused(refused)),
        Ok(_) => Err(AdoptError::OtherVersion),
        Err(error) if error.is_absent() => adopt_on_disk(&bytes, layout).await,
        Err(error) => Err(error.into()),
    }
}

/// One byte more than is taken, at most: that it is too large is for verification to say.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_BUNDLE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// In the resident's place, so that none starts in the middle.
async fn adopt_on_disk(bytes: &[u8], layout: &Layout) -> Result<u64, AdoptError> {
    let enrolment = Enrolment::load(layout)?.ok_or(AdoptError::NotEnrolled)?;
    let _place = Listener::bind(layout)?;
    let anchor = Anchor { organisation: enrolment.identity.organisation, root: enrolment.trust_root };
    let unwatched = watch::Sender::new(PolicyState::default());
    Intake::new(layout.clone(), anchor, unwatched).take(bytes).await.map_err(AdoptError::Refused)
}
