//! The options of `install`, once: the same struct is the command line (clap) and the config file
//! (serde, kebab-case keys, unknown keys refused). What a key means is the help text of its field.
//!
//! Nothing is checked across options here; that happens after merging, in [`super::resolve`].

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};
use embed::digest::{DigestError, Sha256Digest, TypedDigest};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::disk::DiskRule;
use crate::firstboot::{Console, FirstbootArgs};
use crate::pipeline::MemoryBudget;
use crate::source::{Header, Retries};

/// Where NetworkManager keeps its keyfiles.
pub const NETWORK_DIR: &str = "/etc/NetworkManager/system-connections/";

/// What `install` is asked to do, by one config file or by the command line.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Install by a YAML config file [repeatable]
    ///
    /// Keys are the long option names. Files are applied in the order given, then the command
    /// line: lists add up, of single values the last wins.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    #[serde(skip)]
    pub config_file: Vec<PathBuf>,

    /// Fetch the image of this stream, for example `next`
    ///
    /// Without any image option, a live system installs the image of its own medium or of an
    /// osmet file on it, and any other system the newest of stream `stable`.
    #[arg(short, long, value_name = "NAME", help_heading = "Image")]
    pub stream: Option<String>,
    /// Fetch the image from this URL; its signature is at URL.sig
    #[arg(short = 'u', long, value_name = "URL", help_heading = "Image", value_hint = ValueHint::Url)]
    pub image_url: Option<String>,
    /// Use this image file; its signature is PATH.sig
    #[arg(short = 'f', long, value_name = "PATH", help_heading = "Image", value_hint = ValueHint::FilePath)]
    pub image_file: Option<PathBuf>,
    /// Use the image of the live medium or of an osmet file, and no network
    #[arg(long, help_heading = "Image")]
    pub offline: bool,
    /// Architecture of the stream's image [default: this machine's]
    #[arg(short, long, value_name = "NAME", help_heading = "Image")]
    pub architecture: Option<String>,
    /// Where stream metadata is; NAME.json is joined to it
    #[arg(long, value_name = "URL", help_heading = "Image", value_hint = ValueHint::Url)]
    pub stream_base_url: Option<String>,
    /// Where else the image is, if fetching it fails [repeatable]
    ///
    /// A directory with the image's file name in it if URL ends in a slash, else the image itself;
    /// the signature lies beside it. Mirrors are asked in order when a place fails for good, and
    /// go on where it broke off, after comparing what was there already.
    #[arg(long, value_name = "URL", help_heading = "Image", value_hint = ValueHint::Url)]
    pub mirror: Vec<String>,
    /// Chunk manifest of a packed image: a file, a URL, or `none`
    ///
    /// Without this, the one beside an image NAME.raw.zst is used if it is there:
    /// NAME.chunks.json. Its signature is beside it, with `.sig` appended. With `none` the image
    /// is read as one stream. See `coreos-installer pack image`.
    #[arg(long, value_name = "FROM", help_heading = "Image")]
    pub image_manifest: Option<String>,
    /// Digest of the image as published, sha256-HEX
    ///
    /// Enough in place of a signature. One that is there must be good all the same.
    #[arg(long, value_name = "DIGEST", help_heading = "Image", value_parser = parse_image_digest)]
    #[serde(deserialize_with = "image_digest")]
    pub image_digest: Option<Sha256Digest>,
    /// Trust the OpenPGP keys in this file too [repeatable]
    #[arg(long, value_name = "FILE", help_heading = "Image", value_hint = ValueHint::FilePath)]
    pub keyring: Vec<PathBuf>,
    /// Trust the OpenPGP keys in this directory's files too [repeatable]
    #[arg(long, value_name = "DIR", help_heading = "Image", value_hint = ValueHint::DirPath)]
    pub keyring_dir: Vec<PathBuf>,
    /// Install an image that has no signature
    ///
    /// A signature that is there and does not verify is an error all the same.
    #[arg(long, help_heading = "Image")]
    pub insecure: bool,

    /// Try a failed fetch N more times, or `infinite` [default: 0]
    ///
    /// Counted from the last byte that came; a transfer goes on where it broke off.
    #[arg(long, value_name = "N", help_heading = "Network", value_parser = parse_retries)]
    #[serde(deserialize_with = "retries")]
    pub fetch_retries: Option<Retries>,
    /// Send `Name: value` to the servers named here [repeatable]
    ///
    /// Not to servers that they redirect to. The value is never shown.
    #[arg(long, value_name = "HEADER", help_heading = "Network")]
    pub http_header: Vec<Header>,
    /// Trust the certificate authorities in this PEM file too [repeatable]
    #[arg(long, value_name = "FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub ca_cert: Vec<PathBuf>,
    /// Client certificate (PEM) for servers that ask for one
    #[arg(long, value_name = "FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub client_cert: Option<PathBuf>,
    /// Key (PEM, PKCS #8) of the client certificate
    #[arg(long, value_name = "FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub client_key: Option<PathBuf>,

    /// Put this Ignition or Butane config on the disk [repeatable]
    ///
    /// One Ignition config is stored as it is. Several are merged, the later over the earlier,
    /// those from URLs after files. Configs that the command line names replace those of config
    /// files.
    #[arg(short, long, visible_alias = "ignition", value_name = "PATH",
          help_heading = "System", value_hint = ValueHint::FilePath)]
    #[serde(deserialize_with = "one_or_more")]
    pub ignition_file: Vec<PathBuf>,
    /// Fetch the Ignition or Butane config from this URL now [repeatable]
    #[arg(short = 'I', long, value_name = "URL", help_heading = "System", value_hint = ValueHint::Url)]
    #[serde(deserialize_with = "one_or_more")]
    pub ignition_url: Vec<String>,
    /// Digest of the config as read, sha256-HEX or sha512-HEX [repeatable]
    ///
    /// For several configs one each, in their order.
    #[arg(long, value_name = "DIGEST", help_heading = "System")]
    #[serde(deserialize_with = "one_or_more")]
    pub ignition_hash: Vec<TypedDigest>,
    /// Allow an Ignition config by plain http without a digest
    #[arg(long, help_heading = "System")]
    pub insecure_ignition: bool,
    /// Directory of the local files that a Butane config names
    #[arg(long, value_name = "DIR", help_heading = "System", value_hint = ValueHint::DirPath)]
    pub files_dir: Option<PathBuf>,
    /// Put VALUE where Butane configs say ${{ NAME }} [repeatable]
    #[arg(long, value_name = "NAME=VALUE", help_heading = "System")]
    pub set: Vec<String>,
    /// Take variables from a YAML file [repeatable]
    #[arg(long, value_name = "FILE", help_heading = "System", value_hint = ValueHint::FilePath)]
    pub vars: Vec<PathBuf>,
    /// Take a variable of this name from the environment [repeatable]
    #[arg(long, value_name = "NAME", help_heading = "System")]
    pub env: Vec<String>,
    /// Take a variable from a file, and show its value nowhere [repeatable]
    #[arg(long, value_name = "NAME=FILE", help_heading = "System")]
    pub secret: Vec<String>,
    /// Take the config as it is: check and convert nothing
    #[arg(long, help_heading = "System")]
    pub no_validate: bool,
    /// Ignition platform ID of the installed system
    #[arg(short, long, value_name = "ID", help_heading = "System")]
    pub platform: Option<String>,
    /// Console of kernel and boot loader, for example `ttyS0,115200` [repeatable]
    #[arg(long, value_name = "SPEC", help_heading = "System")]
    pub console: Vec<Console>,
    /// Network arguments for the first boot only
    #[arg(long, value_name = "ARGS", hide = true)]
    #[serde(skip)]
    pub firstboot_args: Option<FirstbootArgs>,
    /// Add a kernel argument [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "System")]
    pub append_karg: Vec<String>,
    /// Remove a kernel argument [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "System")]
    pub delete_karg: Vec<String>,
    /// Take over this system's NetworkManager keyfiles
    #[arg(short = 'n', long, help_heading = "System")]
    pub copy_network: bool,
    /// Directory of the keyfiles for --copy-network
    #[arg(long, value_name = "DIR", help_heading = "System", value_hint = ValueHint::DirPath)]
    pub network_dir: Option<PathBuf>,

    /// Install to the one disk with this property, KEY=VALUE [repeatable]
    ///
    /// Instead of naming the disk. All rules must hold, for exactly one disk. Keys: serial, wwn,
    /// model, transport and path (patterns), size (`>=100GiB`, `<2TB`, `1TB..2TB`), sector-size,
    /// rotational and removable (`yes` or `no`). `coreos-installer disks` shows them.
    #[arg(long, value_name = "RULE", help_heading = "Disk")]
    pub dest_match: Vec<DiskRule>,
    /// Keep partitions by label, for example `data*,log` [repeatable]
    #[arg(long, value_name = "GLOB", help_heading = "Disk")]
    pub save_partlabel: Vec<String>,
    /// Keep partitions by number, for example `4,6-` [repeatable]
    #[arg(
        long,
        value_name = "ID",
        allow_hyphen_values = true,
        help_heading = "Disk"
    )]
    pub save_partindex: Vec<String>,
    /// After a failure, leave the disk's partition table as it is
    #[arg(long, help_heading = "Disk")]
    pub preserve_on_error: bool,
    /// Let the UEFI firmware boot the installed system first
    ///
    /// A boot entry is made after the install. Refused where there is no UEFI firmware.
    #[arg(long, help_heading = "Disk")]
    pub boot_entry: bool,
    /// Wipe file systems labelled `boot` on other disks after the install
    ///
    /// Each is named before the install. Disks in use and members of a RAID are left alone.
    #[arg(long, help_heading = "Disk")]
    pub wipe_stale_boot: bool,

    /// Use at most so much memory for buffers and decoders, for example 512MiB
    ///
    /// Half of the available memory by default, between 128 MiB and 1 GiB. An image that cannot be
    /// decoded with it is refused. Less means that less is done at the same time.
    #[arg(long, value_name = "SIZE")]
    #[serde(deserialize_with = "from_text")]
    pub memory: Option<MemoryBudget>,
    /// Check everything, print what would be done, and write nothing
    #[arg(long)]
    #[serde(skip)]
    pub dry_run: bool,
    /// Append what is said to this file too, with the time
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log_file: Option<PathBuf>,
    /// How progress is shown [default: auto]
    #[arg(long, value_name = "FORM", value_enum)]
    #[serde(skip)]
    pub progress: Option<ProgressForm>,

    /// Disk to install to, for example /dev/sda
    #[arg(required_unless_present_any = ["config_file", "dest_match"], value_hint = ValueHint::AnyPath)]
    pub dest_device: Option<PathBuf>,
}

