//! Local image files and the signatures beside them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ImageStream, MAX_SIGNATURE, Signature, SourceError, read_limited};

/// Opens `path`; a missing `PATH.sig` is no error here.
pub(super) fn open(path: &Path) -> Result<ImageStream, SourceError> {
    let (file, length) = open_sized(path)?;
    Ok(ImageStream {
        local: second(&file, length),
        reader: Box::new(file),
        name: path.display().to_string(),
        length,
        signature: signature_of(path)?,
        digest: None,
        sector_size: None,
        remote: None,
    })
}

/// A handle of a regular file for reading at places, if the system gives one.
pub(super) fn second(file: &File, length: Option<u64>) -> Option<Arc<File>> {
    length.and_then(|_| file.try_clone().ok()).map(Arc::new)
}

/// A readable file and its size; only a regular file has one (a block device or pipe has not).
pub(crate) fn open_sized(path: &Path) -> Result<(File, Option<u64>), SourceError> {
    let at = |source| SourceError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    let meta = file.metadata().map_err(at)?;
    if meta.is_dir() {
        return Err(at(io::ErrorKind::IsADirectory.into()));
    }
    Ok((file, meta.is_file().then_some(meta.len())))
}

pub(super) fn signature_of(path: &Path) -> Result<Signature, SourceError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    let path = PathBuf::from(name);
    let at = |source| SourceError::File {
        path: path.clone(),
        source,
    };
    match File::open(&path) {
        Ok(file) => {
            let name = path.display().to_string();
            let bytes = read_limited(file, MAX_SIGNATURE, &name)?.map_err(at)?;
            Ok(Signature::Detached(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Signature::Absent {
            looked_at: path.display().to_string(),
            status: None,
        }),
        Err(error) => Err(at(error)),
    }
}
