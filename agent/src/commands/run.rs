//! `portreeve run`.

use crate::cli::RunArgs;
use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_args: RunArgs, _layout: Layout, out: Out) -> Exit {
    out.problem("run is not built yet");
    Exit::Failed
}
