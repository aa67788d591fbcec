//! `portreeve enroll`.

use crate::cli::EnrollArgs;
use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_args: EnrollArgs, _layout: Layout, out: Out) -> Exit {
    out.problem("enroll is not built yet");
    Exit::Failed
}
