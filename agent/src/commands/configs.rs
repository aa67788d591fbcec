//! `portreeve configs`: see, apply and undo what is written into Claude's configurations.

use crate::cli::ConfigsArgs;
use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_args: ConfigsArgs, _layout: Layout, out: Out) -> Exit {
    out.problem("configs is not built yet");
    Exit::Failed
}
