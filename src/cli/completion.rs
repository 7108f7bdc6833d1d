//! `aiplatform completion`: a script that completes arguments.

use clap::{Args, CommandFactory, ValueEnum};

use super::{Cli, Error, SUCCESS, output};

/// Arguments of `completion`.
#[derive(Args, Debug, Clone)]
pub(super) struct CompletionArguments {
    /// The shell that reads the script
    shell: Shell,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn completion(arguments: &CompletionArguments) -> Result<u8, Error> {
    let shell = match arguments.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aiplatform", &mut script);
    output::print(String::from_utf8_lossy(&script))?;
    Ok(SUCCESS)
}
