//! `portreeve wrap`: the guard.

use crate::cli::WrapArgs;
use platform::Layout;
use std::process::ExitCode;

pub fn run(_args: WrapArgs, _layout: Layout) -> ExitCode {
    ExitCode::FAILURE
}
