//! The `coreos-installer` command: a file a subcommand. Only here and in [`crate::ui`] is anything
//! printed, and only here does a library's error become an exit code.
//!
//! Options, semantics and error phrases are those of upstream's coreos-installer, which scripts in
//! the field rely on.

mod access;
mod afterwards;
mod butane;
mod config;
mod customize;
mod dev;
mod disks;
mod download;
mod dry_run;
mod embedding;
mod files;
mod ignition;
mod inspect;
mod install;
mod iso;
mod keyfiles;
mod keys;
mod list_stream;
mod media;
mod pack;
mod pxe;
mod schema;
mod verify;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use access::{AccessArgs, KeyringArgs};
pub use media::MediaError;

pub use crate::ui::cancel_on_signals;
pub use crate::ui::progress::Watcher;

use crate::plan::Options;
use crate::ui;
use crate::verify::{Keyring, SignaturePolicy};

/// Install CoreOS-style systems, and prepare the media that install them
#[derive(Debug, Parser)]
#[command(name = "coreos-installer", version, max_term_width = 80)]
#[command(args_override_self = true, disable_help_subcommand = true)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage.\n\n\
    Examples:\n  \
    coreos-installer install --ignition-file machine.ign /dev/sda\n  \
    coreos-installer iso ignition embed -i live.ign live.iso\n  \
    coreos-installer list-stream --stream stable")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install an operating system image to a disk
    ///
    /// The image is verified by its signature before the disk becomes bootable: whenever an
    /// install is cut short, the disk does not boot and kept partitions are intact. Everything
    /// else on the disk is lost.
    #[command(after_help = install::EXAMPLES)]
    Install(Box<Options>),
    /// Download an image and its signature
    #[command(after_help = download::EXAMPLES)]
    Download(Box<download::DownloadArgs>),
    /// Check an image's signature, and write nothing
    #[command(after_help = verify::EXAMPLES)]
    Verify(Box<verify::VerifyArgs>),
    /// Look into an image or at a disk: partitions, system, configuration
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(inspect::InspectArgs),
    /// Configure a system that was written to a disk or image earlier
    ///
    /// The last step of an install on its own: config, kernel arguments, platform, consoles and
    /// network settings are put on the boot partition. The system must not have been booted yet.
    /// After a failure it is as it was.
    #[command(after_help = embedding::EXAMPLES, override_usage = embedding::USAGE)]
    Embed(Box<embedding::EmbedArgs>),
    /// List the images that a stream offers
    ListStream(list_stream::ListStreamArgs),
    /// List this machine's disks, what is on them and who uses them
    #[command(after_help = disks::EXAMPLES)]
    Disks(disks::DisksArgs),
    /// Look at the keys whose signatures count
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Read and edit live ISO images
    #[command(subcommand)]
    Iso(iso::IsoCommand),
    /// Make and read initrds for live PXE boots
    #[command(subcommand)]
    Pxe(pxe::PxeCommand),
    /// Check, merge and upgrade Ignition configs
    #[command(subcommand)]
    Ignition(ignition::IgnitionCommand),
    /// Convert Butane configs to Ignition
    #[command(after_help = butane::EXAMPLES)]
    Butane(Box<butane::ButaneArgs>),
    /// Make what is published with an OS
    #[command(subcommand)]
    Pack(pack::PackCommand),
    /// Look into live media
    #[command(subcommand, hide = true)]
    Dev(dev::DevCommand),
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install(options) => install::run(*options),
            Self::Download(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::Embed(args) => args.run(),
            Self::ListStream(args) => args.run(),
            Self::Disks(args) => args.run(),
            Self::Keys(command) => command.run(),
            Self::Iso(command) => command.run(),
            Self::Pxe(command) => command.run(),
            Self::Ignition(command) => command.run(),
            Self::Butane(args) => args.run(),
            Self::Pack(command) => command.run(&Cli::command()),
            Self::Dev(command) => command.run(),
        }
    }
}

/// Parses this process's arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap's own text, on the stream and with the exit code that fit it (help is no error).
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(ui::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ui::fail(&error),
    }
}

/// The system's keys, and those of `files` and of the files in `dirs`.
fn keyring(files: Vec<PathBuf>, dirs: Vec<PathBuf>) -> Keyring {
    let keyring = files
        .into_iter()
        .fold(Keyring::system(), Keyring::with_file);
    dirs.into_iter().fold(keyring, Keyring::with_named_dir)
}

/// What `--insecure` means.
fn policy(insecure: bool) -> SignaturePolicy {
    if insecure {
        SignaturePolicy::TolerateAbsent
    } else {
        SignaturePolicy::Require
    }
}

/// Refusals of the commands themselves. Scripts match on these texts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// `embed` without `--force` on an image that has a config.
    #[error("{path} already has an embedded Ignition config")]
    AlreadyEmbedded {
        /// The image.
        path: PathBuf,
    },
    /// `show` or `unwrap` where there is no config.
    #[error("No embedded Ignition config in {path}")]
    NotEmbedded {
        /// The image or initrd.
        path: PathBuf,
    },
    /// `customize` without `--force` on a customised image.
    #[error("{path} is already customized")]
    AlreadyCustomized {
        /// The image.
        path: PathBuf,
    },
    /// The live system is too old for what was asked.
    #[error("this image does not support customizing {what}")]
    NoFeature {
        /// What it cannot.
        what: &'static str,
    },
    /// Findings that make a failure; they were shown.
    #[error("the config is refused: {count}")]
    Refused {
        /// How many.
        count: config::Count,
    },
    /// The same, where nothing but the findings may be shown.
    #[error("the config is refused")]
    Told,
    /// A config with errors, which were shown, on its way to a machine.
    #[error("the config has {count}")]
    Undeliverable {
        /// How many.
        count: config::Count,
    },
    /// `butane schema` of something else.
    #[error("there is no schema of {wanted}; {known}")]
    NoSchema {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// `--to` something else.
    #[error("there is no Ignition spec `{0}`; there are 3.0.0 to 3.6.0")]
    NoSpec(String),
    /// Several configs where each would be wrapped on its own.
    #[error("several configs cannot be merged into one MachineConfig")]
    SeveralMachineConfigs,
    /// `upgrade` of a config that is newer than asked for.
    #[error("the config is of Ignition spec {from} already, newer than {to}")]
    Downgrade {
        /// What it is of.
        from: &'static str,
        /// What was asked for.
        to: &'static str,
    },
    /// `upgrade` to the spec under construction.
    #[error("Ignition spec {0} is experimental")]
    Experimental(&'static str),
    /// A config that can only be passed on.
    #[error("Ignition spec {0} is newer than this program")]
    NewerSpec(String),
    /// `verify` of an image without signature and digest.
    #[error("nothing vouches for {name}: it has no signature at {looked_at}")]
    NothingVouches {
        /// The image.
        name: String,
        /// Where the signature was expected.
        looked_at: String,
    },
    /// Binary output would go to a terminal.
    #[error("refusing to write binary data to a terminal")]
    BinaryToTerminal,
    /// The Ignition config is not the one that was promised.
    #[error("Ignition config {name} does not have the digest {want}")]
    ConfigDigest {
        /// Path or URL.
        name: String,
        /// What `--ignition-hash` says.
        want: embed::digest::TypedDigest,
    },
}
