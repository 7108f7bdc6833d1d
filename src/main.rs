//! `aiplatform`: nothing but an entry.

use std::process::ExitCode;

fn main() -> ExitCode {
    aiplatform::cli::main()
}
