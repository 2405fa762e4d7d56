//! The plan of an install: options from config files and command line ([`Options`]), merged, and
//! what they mean together ([`Plan`]). No device, network or image is touched here.

mod config_file;
mod merge;
mod options;
mod resolve;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use embed::digest::{Sha256Digest, TypedDigest};
use embed::kargs::Edit;

use crate::disk::{DiskRule, SaveFilter, SaveFilterError};
use crate::firstboot::{Console, FirstbootArgs};
use crate::pipeline::MemoryBudget;
use crate::source::{Access, ManifestPlace};

pub use options::{NETWORK_DIR, Options, ProgressForm, RetriesError};
pub(crate) use options::{parse_image_digest, parse_retries};
pub(crate) use resolve::identity;

/// Why options do not make a plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A config file could not be read.
    #[error("cannot read config file {path}")]
    ReadConfigFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A config file is not valid.
    #[error("parsing installer config {path}:{line}:{column}: {reason}")]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Line, from 1; 0 when it is not known.
        line: u64,
        /// Column, from 1; 0 when it is not known.
        column: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The target was named twice.
    #[error("destination device is given twice: {first} and {second}")]
    TwoTargets {
        /// The earlier one.
        first: PathBuf,
        /// The later one.
        second: PathBuf,
    },
    /// No target was named.
    #[error("no destination device is given")]
    NoTarget,
    /// Two options exclude each other.
    #[error("{first} cannot be used with {second}")]
    Conflict {
        /// The one option.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// An option is useless without another.
    #[error("{option} needs {needs}")]
    Needs {
        /// The option.
        option: &'static str,
        /// What is missing.
        needs: &'static str,
    },
    /// The Ignition config would come by a scheme that is not read.
    #[error("Ignition config URL {url} is neither http nor https")]
    IgnitionScheme {
        /// The URL.
        url: String,
    },
    /// The Ignition config would come by plain http, unchecked.
    #[error(
        "refusing to fetch the Ignition config by plain http from {url}: nothing would check it"
    )]
    IgnitionInsecure {
        /// The URL.
        url: String,
    },
    /// Some configs have a digest and others have not.
    #[error("{configs} Ignition configs cannot be checked by {hashes} of `--ignition-hash`")]
    Hashes {
        /// How many configs there are.
        configs: usize,
        /// How many digests.
        hashes: usize,
    },
    /// A partition filter that is none.
    #[error("{option} value `{value}` is not valid")]
    SaveFilter {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// The cause.
        #[source]
        source: SaveFilterError,
    },
    /// A value that would break the file it is written to.
    #[error("{option} value {value:?} holds a control character or, for a platform, white space")]
    Word {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
    },
}

/// Where the image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChoice {
    /// A file.
    File(PathBuf),
    /// A URL.
    Url(String),
    /// The one that the running live system has by itself.
    Offline {
        /// Architecture; `None` is this machine's.
        architecture: Option<String>,
    },
    /// The one that the running live system has by itself, or else the newest image of a stream.
    OfflineOr(StreamChoice),
    /// The newest image of a stream.
    Stream(StreamChoice),
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChoice {
    /// Directory of the metadata; `None` is the built-in one.
    pub base_url: Option<String>,
    /// Name of the stream.
    pub name: String,
    /// Architecture; `None` is this machine's.
    pub architecture: Option<String>,
}

/// Where variables of Butane configs come from. What they mean is `embed::tree::variables`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Assignments, `NAME=VALUE`.
    pub set: Vec<String>,
    /// YAML files.
    pub files: Vec<PathBuf>,
    /// Names of environment variables.
    pub environment: Vec<String>,
    /// Assignments of files, `NAME=FILE`.
    pub secrets: Vec<String>,
}

/// Where an Ignition config comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file.
    File(PathBuf),
    /// A URL.
    Url(String),
}

/// Which disk is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one with this device node.
    Device(PathBuf),
    /// The only one for which all these rules hold.
    Match(Vec<DiskRule>),
}

/// What an install will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the image comes from.
    pub image: ImageChoice,
    /// Disk to write to.
    pub target: Target,
    /// Where else the image is.
    pub mirrors: Vec<String>,
    /// Digest that the image must have as published.
    pub image_digest: Option<Sha256Digest>,
    /// Where the image's chunk manifest is.
    pub image_manifest: ManifestPlace,
    /// Key files to trust beside the system's keys.
    pub keyrings: Vec<PathBuf>,
    /// Directories of key files to trust beside the system's keys.
    pub keyring_dirs: Vec<PathBuf>,
    /// Tolerate an absent signature.
    pub insecure: bool,
    /// How servers are talked to.
    pub access: Access,
    /// The machine's configs, to be merged in order.
    pub configs: Vec<ConfigSource>,
    /// Digests that they must have: one for each, or none at all.
    pub config_digests: Vec<TypedDigest>,
    /// What variables stand for in Butane configs.
    pub variables: Variables,
    /// Directory of the local files that a Butane config names.
    pub files_dir: Option<PathBuf>,
    /// Take the config as it is.
    pub no_validate: bool,
    /// Whether it may come by plain http: it has a digest, or the user allows that.
    pub config_may_be_insecure: bool,
    /// Platform ID to set.
    pub platform: Option<String>,
    /// Consoles to set.
    pub consoles: Vec<Console>,
    /// Network arguments of the first boot.
    pub firstboot_args: Option<FirstbootArgs>,
    /// Kernel argument edits.
    pub kargs: Edit,
    /// Directory of network keyfiles to take over.
    pub network_dir: Option<PathBuf>,
    /// Partitions of the target to keep.
    pub save: Vec<SaveFilter>,
    /// Keep the half-written table after a failure.
    pub preserve_on_error: bool,
    /// Make a boot entry of the firmware, and place it first.
    pub boot_entry: bool,
    /// Wipe file systems labelled `boot` on other disks.
    pub wipe_stale_boot: bool,
    /// What buffers and decoders may take.
    pub memory: MemoryBudget,
}