/// Why a number of retries was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is neither a number nor `infinite`")]
pub struct RetriesError(String);

/// Reads `--fetch-retries`.
pub(crate) fn parse_retries(text: &str) -> Result<Retries, RetriesError> {
    if text == "infinite" {
        return Ok(Retries::Infinite);
    }
    text.parse()
        .map(Retries::Count)
        .map_err(|_| RetriesError(text.to_owned()))
}

/// Reads `--image-digest`.
pub(crate) fn parse_image_digest(text: &str) -> Result<Sha256Digest, DigestError> {
    match text.split_once('-') {
        Some(("sha256", hex)) => hex.parse(),
        Some((other, _)) => Err(DigestError::UnknownType(other.to_owned())),
        None => Err(DigestError::NoType),
    }
}

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// A bar on standard error.
    Bar,
    /// A line every few seconds on standard error.
    Plain,
    /// JSON lines on standard output.
    Json,
    /// Nothing.
    None,
}

/// Reads a value that has a text form, or a list of such.
fn one_or_more<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    deserializer.deserialize_any(OneOrMore(PhantomData))
}

struct OneOrMore<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for OneOrMore<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![text.parse().map_err(E::custom)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            values.push(text.parse().map_err(A::Error::custom)?);
        }
        Ok(values)
    }
}

/// Reads a value of a type that has a text form.
fn from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

fn image_digest<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Sha256Digest>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_image_digest(&text).map_err(D::Error::custom))
        .transpose()
}

fn retries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Retries>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_retries(&text).map_err(D::Error::custom))
        .transpose()
}
