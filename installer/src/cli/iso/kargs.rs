//! `iso kargs modify|show|reset`: the live system's kernel arguments.

use anyhow::Result;
use clap::{Args, Subcommand};
use embed::kargs::Edit;

use super::super::files;
use super::{EditArgs, ShowArgs};

/// Subcommands of `iso kargs`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KargsCommand {
    /// Add, remove and replace kernel arguments
    #[command(after_help = "Examples:\n  \
        coreos-installer iso kargs modify -a nosmt live.iso\n  \
        coreos-installer iso kargs modify -d quiet -r console=tty0=ttyS0 live.iso")]
    Modify(ModifyArgs),
    /// Print the kernel arguments
    Show(ShowKargsArgs),
    /// Restore the kernel arguments of the pristine image
    Reset(EditArgs),
}

/// Options of `iso kargs modify`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ModifyArgs {
    /// Add a kernel argument [repeatable]
    #[arg(short, long, value_name = "KARG")]
    append: Vec<String>,
    /// Remove a kernel argument [repeatable]
    #[arg(short, long, value_name = "KARG")]
    delete: Vec<String>,
    /// Change the value of a kernel argument [repeatable]
    #[arg(short, long, value_name = "KARG=OLD=NEW")]
    replace: Vec<String>,
    #[command(flatten)]
    edit: EditArgs,
}

/// Options of `iso kargs show`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ShowKargsArgs {
    /// Those of the pristine image
    #[arg(short, long)]
    default: bool,
    #[command(flatten)]
    show: ShowArgs,
}

impl KargsCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Modify(args) => modify(args),
            Self::Show(args) => show(&args),
            Self::Reset(args) => reset(args),
        }
    }
}

fn modify(args: ModifyArgs) -> Result<()> {
    let iso = args.edit.open()?;
    let edit = Edit {
        delete: args.delete,
        append: args.append,
        replace: args.replace,
        ..Edit::default()
    };
    let regions = iso.set_kargs(&edit.apply(&iso.kargs()?)?)?;
    args.edit.save(iso, &regions)
}

fn show(args: &ShowKargsArgs) -> Result<()> {
    let iso = args.show.open()?;
    let kargs = if args.default {
        iso.default_kargs()?
    } else {
        iso.kargs()?
    };
    files::report(format!("{kargs}\n").as_bytes())
}

fn reset(args: EditArgs) -> Result<()> {
    let iso = args.open()?;
    let regions = iso.reset_kargs()?;
    args.save(iso, &regions)
}
