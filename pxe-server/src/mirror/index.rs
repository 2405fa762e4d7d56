//! `index.json` of a stream in the mirror: which build is current, and which are beside it. It is
//! replaced as a whole, after the builds that it names are complete.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PlainName;

/// Version of this document that is written, and the newest that is read.
const FORMAT: u32 = 1;
/// Largest index that is read, bytes.
const MAX: u64 = 1024 * 1024;

/// The builds of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Index {
    format: u32,
    /// The build that is served unless another one is asked for.
    pub current: PlainName,
    /// The others, those first that were mirrored last.
    pub older: Vec<PlainName>,
}

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It cannot be read.
    #[error("cannot read index.json")]
    Read(#[source] io::Error),
    /// Not of the expected form.
    #[error("index.json is damaged")]
    Syntax(#[source] serde_json::Error),
    /// Written by a newer program.
    #[error("index.json has format {0}; this program reads up to {FORMAT}")]
    Newer(u32),
}

impl Index {
    /// Its name in the directory of the stream.
    pub const FILE: &str = "index.json";

    /// An index of these builds.
    pub(super) fn new(current: PlainName, older: Vec<PlainName>) -> Self {
        Self {
            format: FORMAT,
            current,
            older,
        }
    }

    /// Reads the index of the stream in `dir`; none if nothing was mirrored yet.
    pub fn read(dir: &Path) -> Result<Option<Self>, IndexError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let file = match File::open(dir.join(Self::FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(IndexError::Read)?,
        };
        let mut bytes = Vec::new();
        let read = file.take(MAX).read_to_end(&mut bytes);
        read.map_err(IndexError::Read)?;
        let head: Head = serde_json::from_slice(&bytes).map_err(IndexError::Syntax)?;
        if head.format > FORMAT {
            return Err(IndexError::Newer(head.format));
        }
        let index = serde_json::from_slice(&bytes).map_err(IndexError::Syntax)?;
        Ok(Some(index))
    }

    /// Replaces the index of the stream in `dir`.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let mut file = tempfile::Builder::new()
            .prefix(".index-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(dir.join(Self::FILE))?;
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_round_trips_and_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Index::read(dir.path()).unwrap().is_none());
        let name = |text: &str| text.parse::<PlainName>().unwrap();
        let index = Index::new(name("2"), vec![name("1")]);
        index.write(dir.path()).unwrap();
        assert_eq!(Index::read(dir.path()).unwrap(), Some(index));
        let path = dir.path().join(Index::FILE);
        fs::write(&path, r#"{"format":2}"#).unwrap();
        let error = Index::read(dir.path()).unwrap_err();
        assert!(matches!(error, IndexError::Newer(2)), "{error:?}");
        fs::write(&path, r#"{"format":1,"current":"../x","older":[]}"#).unwrap();
        let error = Index::read(dir.path()).unwrap_err();
        assert!(matches!(error, IndexError::Syntax(_)), "{error:?}");
    }
}
