//! Files of the output directory as the manifest lists them: name, size, digest. The digests of a
//! rootfs (whole and by chunk) are taken in one pass.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use embed::digest::Sha256Digest;
use embed::manifest::Artifact;
use embed::stream_hash::{CHUNK, StreamHash};
use sha2::{Digest as _, Sha256};

/// Hashes what passes through it.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.size += read as u64;
        Ok(read)
    }
}

/// Describes the file at `path`.
pub fn describe(path: &Path) -> io::Result<Artifact> {
    let (sha256, size) = Sha256Digest::of_reader(File::open(path)?)?;
    Ok(Artifact {
        file: file_name(path)?,
        size,
        sha256,
    })
}

/// Describes the rootfs at `path`, with the chunk hashes that the live system checks it by.
pub fn describe_rootfs(path: &Path) -> io::Result<(Artifact, StreamHash)> {
    let mut input = Hashing {
        inner: File::open(path)?,
        hasher: Sha256::new(),
        size: 0,
    };
    let chunks = StreamHash::of_reader(&mut input, CHUNK)?;
    let Hashing { hasher, size, .. } = input;
    Ok((
        Artifact {
            file: file_name(path)?,
            size,
            sha256: Sha256Digest::finish(hasher),
        },
        chunks,
    ))
}

/// The last part of `path`, which must be text to be in a manifest.
pub fn file_name(path: &Path) -> io::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let not_text = || io::Error::new(io::ErrorKind::InvalidInput, "file name is not UTF-8");
    name.map(str::to_owned).ok_or_else(not_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_gives_both_digests() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rootfs.img");
        let data = vec![7u8; CHUNK + 5];
        std::fs::write(&path, &data).unwrap();
        let (artifact, chunks) = describe_rootfs(&path).unwrap();
        assert_eq!(artifact, describe(&path).unwrap());
        assert_eq!(artifact.sha256, Sha256Digest::of(&data));
        assert_eq!(
            (artifact.file.as_str(), artifact.size),
            ("rootfs.img", data.len() as u64)
        );
        assert_eq!(chunks.chunks(), 2);
        assert!(chunks.check(1, &[7; 5]).is_ok());
    }
}
