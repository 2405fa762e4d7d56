//! The image that a live system can install without a network: its medium's own, or one that an
//! osmet file on it describes.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use embed::contract::run;
use embed::medium::LiveMedium;
use embed::osmet::Header;

use super::{Location, SourceError, live};
use crate::disk::SectorSize;

/// Where a live system keeps what it can install.
#[derive(Clone, Debug)]
pub struct LocalImages {
    medium: PathBuf,
    osmets: PathBuf,
    repository: PathBuf,
}

impl Default for LocalImages {
    fn default() -> Self {
        Self {
            medium: run::MEDIUM.into(),
            osmets: run::OSMET_DIR.into(),
            repository: run::OSTREE_REPO.into(),
        }
    }
}

impl LocalImages {
    /// The image for a disk with sectors of `sector` bytes, if there is one. A live medium's own image
    /// comes first; it is for that architecture only and made for any disk that its table fits. Of
    /// osmet files the first by name that is for this architecture and sector size counts.
    pub fn find(
        &self,
        architecture: &str,
        sector: SectorSize,
    ) -> Result<Option<Location>, SourceError> {
        if self.medium.exists() {
            let LiveMedium { image, .. } = live::describe(&self.medium)?;
            if image.architecture == architecture {
                return Ok(Some(Location::LiveMedium));
            }
        }
        for file in files(&self.osmets)? {
            let header = header(&file)?;
            if header.architecture == architecture && header.sector_size == sector.bytes() {
                let repository = self.repository.clone();
                return Ok(Some(Location::Osmet { file, repository }));
            }
        }
        Ok(None)
    }

    /// The error of an install that may use nothing else.
    pub fn none(&self, architecture: &str, sector: SectorSize) -> SourceError {
        SourceError::NoLocal {
            medium: self.medium.clone(),
            osmets: self.osmets.clone(),
            architecture: architecture.to_owned(),
            sector_size: sector.bytes(),
        }
    }
}

/// The regular files in `dir`, sorted; none if there is no such directory.
fn files(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let at = |source| SourceError::File {
        path: dir.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at)?;
        if entry.file_type().map_err(at)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn header(path: &Path) -> Result<Header, SourceError> {
    let file = File::open(path).map_err(|source| SourceError::File {
        path: path.to_owned(),
        source,
    })?;
    Header::read(BufReader::new(file)).map_err(|source| SourceError::Osmet {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use embed::digest::Sha256Digest;
    use embed::medium::LiveImage;
    use embed::osmet::{Osmet, OsmetError, Partition};
    use std::fs;
    use std::io::Cursor;

    fn osmet(architecture: &str, sector_size: u32) -> Vec<u8> {
        let image = [7; 4096];
        let partition = Partition {
            start: 0,
            end: 4096,
            mappings: Vec::new(),
        };
        let osmet = Osmet::of_image(Cursor::new(image), vec![partition]).unwrap();
        let header = Header {
            made_by: "1".into(),
            sector_size,
            description: "OS".into(),
            architecture: architecture.into(),
        };
        let mut file = Vec::new();
        osmet
            .write(&header, Cursor::new(image), 0, &mut file)
            .unwrap();
        file
    }

    fn images(dir: &Path) -> LocalImages {
        LocalImages {
            medium: dir.join("medium.json"),
            osmets: dir.join("osmet"),
            repository: dir.join("repo"),
        }
    }

    #[test]
    fn the_osmet_file_of_this_architecture_and_sector_size_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let images = images(dir.path());
        let find = |architecture, sector| images.find(architecture, sector).unwrap();
        assert_eq!(find("x86_64", SectorSize::B512), None);
        fs::create_dir_all(images.osmets.join("folder")).unwrap();
        for (name, architecture, sector) in [
            ("1-4k.osmet", "x86_64", 4096),
            ("2.osmet", "x86_64", 512),
            ("3-arm.osmet", "aarch64", 512),
        ] {
            let path = images.osmets.join(name);
            fs::write(path, osmet(architecture, sector)).unwrap();
        }
        let at = |name| {
            Some(Location::Osmet {
                file: images.osmets.join(name),
                repository: images.repository.clone(),
            })
        };
        assert_eq!(find("x86_64", SectorSize::B512), at("2.osmet"));
        assert_eq!(find("x86_64", SectorSize::B4096), at("1-4k.osmet"));
        assert_eq!(find("aarch64", SectorSize::B512), at("3-arm.osmet"));
        assert_eq!(find("aarch64", SectorSize::B4096), None);

        fs::write(images.osmets.join("0"), "something else").unwrap();
        let error = images.find("x86_64", SectorSize::B512).unwrap_err();
        assert!(
            matches!(&error, SourceError::Osmet { source, .. }
                if matches!(**source, OsmetError::Magic)),
            "{error:?}"
        );
    }

    #[test]
    fn the_live_mediums_own_image_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let images = images(dir.path());
        fs::create_dir(&images.osmets).unwrap();
        fs::write(images.osmets.join("a"), osmet("aarch64", 512)).unwrap();
        let medium = LiveMedium {
            image: LiveImage {
                name: "os".into(),
                version: "1".into(),
                architecture: "x86_64".into(),
                sector_size: 512,
                size: 5,
                sha256: Sha256Digest::of(b"image"),
            },
            path: "/nowhere".into(),
        };
        fs::write(&images.medium, serde_json::to_vec(&medium).unwrap()).unwrap();
        for sector in [SectorSize::B512, SectorSize::B4096] {
            let found = images.find("x86_64", sector).unwrap();
            assert_eq!(found, Some(Location::LiveMedium));
        }
        let other = images.find("aarch64", SectorSize::B512).unwrap();
        assert!(matches!(other, Some(Location::Osmet { .. })), "{other:?}");
    }
}
