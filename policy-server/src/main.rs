//! `portreeve-server`: see [`policy_server`].

use std::process::ExitCode;

fn main() -> ExitCode {
    policy_server::cli::main()
}
