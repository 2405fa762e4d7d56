//! Making an osmet file ([`embed::osmet`]) of an image with a CoreOS-style system: the files of its
//! boot and root file systems that are objects of the OSTree repository on the root file system, by
//! where their data lies.
//!
//! The image is only read. The file appears when the image came out of it again.

mod scan;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use embed::contract::boot;
use embed::digest::Sha256Digest;
use embed::gpt;
use embed::osmet::{Header, Osmet, OsmetError, Partition};
use tempfile::NamedTempFile;

use crate::disk::content::Glance;
use crate::disk::mount::{self, BootPlace};
use crate::disk::table::{self, Label};
use crate::disk::{BootError, Disk as _, ExtentsError, GptError, SectorSize, sector_size_of};
use crate::source::Repository;

/// Label of the file system with the repository.
const ROOT: &str = "root";
/// The repository on it.
const REPOSITORY: &str = "ostree/repo";

/// What to pack, and how.
#[derive(Clone, Debug)]
pub struct OsmetRequest {
    /// Disk, or file with the raw image.
    pub device: PathBuf,
    /// Digest that the image must have.
    pub sha256: Sha256Digest,
    /// The operating system, for people.
    pub description: String,
    /// Compression of what is not in the repository, 0 to 9.
    pub preset: u32,
    /// File to make.
    pub output: PathBuf,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackedOsmet {
    /// Size of the image, bytes.
    pub image: u64,
    /// How much of it the repository has, bytes.
    pub shared: u64,
    /// Size of the osmet file, bytes.
    pub size: u64,
}

/// Why an osmet file was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OsmetPackError {
    /// The image cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Disk, image, or a file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another image than the one that is meant.
    #[error("{} has sha256 {got}, and not {want}", path.display())]
    OtherImage {
        /// Disk or image.
        path: PathBuf,
        /// As asked for.
        want: Sha256Digest,
        /// As found.
        got: Sha256Digest,
    },
    /// A file system of the image cannot be looked into.
    #[error("cannot look into the file systems of {}", path.display())]
    Mount {
        /// Disk or image.
        path: PathBuf,
        /// Why.
        #[source]
        source: BootError,
    },
    /// It cannot be told where a file's data lies.
    #[error("mapping {}", path.display())]
    Extents {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ExtentsError,
    },
    /// Packing failed, or what was packed does not come out again.
    #[error("cannot pack {}", path.display())]
    Pack {
        /// Disk or image.
        path: PathBuf,
        /// Why.
        #[source]
        source: OsmetError,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes an osmet file.
pub fn pack_osmet(request: &OsmetRequest) -> Result<PackedOsmet, OsmetPackError> {
    let image = Image::open(&request.device)?;
    let boot = image.place(boot::LABEL)?;
    let root = image.place(ROOT)?;
    let mut boot_files = Vec::new();
    image.look(boot, &mut |path| {
        boot_files = scan::boot_files(path)?;
        Ok(())
    })?;
    let mut packed = None;
    image.look(root, &mut |path| {
        let repository = path.join(REPOSITORY);
        let found = scan::objects(&repository.join("objects"), &boot_files)?;
        let mut partitions = vec![
            partition(boot, found.in_boot),
            partition(root, found.in_root),
        ];
        partitions.sort_by_key(|partition| partition.start);
        packed = Some(image.pack(request, partitions, &repository)?);
        Ok(())
    })?;
    // Whatever was looked at was packed, or an error.
    packed.ok_or_else(|| image.mount_error(BootError::Died))
}

fn partition(place: BootPlace, mappings: Vec<embed::osmet::Mapping>) -> Partition {
    Partition {
        start: place.offset,
        end: place.offset.saturating_add(place.len),
        mappings,
    }
}

/// An open image.
struct Image {
    path: PathBuf,
    disk: Glance,
}

impl Image {
    fn open(path: &Path) -> Result<Self, OsmetPackError> {
        let at = |source| OsmetPackError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(at)?;
        let mut head = Vec::new();
        io::Read::by_ref(&mut file)
            .take(2 * 4096)
            .read_to_end(&mut head)
            .map_err(at)?;
        let sector = match gpt::sector_size_of_image(&head) {
            Some(sector) => sector,
            None => sector_size_of(path).unwrap_or(SectorSize::B512),
        };
        Ok(Self {
            path: path.to_owned(),
            disk: Glance {
                len: file.seek(SeekFrom::End(0)).map_err(at)?,
                file,
                sector,
            },
        })
    }

    /// Where the file system with this label lies.
    fn place(&self, label: &'static str) -> Result<BootPlace, OsmetPackError> {
        let table = table::read(&self.disk).map_err(|source| self.read_error(source))?;
        let found = match table {
            Label::Gpt(table) => mount::find_labelled(&self.disk, &table, label),
            Label::Damaged(error) => Err(BootError::NoTable(error)),
            Label::Mbr(_) | Label::None => Err(BootError::NoTable(GptError::NoSignature)),
        };
        found.map_err(|source| self.mount_error(source))
    }

    /// Lets `look` see a file system. Its own errors come back as they are.
    fn look(
        &self,
        place: BootPlace,
        look: &mut (dyn FnMut(&Path) -> Result<(), OsmetPackError> + Send),
    ) -> Result<(), OsmetPackError> {
        let mut refused = None;
        let sector = self.disk.sector_size().bytes();
        let looked = mount::look_mounted(&self.path, place, sector, &mut |path| {
            refused = look(path).err();
            Ok(())
        });
        match refused {
            Some(error) => Err(error),
            None => looked.map_err(|source| self.mount_error(source)),
        }
    }

    fn pack(
        &self,
        request: &OsmetRequest,
        partitions: Vec<Partition>,
        repository: &Path,
    ) -> Result<PackedOsmet, OsmetPackError> {
        let failed = |source| OsmetPackError::Pack {
            path: self.path.clone(),
            source,
        };
        let osmet = Osmet::of_image(self.reader(), partitions).map_err(failed)?;
        if osmet.sha256 != request.sha256 {
            return Err(OsmetPackError::OtherImage {
                path: self.path.clone(),
                want: request.sha256,
                got: osmet.sha256,
            });
        }
        let header = Header {
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            sector_size: self.disk.sector_size().bytes(),
            description: request.description.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
        };
        let at = |source| OsmetPackError::Write {
            path: request.output.clone(),
            source,
        };
        let mut temp = temp_beside(&request.output).map_err(at)?;
        osmet
            .write(
                &header,
                self.reader(),
                request.preset,
                BufWriter::new(&temp),
            )
            .map_err(failed)?;
        temp.flush().and_then(|()| temp.rewind()).map_err(at)?;
        Osmet::verify(&temp, Repository::new(repository)).map_err(failed)?;
        temp.as_file().sync_all().map_err(at)?;
        let size = temp.as_file().metadata().map_err(at)?.len();
        temp.persist(&request.output)
            .map_err(|error| at(error.error))?;
        Ok(PackedOsmet {
            image: osmet.size,
            shared: osmet.shared(),
            size,
        })
    }

    fn reader(&self) -> BufReader<&File> {
        BufReader::with_capacity(256 * 1024, &self.disk.file)
    }

    fn read_error(&self, source: io::Error) -> OsmetPackError {
        OsmetPackError::Read {
            path: self.path.clone(),
            source,
        }
    }

    fn mount_error(&self, source: BootError) -> OsmetPackError {
        OsmetPackError::Mount {
            path: self.path.clone(),
            source,
        }
    }
}

fn temp_beside(path: &Path) -> io::Result<NamedTempFile> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(dir.unwrap_or(Path::new(".")))
}
