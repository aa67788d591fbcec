//! `portreeve explain`.

use crate::cli::ExplainArgs;
use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_args: ExplainArgs, _layout: Layout, out: Out) -> Exit {
    out.problem("explain is not built yet");
    Exit::Failed
}
