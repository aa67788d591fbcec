//! `portreeve unenroll`.

use crate::cli::UnenrollArgs;
use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_args: UnenrollArgs, _layout: Layout, out: Out) -> Exit {
    out.problem("unenroll is not built yet");
    Exit::Failed
}
