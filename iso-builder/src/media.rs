//! Which files a live ISO has and what they say: kernel, initramfs, rootfs, the areas that tools
//! edit with their descriptions, and the boot loaders' files; and the minimal ISO, which fetches
//! its rootfs, as a description inside the full one.
//!
//! Where files lie on the medium is `iso`'s business.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use embed::contract::{iso as names, karg};
use embed::iso::{IsoReader, MinimalError, MinimalIso, apply_in_place};
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

/// Room for the description of the minimal ISO, bytes: what is not in files of both.
const MINISO_SIZE: u64 = 64 * 1024;

/// Which of the two ISOs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With its rootfs.
    Full,
    /// Without.
    Minimal,
}

/// What makes a medium start, the same in both ISOs.
struct Starters {
    marker: String,
    stub: String,
    boot_code: Vec<u8>,
    bios: Vec<u8>,
    efi: Vec<u8>,
}

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
    /// What was written cannot be read as an ISO.
    #[error("cannot read the ISO back")]
    ReadBack(#[source] embed::iso::IsoError),
    /// The minimal ISO.
    #[error("cannot put the minimal ISO into the full one")]
    Minimal(#[source] MinimalError),
    /// The file that it is made in, or the ISO that it goes to.
    #[error("cannot make the minimal ISO")]
    Scratch(#[source] io::Error),
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
    /// Writes the ISO to `out`, with the minimal ISO in it; `work` is a directory for files on the
    /// way. Returns its size.
    pub fn write(
        &self,
        tools: &HostTools,
        work: &Path,
        out: &mut File,
        progress: &dyn Fn(u64),
        cancel: &Cancel,
    ) -> Result<u64, MediaError> {
        let starters = self.starters(tools, work, cancel)?;
        let size = self.write_kind(Kind::Full, &starters, out, progress)?;
        let mut minimal = tempfile::tempfile_in(work).map_err(MediaError::Scratch)?;
        self.write_kind(Kind::Minimal, &starters, &mut minimal, &|_| {})?;
        let open = |file| IsoReader::open(file).map_err(MediaError::ReadBack);
        let mut full = open(&*out)?;
        let packed = MinimalIso::pack(&mut full, &mut open(&minimal)?, env!("CARGO_PKG_VERSION"))
            .map_err(MediaError::Minimal)?;
        let region = packed
            .description
            .store(&mut full)
            .map_err(MediaError::Minimal)?;
        apply_in_place(out, &[region]).map_err(MediaError::Scratch)?;
        Ok(size)
    }

    fn starters(
        &self,
        tools: &HostTools,
        work: &Path,
        cancel: &Cancel,
    ) -> Result<Starters, MediaError> {
        let marker = format!("coreos/{}.id", self.identity.prefix(16));
        let stub = grub::stub(&marker, GRUB_CONFIG);
        let modules = &tools.grub_modules;
        let bios = grub::bios_image(&tools.grub_mkimage, modules, &stub, work, cancel)
            .map_err(MediaError::Bios)?;
        Ok(Starters {
            boot_code: grub::boot_code(modules).map_err(MediaError::Bios)?,
            efi: efi_image::build(self.loader, &stub, self.identity.number("efi volume"))
                .map_err(MediaError::Efi)?,
            bios,
            marker,
            stub,
        })
    }

    fn write_kind(
        &self,
        kind: Kind,
        starters: &Starters,
        out: &mut File,
        progress: &dyn Fn(u64),
    ) -> Result<u64, MediaError> {
        let tree = self.tree(kind, starters)?;
        let spec = ImageSpec {
            volume_id: self.volume_id.clone(),
            time: self.time,
            bios_image: Some(BIOS_IMAGE.to_owned()),
            efi_image: Some(names::EFI_IMAGE.to_owned()),
            hybrid: Some(Hybrid {
                boot_code: starters.boot_code.clone(),
                disk_guid: self.identity.uuid("medium"),
                partition_guids: [
                    self.identity.uuid("medium data"),
                    self.identity.uuid("medium efi"),
                ],
            }),
        };
        write_image(&tree, &spec, out, progress).map_err(MediaError::Iso)
    }

    fn tree(&self, kind: Kind, starters: &Starters) -> Result<Tree, MediaError> {
        let config = grub::config(GRUB_CONFIG, self.title, &self.default_kargs());
        let config = config.map_err(MediaError::Kargs)?;
        let kargs_json = serde_json::to_value(&config.kargs).unwrap_or_default();
        let mut files = vec![
            (names::KERNEL.to_owned(), file(self.kernel)?),
            (names::INITRAMFS.to_owned(), file(self.initramfs)?),
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
            (BIOS_IMAGE.to_owned(), Content::Bytes(starters.bios.clone())),
            (
                names::EFI_IMAGE.to_owned(),
                Content::Bytes(starters.efi.clone()),
            ),
            (
                starters.marker.clone(),
                text(format!("{}\n", self.volume_id.as_str())),
            ),
        ];
        // Signed GRUB started from CD takes the ISO itself as its root, not the FAT image.
        let dirs = efi_image::config_dirs(self.loader);
        files.extend(dirs.map(|dir| (format!("EFI/{dir}/grub.cfg"), text(starters.stub.clone()))));
        if kind == Kind::Full {
            files.push((names::ROOTFS.to_owned(), file(self.rootfs)?));
            files.push((names::MINISO.to_owned(), Content::Zeros(MINISO_SIZE)));
        }
        let mut tree = Tree::new();
        for (path, content) in files {
            tree.insert(&path, content).map_err(MediaError::Name)?;
        }
        Ok(tree)
    }

    /// The same in both ISOs: whoever takes the minimal one out puts the URL of the rootfs in place of
    /// the medium's label, and upstream's command does not without the label.
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
