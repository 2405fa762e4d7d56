//! Makes an initramfs live that was built without the live module: the module, which is a file
//! that `coreos-live pack-module` wrote, and the kernel modules that it needs and the initramfs
//! has not, out of the image's root file system.
//!
//! What the initramfs has stays as it is: a path that it has is not written again. Exceptions are
//! the indexes of its kernel modules, which must name the new ones, [`REPLACED`] and [`SILENCED`].

mod kernel;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use embed::contract::initrd as names;
use embed::initrd::{InitrdError, Limits, newc, walk};
use flate2::{Compression, GzBuilder};

use crate::image::RootError;

pub use kernel::{KernelModules, kernel_release};
pub use survey::Survey;

/// What a module may be at most.
const LIMITS: Limits = Limits {
    bytes: 1 << 30,
    entries: 10_000,
};
/// Of what an initramfs has: an identity baked into it would be that of all machines at once, and
/// another test for a live boot would look for another kind of medium.
const REPLACED: [&str; 2] = ["etc/machine-id", "usr/bin/is-live-image"];
/// Generators of other live parts, which would mount another root; taken out by a link to nothing
/// (systemd.generator(7)).
const SILENCED: [&str; 1] = ["usr/lib/systemd/system-generators/live-generator"];
/// Where a file leads that systemd is not to run.
const NOTHING: &str = "/dev/null";
/// Place of the machine in an ELF header, and that of 64-bit x86 (System V ABI, chapter 4).
const ELF_MACHINE: usize = 18;
const EM_X86_64: [u8; 2] = [62, 0];

/// Why an initramfs was not made live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The module cannot be read.
    #[error("cannot read the live module {path}")]
    Read {
        /// The module.
        path: PathBuf,
        /// Why.
        #[source]
        source: InitrdError,
    },
    /// A file that is no live module.
    #[error("{path} is no live module: it has no `{missing}`")]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// What it has not.
        missing: &'static str,
    },
    /// A module with programs for another machine.
    #[error("the live module {path} is not for x86_64")]
    Architecture {
        /// The module.
        path: PathBuf,
    },
    /// An initramfs of another kind.
    #[error("the image's initramfs cannot take the live module: it has no {}", .lacks.join(", no "))]
    Unfit {
        /// What it has not.
        lacks: Vec<&'static str>,
    },
    /// A kernel that does not tell its version.
    #[error("the image's kernel does not tell its version, so its modules cannot be found")]
    NoRelease,
    /// Kernel modules that neither initramfs nor root file system have.
    #[error("there is no kernel module {} in the image", .0.join(", none "))]
    NoKernelModule(Vec<String>),
    /// Kernel modules that are missing in the initramfs and cannot be taken from the image.
    #[error("the image's initramfs has no kernel module {}, and none can be taken from the image", .missing.join(", none "))]
    Root {
        /// The modules.
        missing: Vec<String>,
        /// Why.
        #[source]
        source: RootError,
    },
    /// The archive cannot be written.
    #[error("cannot write the live module into the initramfs")]
    Write(#[source] io::Error),
}

/// A live module.
#[derive(Clone, Debug)]
pub struct LiveModule {
    nodes: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(u32, Vec<u8>),
    Link(String),
}

impl LiveModule {
    /// Reads the module at `path`.
    pub fn read(path: &Path) -> Result<Self, ModuleError> {
        let failed = |source| ModuleError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(|e| failed(InitrdError::Io(e)))?;
        let mut nodes = BTreeMap::new();
        walk(BufReader::new(file), LIMITS, |entry, data| {
            let path = embed::initrd::relative_path(&entry.name)?.to_owned();
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).map_err(InitrdError::Io)?;
            let node = if entry.is_directory() {
                Node::Directory
            } else if entry.is_symlink() {
                Node::Link(String::from_utf8_lossy(&bytes).into_owned())
            } else {
                Node::File(entry.mode & 0o777, bytes)
            };
            nodes.insert(path, node);
            Ok(ControlFlow::Continue(()))
        })
        .map_err(failed)?;
        let module = Self { nodes };
        module.check(path)?;
        Ok(module)
    }

    fn check(&self, path: &Path) -> Result<(), ModuleError> {
        for missing in [names::LIVE_PROGRAM, names::KERNEL_MODULES] {
            if self.file(missing).is_none() {
                return Err(ModuleError::NotAModule {
                    path: path.to_owned(),
                    missing,
                });
            }
        }
        let foreign = self.nodes.values().any(|node| match node {
            Node::File(_, bytes) => {
                let machine = bytes.get(ELF_MACHINE..ELF_MACHINE + 2);
                bytes.starts_with(b"\x7fELF") && machine != Some(EM_X86_64.as_slice())
            }
            _ => false,
        });
        match foreign {
            true => Err(ModuleError::Architecture {
                path: path.to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn file(&self, path: &str) -> Option<&[u8]> {
        match self.nodes.get(path) {
            Some(Node::File(_, bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The kernel modules that it needs: names, and whether it cannot do without.
    fn kernel_modules(&self) -> Vec<(String, bool)> {
        let list = String::from_utf8_lossy(self.file(names::KERNEL_MODULES).unwrap_or_default());
        let lines = list.lines().filter_map(|line| {
            let (how, name) = line.split_once(' ')?;
            Some((name.to_owned(), how == "required"))
        });
        lines.collect()
    }

    /// What is to be appended to an initramfs that `survey` describes, with the kernel modules
    /// `kernel`: a gzip member, which every kernel reads, padded to a multiple of 4 bytes.
    pub fn archive(&self, survey: &Survey, kernel: KernelModules) -> Result<Vec<u8>, ModuleError> {
        let mut nodes: BTreeMap<&str, &Node> = BTreeMap::new();
        let is_new = |path: &str| !survey.has(path) || REPLACED.contains(&path);
        let own = self.nodes.iter().filter(|(path, _)| is_new(path));
        nodes.extend(own.map(|(path, node)| (path.as_str(), node)));
        let nothing = Node::Link(NOTHING.to_owned());
        let silenced = SILENCED.iter().filter(|path| survey.has(path));
        nodes.extend(silenced.map(|path| (*path, &nothing)));
        let files: Vec<(String, Node)> = kernel
            .files
            .into_iter()
            .map(|(path, bytes)| (path, Node::File(0o644, bytes)))
            .collect();
        for (path, node) in &files {
            for (at, _) in path.match_indices('/') {
                let directory = path.get(..at).unwrap_or_default();
                if !survey.has(directory) {
                    nodes.insert(directory, &Node::Directory);
                }
            }
            nodes.insert(path, node);
        }
        compress(&nodes).map_err(ModuleError::Write)
    }
}

fn compress(nodes: &BTreeMap<&str, &Node>) -> io::Result<Vec<u8>> {
    // Time 0 and no name: the same module gives the same bytes.
    let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut cpio = newc::Writer::new(gzip);
    for (path, node) in nodes {
        match node {
            Node::Directory => cpio.directory(path, 0o755)?,
            Node::File(mode, bytes) => {
                cpio.file(path, *mode, bytes.len() as u64, bytes.as_slice())?
            }
            Node::Link(target) => cpio.symlink(path, target)?,
        }
    }
    let mut gzip = cpio.finish()?;
    gzip.flush()?;
    let mut out = gzip.finish()?;
    out.resize(out.len().next_multiple_of(4), 0);
    Ok(out)
}
