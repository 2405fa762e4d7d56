//! What the TFTP server sends, and the way by which it gets at that: where files come from is
//! another's affair ([`FileSource`]).

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;

use crate::mac::MacAddr;
use crate::machine::Event;
use crate::provision::ProvisionError;

/// Bytes that can be read at any place.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// An open file and its size when it was opened.
    File(File, u64),
}

impl Content {
    /// The file at `path`.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(OpenError::Unreadable)?;
        let size = file.metadata().map_err(OpenError::Unreadable)?.len();
        Ok(Self::File(file, size))
    }

    /// Length, bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    /// Reads up to `length` bytes at `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: u16) -> io::Result<Vec<u8>> {
        let length = u64::from(length).min(self.size().saturating_sub(offset));
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(offset).map_err(io::Error::other)?;
                let end = start + usize::try_from(length).map_err(io::Error::other)?;
                Ok(bytes.get(start..end).unwrap_or_default().to_vec())
            }
            Self::File(file, _) => {
                let mut block = vec![0; usize::try_from(length).map_err(io::Error::other)?];
                file.read_exact_at(&mut block, offset)?;
                Ok(block)
            }
        }
    }
}

/// A file ready to be sent.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub content: Content,
    /// What to note once it has arrived whole.
    pub note: Option<(MacAddr, Event)>,
}

/// Why a file is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No such name.
    #[error("no such file")]
    NotFound,
    /// There is one, and not for this client now.
    #[error(transparent)]
    Refused(#[from] ProvisionError),
    /// It should be there and cannot be read.
    #[error("file not readable")]
    Unreadable(#[source] io::Error),
}

/// Who asks for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The address of ours that it reached.
    pub local: Ipv4Addr,
    /// Its own.
    pub peer: Ipv4Addr,
}

/// A file that is being opened or made.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send + 'a>>;

/// Turns names into contents.
pub trait FileSource: Send + Sync + std::fmt::Debug {
    /// Opens `name` for a client.
    fn open<'a>(&'a self, name: &'a str, asker: Asker) -> Opening<'a>;

    /// Takes note of what has arrived.
    fn arrived(&self, mac: MacAddr, event: Event);
}

/// RFC 1350 netascii: LF becomes CR LF, CR becomes CR NUL.
pub(super) fn to_netascii(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            other => text.push(*other),
        }
    }
    text
}
