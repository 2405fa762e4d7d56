//! `pxe-server token`: makes tokens for operators and takes them back. A running server knows of it
//! at once.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::token::{Role, Tokens};

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it; it is never shown again
    New {
        /// Who gets it
        #[arg(long)]
        name: String,
        /// What it allows: viewer, operator or admin
        #[arg(long)]
        role: Role,
        /// State directory of the server
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// List tokens, without their secrets
    List {
        /// State directory of the server
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Take a token back
    Revoke {
        /// Who has it
        #[arg(long)]
        name: String,
        /// State directory of the server
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
}

pub(super) fn run(args: TokenArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match args.command {
        TokenCommand::New { name, role, state } => {
            let token = Tokens::load(&state)?.add(&name, role)?;
            writeln!(out, "{token}")?;
        }
        TokenCommand::List { state } => {
            for known in Tokens::load(&state)?.known() {
                writeln!(out, "{:<9} {}", known.role.name(), known.name)?;
            }
        }
        TokenCommand::Revoke { name, state } => {
            if !Tokens::load(&state)?.revoke(&name)? {
                bail!("there is no token called `{name}`");
            }
            writeln!(out, "{name} is not let in any more")?;
        }
    }
    Ok(())
}
