//! `portreeve run`: the resident in the foreground, as service managers like it.

use crate::cli::RunArgs;
use crate::enrolment::{EnrolError, enrol, read_identity};
use crate::out::{Exit, Out};
use crate::resident::{self, ResidentError, Rest};
use platform::Layout;

pub fn run(args: &RunArgs, layout: &Layout, out: Out) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(args, layout.clone())),
        Err(error) => Err(ResidentError::System(error).into()),
    };
    match ended {
        Ok(Rest::Asked) => Exit::Done,
        Ok(Rest::Unenrolled) => {
            out.say("this machine is no device of an organisation any more; the resident ends");
            Exit::Done
        }
        Err(error) => {
            out.problem(&error);
            error.exit()
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Resident(#[from] ResidentError),
}

impl RunError {
    fn exit(&self) -> Exit {
        match self {
            Self::Enrol(EnrolError::Profile(_)) | Self::Resident(ResidentError::NotEnrolled) => {
                Exit::NotEnrolled
            }
            _ => Exit::Failed,
        }
    }
}

async fn serve(args: &RunArgs, layout: Layout) -> Result<Rest, RunError> {
    if args.enroll && read_identity(&layout).map_err(ResidentError::from)?.is_none() {
        let identity = enrol(&layout).await?;
        tracing::info!(device = %identity.device_id, member = %identity.member, "enrolled");
    }
    Ok(resident::run(layout).await?)
}
