//! Writes the live module as a cpio archive: the fixed files, the programs, and the libraries that
//! they were built with. The same programs give the same bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use embed::contract::initrd;
use embed::initrd::newc;

use super::content::{self, INSTALLER, LIBRARIES, LIVE, LOADER, Node, Nodes, PROGRAMS};
use super::libraries::{LibraryError, of_program};

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A program or library cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a program needs is not known.
    #[error("cannot tell which libraries {} needs", .path.display())]
    Libraries {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: LibraryError,
    },
    /// One of the programs needs libraries, the other does not.
    #[error("{} and {} must both be static programs, or neither", .live.display(), .installer.display())]
    Mixed {
        /// The live program.
        live: PathBuf,
        /// The installer.
        installer: PathBuf,
    },
    /// The archive cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes the module with the programs at `live` and `installer` to `out`.
pub fn pack(out: &Path, live: &Path, installer: &Path) -> Result<(), PackError> {
    let mut programs = Nodes::new();
    let mut libraries = BTreeSet::new();
    let mut dynamic = Vec::new();
    for (path, name) in [(live, LIVE), (installer, INSTALLER)] {
        let bytes = read(path)?;
        let needs = of_program(path, &bytes).map_err(|source| PackError::Libraries {
            path: path.to_owned(),
            source,
        })?;
        dynamic.push(needs.is_some());
        if let Some(needs) = needs {
            libraries.insert((LOADER.to_owned(), needs.linker));
            libraries.extend(needs.files.into_iter().filter_map(named));
        }
        let place = format!("{}/{PROGRAMS}/{name}", initrd::MODULE);
        programs.insert(place, Node::File(0o755, bytes));
    }
    let is_dynamic = dynamic.contains(&true);
    if is_dynamic && dynamic.contains(&false) {
        return Err(PackError::Mixed {
            live: live.to_owned(),
            installer: installer.to_owned(),
        });
    }
    let mut nodes = content::fixed(is_dynamic);
    nodes.append(&mut programs);
    for (name, path) in libraries {
        let place = format!("{}/{LIBRARIES}/{name}", initrd::MODULE);
        nodes.insert(place, Node::File(0o755, read(&path)?));
    }
    write(out, &nodes).map_err(|source| PackError::Write {
        path: out.to_owned(),
        source,
    })
}

fn named(path: PathBuf) -> Option<(String, PathBuf)> {
    let name = path.file_name()?.to_str()?.to_owned();
    Some((name, path))
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes `nodes`, each directory before what is in it.
fn write(out: &Path, nodes: &Nodes) -> io::Result<()> {
    let mut cpio = newc::Writer::new(BufWriter::new(File::create(out)?));
    let mut directories = BTreeSet::new();
    for (path, node) in nodes {
        for (at, _) in path.match_indices('/') {
            let directory = path.get(..at).unwrap_or_default();
            if directories.insert(directory) {
                cpio.directory(directory, 0o755)?;
            }
        }
        match node {
            Node::File(mode, bytes) => {
                cpio.file(path, *mode, bytes.len() as u64, bytes.as_slice())?;
            }
            Node::Link(target) => cpio.symlink(path, target)?,
        }
    }
    cpio.finish()?.flush()
}
