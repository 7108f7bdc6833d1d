//! `aiplatform`: arguments and exit codes, nothing else.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    aiplatform::cli::execute(aiplatform::cli::Cli::parse())
}
