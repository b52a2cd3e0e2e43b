//! The program `pointsman`: chooses the cryptographic library, then hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only when one was chosen before, which is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    coordinator::cli::run(std::env::args_os())
}
