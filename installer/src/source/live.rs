//! The image inside the live medium that this system runs from, described by
//! [`embed::medium::LiveMedium`].

use std::path::Path;

use embed::contract::run;
use embed::medium::LiveMedium;

use super::file::{open_sized, second};
use super::{DigestAuthority, ExpectedDigest, ImageStream, Signature, SourceError};

/// Opens the live medium's image.
pub(super) fn open() -> Result<ImageStream, SourceError> {
    open_described(Path::new(run::MEDIUM))
}

/// Reads the description at `path`.
pub(super) fn describe(path: &Path) -> Result<LiveMedium, SourceError> {
    let text = std::fs::read(path).map_err(|source| SourceError::NoMedium {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| SourceError::Medium {
        path: path.to_owned(),
        source,
    })
}

/// Opens the image that the description at `path` names.
fn open_described(path: &Path) -> Result<ImageStream, SourceError> {
    let medium = describe(path)?;
    let (file, length) = open_sized(&medium.path)?;
    let local = second(&file, length);
    Ok(ImageStream {
        reader: Box::new(file),
        name: medium.path.display().to_string(),
        length: Some(medium.image.size),
        signature: Signature::Absent {
            looked_at: path.display().to_string(),
            status: None,
        },
        digest: Some(ExpectedDigest {
            sha256: medium.image.sha256,
            authority: DigestAuthority::LiveMedium,
        }),
        sector_size: Some(medium.image.sector_size),
        local,
        remote: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use embed::digest::Sha256Digest;
    use embed::medium::LiveImage;
    use std::io::Read;

    #[test]
    fn described_image_is_opened_with_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk.raw");
        std::fs::write(&image, b"image").unwrap();
        let medium = LiveMedium {
            image: LiveImage {
                name: "os".into(),
                version: "1".into(),
                architecture: "x86_64".into(),
                sector_size: 512,
                size: 5,
                sha256: Sha256Digest::of(b"image"),
            },
            path: image,
        };
        let path = dir.path().join("medium.json");
        std::fs::write(&path, serde_json::to_vec(&medium).unwrap()).unwrap();
        let mut stream = open_described(&path).unwrap();
        let mut bytes = Vec::new();
        stream.reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"image");
        assert_eq!((stream.length, stream.sector_size), (Some(5), Some(512)));
        let digest = stream.digest.unwrap();
        assert_eq!(digest.sha256, Sha256Digest::of(b"image"));
        assert_eq!(digest.authority, DigestAuthority::LiveMedium);
    }

    #[test]
    fn a_system_without_live_medium_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = open_described(&dir.path().join("medium.json")).unwrap_err();
        assert!(matches!(error, SourceError::NoMedium { .. }), "{error:?}");
    }
}
