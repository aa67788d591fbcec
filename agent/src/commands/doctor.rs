//! `portreeve doctor`.

use crate::out::{Exit, Out};
use platform::Layout;

pub fn run(_layout: Layout, out: Out) -> Exit {
    out.problem("doctor is not built yet");
    Exit::Failed
}
