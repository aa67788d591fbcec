//! What differs between macOS, Windows and Linux, behind one set of signatures: the only crate with
//! an OS `cfg` and the only one with `unsafe`. Formats are pure and tested everywhere; the touch of
//! the OS is small and without logic.

pub mod account;
pub mod files;
pub mod ipc;
pub mod layout;
pub mod managed;
pub mod memory;
pub mod priority;
pub mod process;
pub mod programs;
#[cfg(windows)]
mod registry;
pub mod shutdown;
pub mod stdio;
#[cfg(windows)]
mod windows_user;

pub use layout::Layout;
