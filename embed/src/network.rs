//! NetworkManager keyfiles as an initrd carries them: `etc/coreos-firstboot-network/NAME`.
//!
//! The live system applies them before Ignition runs. What a keyfile says is not looked into.

use crate::contract::initrd::NETWORK_DIR;
use crate::initrd::{Archive, InitrdError};

/// Why a keyfile was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Two keyfiles would become the same file.
    #[error("config already specifies keyfile `{0}`")]
    Duplicate(String),
    /// Not the name of a file in a directory.
    #[error("`{0}` is not a file name")]
    Name(String),
    /// A name that an initrd cannot hold.
    #[error("cannot put keyfile `{name}` into an initrd")]
    Initrd {
        /// The file.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InitrdError,
    },
}

/// Whether the file at `path` of an initrd is a keyfile.
pub fn is_keyfile(path: &str) -> bool {
    name(path).is_some()
}

/// Adds a keyfile to `archive`; one of the same name must not be there.
pub fn insert(
    archive: &mut Archive,
    name: &str,
    content: impl Into<Vec<u8>>,
) -> Result<(), NetworkError> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(NetworkError::Name(name.to_owned()));
    }
    let path = format!("{NETWORK_DIR}/{name}");
    if archive.get(&path).is_some() {
        return Err(NetworkError::Duplicate(name.to_owned()));
    }
    let initrd = |source| NetworkError::Initrd {
        name: name.to_owned(),
        source,
    };
    archive.insert(&path, content).map_err(initrd)
}

/// Names and contents of the keyfiles in `archive`, sorted by name.
pub fn keyfiles(archive: &Archive) -> impl Iterator<Item = (&str, &[u8])> {
    let files = archive.iter();
    files.filter_map(|(path, content)| Some((name(path)?, content)))
}

/// Whether `archive` holds a keyfile.
pub fn is_configured(archive: &Archive) -> bool {
    keyfiles(archive).next().is_some()
}

/// Takes every keyfile out of `archive`.
pub fn remove(archive: &mut Archive) {
    let paths: Vec<String> = archive
        .iter()
        .filter(|(path, _)| is_keyfile(path))
        .map(|(path, _)| path.to_owned())
        .collect();
    for path in paths {
        archive.remove(&path);
    }
}

/// What `path` is called below the directory of keyfiles.
fn name(path: &str) -> Option<&str> {
    path.strip_prefix(NETWORK_DIR)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyfiles_are_added_once_listed_by_name_and_removed_alone() {
        let mut archive = Archive::default();
        archive.insert("config.ign", "{}").unwrap();
        insert(&mut archive, "b.nmconnection", "b").unwrap();
        insert(&mut archive, "a.nmconnection", "a").unwrap();
        let error = insert(&mut archive, "b.nmconnection", "other").unwrap_err();
        assert_eq!(
            error.to_string(),
            "config already specifies keyfile `b.nmconnection`"
        );
        let found: Vec<_> = keyfiles(&archive).collect();
        assert_eq!(
            found,
            [
                ("a.nmconnection", b"a".as_slice()),
                ("b.nmconnection", b"b")
            ]
        );
        remove(&mut archive);
        assert!(!is_configured(&archive));
        assert_eq!(archive.get("config.ign"), Some(b"{}".as_slice()));
    }

    #[test]
    fn names_that_are_no_file_of_the_directory_are_refused() {
        let mut archive = Archive::default();
        for name in ["", "a/b", "/a", "a\0b"] {
            let error = insert(&mut archive, name, "").unwrap_err();
            assert!(matches!(error, NetworkError::Name(_)), "{name:?}");
        }
        for name in [".", ".."] {
            let error = insert(&mut archive, name, "").unwrap_err();
            assert!(matches!(error, NetworkError::Initrd { .. }), "{name}");
        }
        assert!(archive.is_empty());
        assert!(!is_keyfile("etc/coreos-firstboot-network"));
        assert!(!is_keyfile("etc/coreos-firstboot-networks/a"));
    }
}
