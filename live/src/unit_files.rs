//! Writes what a systemd generator may write: units, drop-ins and the links that pull units in.
//! Which ones is decided by the two generators. See systemd.generator(7).

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A directory that systemd reads units from.
#[derive(Clone, Debug)]
pub struct UnitDir(PathBuf);

impl UnitDir {
    /// A directory given to a generator.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Writes the unit `name`.
    pub fn unit(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        fs::write(self.0.join(name), text)
    }

    /// Writes `NAME.d/coreos.conf`.
    pub fn drop_in(&self, name: &str, text: &str) -> io::Result<()> {
        let dir = self.0.join(format!("{name}.d"));
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("coreos.conf"), text)
    }

    /// Makes `by` require the unit `name`, whose file is `file`.
    pub fn require(&self, by: &str, name: &str, file: &Path) -> io::Result<()> {
        self.link(Path::new(&format!("{by}.requires")).join(name), file)
    }

    /// Makes `by` want the unit `name`, whose file is `file`.
    pub fn want(&self, by: &str, name: &str, file: &Path) -> io::Result<()> {
        self.link(Path::new(&format!("{by}.wants")).join(name), file)
    }

    /// Gives the unit at `file` another name; a link that is there is replaced.
    pub fn alias(&self, name: &str, file: &Path) -> io::Result<()> {
        self.link(PathBuf::from(name), file)
    }

    /// Path of a unit written by [`Self::unit`].
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn link(&self, at: PathBuf, file: &Path) -> io::Result<()> {
        let at = self.0.join(at);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::remove_file(&at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(file, at)
    }
}

/// Where the units of this package are installed.
pub const SYSTEM_UNITS: &str = "/usr/lib/systemd/system";

/// Path of the installed unit `name`.
pub fn installed(name: &str) -> PathBuf {
    Path::new(SYSTEM_UNITS).join(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every file below `dir` as `path: text` and every link as `path -> target`, sorted.
    pub(crate) fn listing(dir: &Path) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap().display().to_string();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    walk(&path, root, out);
                } else if kind.is_symlink() {
                    out.push(format!(
                        "{name} -> {}",
                        fs::read_link(&path).unwrap().display()
                    ));
                } else {
                    out.push(format!("{name}: {}", fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut out = Vec::new();
        walk(dir, dir, &mut out);
        out.sort();
        out
    }

    #[test]
    fn a_link_written_twice_is_the_second() {
        let dir = tempfile::tempdir().unwrap();
        let units = UnitDir::new(dir.path().join("normal"));
        units.alias("default.target", Path::new("/a")).unwrap();
        units.alias("default.target", Path::new("/b")).unwrap();
        assert_eq!(listing(dir.path()), ["normal/default.target -> /b"]);
    }
}
