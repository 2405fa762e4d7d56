//! What can be fetched by TFTP: the site's boot programs and the generated `autoexec.ipxe`.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;

use crate::boot::{BootFile, Endpoint, autoexec_script};
use crate::mac::MacAddr;
use crate::machine::{Event, Observer, Via};
use crate::site::FirstStages;

/// Bytes that can be read at any place.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// An open file and its size when it was opened.
    File(File, u64),
}

impl Content {
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
    /// It should be there and cannot be read.
    #[error("file not readable")]
    Unreadable(#[source] io::Error),
}

/// Turns names into contents.
pub trait FileSource: Send + Sync + std::fmt::Debug {
    /// Opens `name` for a client that reached us at `local`.
    fn open(&self, name: &str, local: Ipv4Addr) -> Result<Opened, OpenError>;

    /// Takes note of what has arrived.
    fn arrived(&self, mac: MacAddr, event: Event);
}

/// The boot files of a site.
#[derive(Debug)]
pub struct BootFiles {
    /// Boot programs.
    pub first_stages: FirstStages,
    /// Our address as clients shall use it, when not that of the interface.
    pub advertise: Option<Ipv4Addr>,
    /// Port of our HTTP server.
    pub http_port: u16,
    /// Where events go.
    pub observer: Observer,
}

impl FileSource for BootFiles {
    fn open(&self, name: &str, local: Ipv4Addr) -> Result<Opened, OpenError> {
        let (mac, file) = self
            .first_stages
            .get()
            .programs
            .resolve(name)
            .ok_or(OpenError::NotFound)?;
        let path = match file {
            BootFile::Autoexec => {
                let endpoint = Endpoint {
                    address: self.advertise.unwrap_or(local),
                    port: self.http_port,
                };
                return Ok(Opened {
                    content: Content::Bytes(autoexec_script(endpoint).into_bytes()),
                    note: None,
                });
            }
            BootFile::Program(path) => path,
        };
        let file = File::open(&path).map_err(OpenError::Unreadable)?;
        let size = file.metadata().map_err(OpenError::Unreadable)?.len();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let note = mac.map(|mac| {
            (
                mac,
                Event::NbpServed {
                    file: name,
                    bytes: size,
                    via: Via::Tftp,
                },
            )
        });
        Ok(Opened {
            content: Content::File(file, size),
            note,
        })
    }

    fn arrived(&self, mac: MacAddr, event: Event) {
        self.observer.note(mac, event);
    }
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
