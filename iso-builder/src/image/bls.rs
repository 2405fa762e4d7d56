//! A boot loader entry (Boot Loader Specification, "Type #1"): kernel, initrds, options and title.
//!
//! Read only; the installer edits them. Paths of entries are those of the boot file system and are
//! refused when they could leave it.

/// Largest entry that is read, bytes.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// Why an entry cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlsError {
    /// A key that a bootable entry must have.
    #[error("boot loader entry has no `{0}` line")]
    Missing(&'static str),
    /// A path with `..` in it, or none at all.
    #[error("boot loader entry names `{0}`, which is not a path on the boot partition")]
    Path(String),
    /// Not text.
    #[error("boot loader entry is not UTF-8")]
    NotUtf8,
}

/// What is used of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlsEntry {
    /// Title for a menu; empty when there is none.
    pub title: String,
    /// Kernel, an absolute path on the boot partition.
    pub linux: String,
    /// Initrds in order, absolute paths on the boot partition.
    pub initrds: Vec<String>,
    /// All `options` lines, joined by blanks.
    pub options: String,
}

impl BlsEntry {
    /// Reads an entry.
    pub fn parse(text: &[u8]) -> Result<Self, BlsError> {
        let text = std::str::from_utf8(text).map_err(|_| BlsError::NotUtf8)?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        let pairs: Vec<(&str, &str)> = lines
            .filter_map(|line| line.split_once(char::is_whitespace))
            .map(|(key, value)| (key, value.trim()))
            .collect();
        let values = |key: &'static str| {
            pairs
                .iter()
                .filter(move |pair| pair.0 == key)
                .map(|pair| pair.1)
        };
        let linux = values("linux")
            .next_back()
            .ok_or(BlsError::Missing("linux"))?;
        // One line may name several initrds, and there may be several lines.
        let initrds = values("initrd")
            .flat_map(str::split_whitespace)
            .map(normal_path);
        let initrds: Vec<String> = initrds.collect::<Result<_, _>>()?;
        if initrds.is_empty() {
            return Err(BlsError::Missing("initrd"));
        }
        Ok(Self {
            title: values("title").next_back().unwrap_or_default().to_owned(),
            linux: normal_path(linux)?,
            initrds,
            options: values("options").collect::<Vec<_>>().join(" "),
        })
    }
}

fn normal_path(path: &str) -> Result<String, BlsError> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty()
        || parts
            .iter()
            .any(|part| *part == ".." || part.contains('\0'))
    {
        return Err(BlsError::Path(path.to_owned()));
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "# made by hand\ntitle Some OS 1 (x:0)\nversion 1\noptions root=LABEL=root rw\n\
        options console=ttyS0\nlinux //a/./vmlinuz\ninitrd /a/early.img /a/main.img\ngrub_users x\n";

    #[test]
    fn keys_are_read_and_repeated_ones_joined() {
        let entry = BlsEntry::parse(ENTRY.as_bytes()).unwrap();
        assert_eq!(entry.title, "Some OS 1 (x:0)");
        assert_eq!(entry.linux, "/a/vmlinuz");
        assert_eq!(entry.initrds, ["/a/early.img", "/a/main.img"]);
        assert_eq!(entry.options, "root=LABEL=root rw console=ttyS0");
    }

    #[test]
    fn entry_without_kernel_or_initrd_is_refused() {
        let without = |key: &str| {
            let kept: Vec<&str> = ENTRY
                .lines()
                .filter(|line| !line.starts_with(key))
                .collect();
            BlsEntry::parse(kept.join("\n").as_bytes())
        };
        assert_eq!(without("linux"), Err(BlsError::Missing("linux")));
        assert_eq!(without("initrd"), Err(BlsError::Missing("initrd")));
    }

    #[test]
    fn path_traversal_in_an_entry_is_refused() {
        let text = ENTRY.replace("//a/./vmlinuz", "/a/../../vmlinuz");
        assert_eq!(
            BlsEntry::parse(text.as_bytes()),
            Err(BlsError::Path("/a/../../vmlinuz".into()))
        );
        assert_eq!(BlsEntry::parse(b"linux \xff\n"), Err(BlsError::NotUtf8));
    }
}
