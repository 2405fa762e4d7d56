//! `site.yaml` as written, and reading one YAML file into a strict struct.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

use crate::boot::Schemes;
use crate::site::media::MediaFile;
use crate::site::subnets::DhcpFile;
use crate::site::{SiteError, UnknownMachines};

/// Largest site file that is read, bytes.
pub(super) const MAX_FILE: u64 = 4 * 1024 * 1024;

/// `site.yaml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SiteFile {
    /// Directory with `manifest.json`, or a stream in a mirror; relative to the site directory.
    pub(super) media: Spanned<MediaFile>,
    /// Where all servers of the site are, if there are several.
    #[serde(default)]
    pub(super) servers: Vec<Ipv4Addr>,
    #[serde(default)]
    pub(super) ipxe: IpxeFile,
    pub(super) grub: Option<GrubFile>,
    #[serde(default)]
    pub(super) dhcp: DhcpFile,
    /// By which schemes this server is named.
    #[serde(default)]
    pub(super) http: Schemes,
    /// matchbox data directory, relative to the site directory.
    pub(super) matchbox: Option<PathBuf>,
    #[serde(default)]
    pub(super) unknown_machines: UnknownMachines,
    #[serde(default)]
    pub(super) discovery: DiscoveryFile,
}

/// The live system on machines that no group matches.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct DiscoveryFile {
    /// Kernel arguments, after the media's own.
    pub(super) kargs: Vec<String>,
}

/// Boot programs; the defaults are where Debian's `ipxe` package puts them.
///
/// For UEFI `snponly.efi`, which drives the card through the firmware: `ipxe.efi` of that package
/// does not come back to OVMF when a script ends with `exit 1`, so an installed machine would
/// never get to its disk.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct IpxeFile {
    pub(super) dir: PathBuf,
    pub(super) bios: Option<String>,
    pub(super) uefi_x64: Option<String>,
    pub(super) uefi_arm64: Option<String>,
}

impl Default for IpxeFile {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/usr/lib/ipxe"),
            bios: Some("undionly.kpxe".to_owned()),
            uefi_x64: Some("snponly.efi".to_owned()),
            uefi_arm64: None,
        }
    }
}

/// Boot programs that start GRUB; firmware that has one gets it instead of iPXE.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct GrubFile {
    pub(super) dir: PathBuf,
    pub(super) bios: Option<String>,
    pub(super) uefi_x64: Option<String>,
    pub(super) uefi_arm64: Option<String>,
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SiteError> {
    let unreadable = |source| SiteError::Read {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(SiteError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Reads one YAML document.
pub(super) fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, SiteError> {
    serde_saphyr::from_slice(&read(path)?).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |place| (place.line(), place.column()));
        let text = error.without_snippet().to_string();
        // The parser repeats the place in its text; here it leads the message instead.
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        SiteError::Yaml {
            path: path.to_owned(),
            line,
            column,
            reason,
        }
    })
}
