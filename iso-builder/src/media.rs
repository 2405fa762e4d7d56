//! Which files a live ISO has and what they say: kernel, initramfs, rootfs, the areas that tools
//! edit with their descriptions, and the boot loaders' files.
//!
//! Where files lie on the medium is `iso`'s business.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use embed::contract::{iso as names, karg};
use embed::kargs::Kargs;
use installer::cancel::Cancel;
use serde_json::json;

use crate::efi_image;
use crate::grub::{self, AreaError, CoreError};
use crate::identity::Identity;
use crate::image::EfiLoader;
use crate::iso::{
    Content, Hybrid, ImageSpec, IsoError, Timestamp, Tree, TreeError, VolumeId, write_image,
};
use crate::tools::HostTools;

const GRUB_CONFIG: &str = "boot/grub/grub.cfg";
const BIOS_IMAGE: &str = "boot/grub/eltorito.img";

/// Why there is no ISO.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Too many kernel arguments.
    #[error("cannot write the boot menu")]
    Kargs(#[source] AreaError),
    /// GRUB for BIOS.
    #[error("cannot prepare the start from a BIOS")]
    Bios(#[source] CoreError),
    /// The FAT image for UEFI.
    #[error("cannot prepare the start from UEFI")]
    Efi(#[source] io::Error),
    /// A name that an ISO cannot have: a vendor's directory of the image.
    #[error("cannot put a file of the image on the ISO")]
    Name(#[source] TreeError),
    /// A part that is missing.
    #[error("cannot use {path}")]
    Part {
        /// The part.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The ISO itself.
    #[error("cannot write the ISO")]
    Iso(#[source] IsoError),
}

/// What a live ISO is made from.
#[derive(Debug)]
pub struct LiveMedia<'a> {
    /// Kernel file.
    pub kernel: &'a Path,
    /// Live initramfs file.
    pub initramfs: &'a Path,
    /// Rootfs archive.
    pub rootfs: &'a Path,
    /// The image's EFI boot loader.
    pub loader: &'a EfiLoader,
    /// Title of the menu entry.
    pub title: &'a str,
    /// Kernel arguments of every live boot; those of the medium are added.
    pub kargs: &'a Kargs,
    /// What the live system understands, as its initramfs says.
    pub features: &'a str,
    /// Label of the medium.
    pub volume_id: &'a VolumeId,
    /// Bytes for an embedded config.
    pub embed_area: u64,
    /// Time stamp of everything.
    pub time: Timestamp,
    /// Source of identifiers.
    pub identity: Identity,
}

impl LiveMedia<'_> {
    /// Writes the ISO to `out`; `work` is a directory for files on the way. Returns its size.
    pub fn write(
        &self,
        tools: &HostTools,
        work: &Path,
        out: &mut File,
        progress: &dyn Fn(u64),
        cancel: &Cancel,
    ) -> Result<u64, MediaError> {
        let marker = format!("coreos/{}.id", self.identity.prefix(16));
        let stub = grub::stub(&marker, GRUB_CONFIG);
        let tree = self.tree(tools, work, &marker, &stub, cancel)?;
        let boot_code = grub::boot_code(&tools.grub_modules).map_err(MediaError::Bios)?;
        let spec = ImageSpec {
            volume_id: self.volume_id.clone(),
            time: self.time,
            bios_image: Some(BIOS_IMAGE.to_owned()),
            efi_image: Some(names::EFI_IMAGE.to_owned()),
            hybrid: Some(Hybrid {
                boot_code,
                disk_guid: self.identity.uuid("medium"),
                partition_guids: [
                    self.identity.uuid("medium data"),
                    self.identity.uuid("medium efi"),
                ],
            }),
        };
        write_image(&tree, &spec, out, progress).map_err(MediaError::Iso)
    }

    fn tree(
        &self,
        tools: &HostTools,
        work: &Path,
        marker: &str,
        stub: &str,
        cancel: &Cancel,
    ) -> Result<Tree, MediaError> {
        let config = grub::config(GRUB_CONFIG, self.title, &self.default_kargs())
            .map_err(MediaError::Kargs)?;
        let bios = grub::bios_image(&tools.grub_mkimage, &tools.grub_modules, stub, work, cancel)
            .map_err(MediaError::Bios)?;
        let efi = efi_image::build(self.loader, stub, self.identity.number("efi volume"))
            .map_err(MediaError::Efi)?;
        let kargs_json = serde_json::to_value(&config.kargs).unwrap_or_default();
        let mut files = vec![
            (names::KERNEL.to_owned(), file(self.kernel)?),
            (names::INITRAMFS.to_owned(), file(self.initramfs)?),
            (names::ROOTFS.to_owned(), file(self.rootfs)?),
            (
                names::IGNITION_IMG.to_owned(),
                Content::Zeros(self.embed_area),
            ),
            (
                names::IGNINFO.to_owned(),
                text(format!("{:#}\n", json!({ "file": names::IGNITION_IMG }))),
            ),
            (names::KARGS.to_owned(), text(format!("{kargs_json:#}\n"))),
            (names::FEATURES.to_owned(), text(self.features.to_owned())),
            (GRUB_CONFIG.to_owned(), text(config.text)),
            (BIOS_IMAGE.to_owned(), Content::Bytes(bios)),
            (names::EFI_IMAGE.to_owned(), Content::Bytes(efi)),
            (
                marker.to_owned(),
                text(format!("{}\n", self.volume_id.as_str())),
            ),
        ];
        // Signed GRUB started from CD takes the ISO itself as its root, not the FAT image.
        let dirs = efi_image::config_dirs(self.loader);
        files.extend(dirs.map(|dir| (format!("EFI/{dir}/grub.cfg"), text(stub.to_owned()))));
        let mut tree = Tree::new();
        for (path, content) in files {
            tree.insert(&path, content).map_err(MediaError::Name)?;
        }
        Ok(tree)
    }

    fn default_kargs(&self) -> String {
        let mut kargs = Kargs::default();
        kargs.push(format!("{}={}", karg::LIVE_ISO, self.volume_id.as_str()));
        self.kargs.iter().for_each(|word| kargs.push(word));
        kargs.to_string()
    }
}

fn text(text: String) -> Content {
    Content::Bytes(text.into_bytes())
}

fn file(path: &Path) -> Result<Content, MediaError> {
    let metadata = fs::metadata(path).map_err(|source| MediaError::Part {
        path: path.to_owned(),
        source,
    })?;
    Ok(Content::File {
        path: path.to_owned(),
        size: metadata.len(),
    })
}
