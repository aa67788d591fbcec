//! libFuzzer around one border, which `PORTREEVE_FUZZ_TARGET` names. Built instrumented by `fuzz-borders`.
#![no_main]

use std::sync::LazyLock;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PORTREEVE_FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).expect("PORTREEVE_FUZZ_TARGET names a border").run
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUN(data));
