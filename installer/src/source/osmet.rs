//! Images that an osmet file describes by the objects of an OSTree repository, made while they are
//! read. Live media of CoreOS systems carry such a file for the system that runs from them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::osmet::{Objects, Osmet, OsmetError, Unpacked};
use nix::fcntl::OFlag;

use super::{DigestAuthority, ExpectedDigest, ImageStream, Signature, SourceError};

/// The objects of an OSTree repository in mode `bare`: `objects/ab/cdef….file`.
#[derive(Clone, Debug)]
pub struct Repository {
    objects: PathBuf,
}

impl Repository {
    /// The repository at `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            objects: path.join("objects"),
        }
    }
}

impl Objects for Repository {
    type Object = File;

    fn open(&self, object: Sha256Digest) -> io::Result<File> {
        let name = object.to_string();
        let (folder, rest) = name.split_at_checked(2).unwrap_or_default();
        let path = self.objects.join(folder).join(format!("{rest}.file"));
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }
}

/// Opens the image that the osmet file at `path` describes.
pub(super) fn open(path: &Path, repository: &Path) -> Result<ImageStream, SourceError> {
    let at = |source| SourceError::Osmet {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let file = File::open(path).map_err(|source| SourceError::File {
        path: path.to_owned(),
        source,
    })?;
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let (header, osmet) = Osmet::read(&mut file).map_err(at)?;
    let (sha256, size) = (osmet.sha256, osmet.size);
    let image = osmet
        .unpack(file, Repository::new(repository))
        .map_err(at)?;
    Ok(ImageStream {
        reader: Box::new(Image {
            image,
            path: path.to_owned(),
        }),
        name: format!(
            "{} {} ({})",
            header.description,
            header.architecture,
            path.display()
        ),
        length: Some(size),
        signature: Signature::Absent {
            looked_at: path.display().to_string(),
            status: None,
        },
        digest: Some(ExpectedDigest {
            sha256,
            authority: DigestAuthority::LiveMedium,
        }),
        sector_size: Some(header.sector_size),
        local: None,
        remote: None,
    })
}

/// An image on its way, whose errors say which osmet file it is made of.
struct Image {
    image: Unpacked<BufReader<File>, Repository>,
    path: PathBuf,
}

impl Read for Image {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.image
            .read(buf)
            .map_err(|error| match error.downcast::<OsmetError>() {
                Ok(source) => io::Error::other(SourceError::Osmet {
                    path: self.path.clone(),
                    source: Box::new(source),
                }),
                Err(error) => error,
            })
    }
}
