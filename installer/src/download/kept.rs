//! The files of a download in their directory: under which names they are kept, and in which order
//! they appear. A file never lies beside another file's signature or chunk manifest, whenever the
//! power goes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::source::{Signature, manifest_beside};

/// Names and contents.
type Files<'b> = Vec<(PathBuf, &'b [u8])>;

/// What is published with a file and kept beside it.
#[derive(Debug)]
pub(super) struct Companions {
    /// The signature over the file.
    pub(super) signature: Signature,
    /// The chunk manifest and the signature over that.
    pub(super) list: Option<(Vec<u8>, Signature)>,
}

impl Companions {
    /// A file that nothing is kept beside.
    pub(super) fn none() -> Self {
        Self {
            signature: Signature::Absent {
                looked_at: String::new(),
                status: None,
            },
            list: None,
        }
    }

    /// Where the chunk manifest of the file at `path` is kept, if it has one.
    pub(super) fn manifest(&self, path: &Path) -> Option<PathBuf> {
        self.list.as_ref().and_then(|_| manifest_beside(path))
    }

    /// Whether all of them lie beside the file at `path` as they are, with a signature among them.
    pub(super) fn are_beside(&self, path: &Path) -> bool {
        let (before, after) = self.files(path);
        let signed = [
            Some(&self.signature),
            self.list.as_ref().map(|list| &list.1),
        ]
        .into_iter()
        .flatten()
        .any(|signature| matches!(signature, Signature::Detached(_)));
        let is_there = |(path, bytes): &(PathBuf, &[u8])| {
            fs::read(path).is_ok_and(|there| there.as_slice() == *bytes)
        };
        signed && before.iter().chain(&after).all(is_there)
    }

    /// What must be there before the file at `path` is, and what must not.
    fn files(&self, path: &Path) -> (Files<'_>, Files<'_>) {
        let before = signature_file(path, &self.signature).into_iter().collect();
        let mut after = Vec::new();
        if let (Some((bytes, signed)), Some(list)) = (&self.list, manifest_beside(path)) {
            after.extend(signature_file(&list, signed));
            after.push((list, bytes.as_slice()));
        }
        (before, after)
    }

    /// Gives `file` and what is kept beside it their names in `dir`.
    ///
    /// What lay beside an earlier file goes first, and that file before another's signature comes.
    /// The chunk manifest comes last: whoever finds it finds all it is about.
    pub(super) fn publish(&self, file: NamedTempFile, dir: &Path, path: &Path) -> io::Result<()> {
        file.as_file().sync_all()?;
        let (before, after) = self.files(path);
        let before = temp_files(dir, before)?;
        let after = temp_files(dir, after)?;
        if let Some(list) = manifest_beside(path) {
            remove(&list)?;
            remove(&signature_path(&list))?;
        }
        remove(&signature_path(path))?;
        if !before.is_empty() {
            remove(path)?;
        }
        let image = [(file, path.to_owned())];
        let mut done: Vec<PathBuf> = Vec::new();
        for (temp, path) in before.into_iter().chain(image).chain(after) {
            if let Err(error) = temp.persist(&path) {
                for path in done {
                    // The first error is the one to tell.
                    let _ = fs::remove_file(path);
                }
                return Err(error.error);
            }
            done.push(path);
        }
        File::open(dir)?.sync_all()
    }
}

/// The signature of the file at `path` under its name, if there is one.
fn signature_file<'s>(path: &Path, signature: &'s Signature) -> Option<(PathBuf, &'s [u8])> {
    match signature {
        Signature::Detached(bytes) => Some((signature_path(path), bytes.as_slice())),
        Signature::Absent { .. } => None,
    }
}

fn temp_files(dir: &Path, files: Files<'_>) -> io::Result<Vec<(NamedTempFile, PathBuf)>> {
    let write = |(path, bytes): (PathBuf, &[u8])| {
        let mut temp = temp_file(dir)?;
        temp.write_all(bytes)?;
        temp.as_file().sync_all()?;
        Ok((temp, path))
    };
    files.into_iter().map(write).collect()
}

/// A file that vanishes unless it is given its name.
pub(super) fn temp_file(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".coreos-installer-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(dir)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the signature of a file is kept.
fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
