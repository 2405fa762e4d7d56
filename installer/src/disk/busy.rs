//! Who uses a disk or a partition on it: mounts, swap, multipath and other device-mapper devices,
//! RAID, loop devices. Read from `/proc` and `/sys`; nothing is asked of udev.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::composed::{Built, built, is_mapped_partition, mapped_partitions};

/// One use of a disk or of a partition on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// A file system on it is mounted.
    Mounted {
        /// The disk or partition.
        device: PathBuf,
        /// Mount point.
        at: PathBuf,
    },
    /// It is swapped to.
    Swap {
        /// The disk or partition.
        device: PathBuf,
    },
    /// It is one of several paths to a disk.
    Path {
        /// The path.
        device: PathBuf,
        /// The multipath device, which stands for all of them.
        of: PathBuf,
        /// Its name in device-mapper.
        name: String,
    },
    /// A device-mapper, RAID or similar device is made of it.
    Holder {
        /// The disk or partition.
        device: PathBuf,
        /// The device made of it.
        holder: PathBuf,
    },
    /// A loop device is bound to it.
    Loop {
        /// The disk or partition.
        device: PathBuf,
        /// The loop device.
        by: PathBuf,
    },
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { device, at } => {
                write!(f, "{} is mounted on {}", device.display(), at.display())
            }
            Self::Swap { device } => write!(f, "{} is used as swap", device.display()),
            Self::Path { device, of, name } => write!(
                f,
                "{} is a path of the multipath device {} ({name}), which stands for the disk",
                device.display(),
                of.display()
            ),
            Self::Holder { device, holder } => {
                write!(f, "{} is part of {}", device.display(), holder.display())
            }
            Self::Loop { device, by } => {
                write!(f, "{} is behind {}", device.display(), by.display())
            }
        }
    }
}

/// Where the kernel tells about itself.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(super) sys: PathBuf,
    pub(super) proc: PathBuf,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            proc: "/proc".into(),
        }
    }
}

/// A disk or partition as the kernel names it.
struct Node {
    /// `MAJOR:MINOR`
    number: String,
    /// Its directory below `/sys/devices`.
    dir: PathBuf,
    path: PathBuf,
}

impl Node {
    fn new(dir: PathBuf) -> io::Result<Self> {
        let number = fs::read_to_string(dir.join("dev"))?.trim().to_owned();
        let path = dev_path(&dir);
        Ok(Self { number, dir, path })
    }
}

/// The device node of a sysfs directory or name; the kernel writes `!` for `/` in names.
pub(super) fn dev_path(dir: &Path) -> PathBuf {
    let name = dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('!', "/");
    Path::new("/dev").join(name)
}

impl Kernel {
    fn dir(&self, number: &str) -> io::Result<PathBuf> {
        fs::canonicalize(self.sys.join("dev/block").join(number))
    }

    /// Whether the device `MAJOR:MINOR` is a partition of another.
    pub(super) fn is_partition(&self, number: &str) -> bool {
        self.dir(number)
            .is_ok_and(|dir| dir.join("partition").exists() || is_mapped_partition(&dir))
    }

    /// Whether the disk `MAJOR:MINOR` has partitions that kpartx mapped: they are no use of it, but
    /// the kernel takes them for one.
    pub(super) fn has_mapped_partitions(&self, number: &str) -> io::Result<bool> {
        Ok(!mapped_partitions(&self.dir(number)?)?.is_empty())
    }

    /// Every use of the disk `MAJOR:MINOR` and of its partitions, whoever found those.
    pub(super) fn uses(&self, number: &str) -> io::Result<Vec<Use>> {
        let disk = Node::new(self.dir(number)?)?;
        let mut nodes = Vec::new();
        for dir in list(&disk.dir)? {
            if dir.join("partition").exists() {
                nodes.push(Node::new(dir)?);
            }
        }
        for dir in mapped_partitions(&disk.dir)? {
            nodes.push(Node::new(dir)?);
        }
        nodes.insert(0, disk);
        let mut uses = self.mounts(&nodes)?;
        uses.extend(self.swaps(&nodes)?);
        for node in &nodes {
            for holder in list(&node.dir.join("holders"))? {
                let device = node.path.clone();
                let path = dev_path(&holder);
                uses.extend(match built(&node.dir, &holder) {
                    // One of the nodes.
                    Built::Partition => None,
                    Built::Multipath(name) => Some(Use::Path {
                        device,
                        of: path,
                        name,
                    }),
                    Built::Other => Some(Use::Holder {
                        device,
                        holder: path,
                    }),
                });
            }
        }
        uses.extend(self.loops(&nodes)?);
        Ok(uses)
    }

    /// Every loop device that is bound to a file.
    pub(crate) fn uses_of_file(&self, path: &Path) -> io::Result<Vec<Use>> {
        let node = Node {
            number: String::new(),
            dir: PathBuf::new(),
            path: fs::canonicalize(path)?,
        };
        self.loops(&[node])
    }

    /// proc_pid_mountinfo(5): `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - TYPE SOURCE …`
    fn mounts(&self, nodes: &[Node]) -> io::Result<Vec<Use>> {
        let text = fs::read_to_string(self.proc.join("self/mountinfo"))?;
        let mut uses = Vec::new();
        for line in text.lines() {
            let mut fields = line.split(' ').skip(2);
            let (Some(number), Some(point)) = (fields.next(), fields.nth(1)) else {
                continue;
            };
            // Some file systems (btrfs) show a number of their own; their source is the device.
            let source = fields
                .skip_while(|field| *field != "-")
                .nth(2)
                .map(unescape);
            let found = nodes.iter().find(|node| {
                node.number == number || source.as_deref().is_some_and(|s| is_path_of(s, node))
            });
            if let Some(node) = found {
                uses.push(Use::Mounted {
                    device: node.path.clone(),
                    at: unescape(point).into(),
                });
            }
        }
        Ok(uses)
    }

    fn swaps(&self, nodes: &[Node]) -> io::Result<Vec<Use>> {
        let text = match fs::read_to_string(self.proc.join("swaps")) {
            // A kernel without swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let paths = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next());
        let used = |path: &str| nodes.iter().find(|node| is_path_of(&unescape(path), node));
        Ok(paths
            .filter_map(used)
            .map(|node| Use::Swap {
                device: node.path.clone(),
            })
            .collect())
    }

    fn loops(&self, nodes: &[Node]) -> io::Result<Vec<Use>> {
        let mut uses = Vec::new();
        for dir in list(&self.sys.join("block"))? {
            let Ok(backing) = fs::read_to_string(dir.join("loop/backing_file")) else {
                continue;
            };
            let backing = backing.trim_end_matches('\n');
            if let Some(node) = nodes.iter().find(|node| is_path_of(backing, node)) {
                uses.push(Use::Loop {
                    device: node.path.clone(),
                    by: dev_path(&dir),
                });
            }
        }
        Ok(uses)
    }
}

/// Whether `path`, perhaps a link, is the device node of `node`.
fn is_path_of(path: &str, node: &Node) -> bool {
    Path::new(path) == node.path || fs::canonicalize(path).is_ok_and(|path| path == node.path)
}

/// Entries of a directory, sorted; none if it is missing.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Undoes the kernel's octal escapes of blanks and backslashes.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012"]
        .iter()
        .zip([" ", "\t", "\n"])
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests;
