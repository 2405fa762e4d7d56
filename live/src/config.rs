//! Hands the machine's config to Ignition: finds it (boot partition, initramfs, or the firmware's
//! fw_cfg on the qemu platform), puts it where Ignition looks first, and notes its digest for the
//! report that the first boot makes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::contract::{boot, initrd, karg, run};
use embed::digest::Sha512Digest;
use embed::kargs::Kargs;

use crate::discover::{Devices, DiscoverError, PATIENCE};
use crate::mount::{self, MountError};

/// Where Ignition looks before it asks its platform.
const USER_CONFIG: &str = "/usr/lib/ignition/user.ign";
/// Ignition's own argument for a config by URL; it goes before every other source.
const CONFIG_URL: &str = "ignition.config.url";
const FW_CFG: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw";
const BOOT_MOUNT: &str = "/run/coreos-boot";
/// Largest config that is read, bytes.
const CONFIG_MAX: u64 = 64 * 1024 * 1024;

/// Why the config could not be handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The boot file system was not found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// It could not be mounted.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A file could not be read or written.
    #[error("cannot access {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// More than is read.
    #[error("config at {} is larger than {CONFIG_MAX} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// A config, and who gives it to Ignition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// We do, by a file.
    ByUs(Vec<u8>),
    /// The platform does; these are the bytes that it will give.
    ByPlatform(Vec<u8>),
    /// Ignition fetches it from a URL; its bytes are not known here.
    ByUrl,
    /// Nobody: the machine has none.
    Nothing,
}

/// Finds the config and prepares it; returns what was found.
pub fn hand_over(kargs: &Kargs, live: bool) -> Result<Given, ConfigError> {
    let given = if live {
        find(kargs, Path::new("/"), initrd::CONFIG)?
    } else {
        on_disk(kargs)?
    };
    store(
        &given,
        Path::new(USER_CONFIG),
        Path::new(run::CONFIG_SHA512),
    )?;
    Ok(given)
}

fn on_disk(kargs: &Kargs) -> Result<Given, ConfigError> {
    if kargs.last(CONFIG_URL).is_some() {
        return Ok(Given::ByUrl);
    }
    let found = Devices::default().wait(boot::LABEL, PATIENCE)?;
    mount::private_namespace()?;
    found.mount(Path::new(BOOT_MOUNT))?;
    find(kargs, Path::new(BOOT_MOUNT), boot::CONFIG)
}

fn find(kargs: &Kargs, dir: &Path, file: &str) -> Result<Given, ConfigError> {
    if kargs.last(CONFIG_URL).is_some() {
        return Ok(Given::ByUrl);
    }
    if let Some(bytes) = read(&dir.join(file))? {
        return Ok(Given::ByUs(bytes));
    }
    if kargs.last(karg::PLATFORM) != Some("qemu") {
        return Ok(Given::Nothing);
    }
    // Ignition loads the module too, but only after this. Without it the file is just not there.
    let _ = Command::new("modprobe").arg("qemu_fw_cfg").status();
    Ok(read(Path::new(FW_CFG))?.map_or(Given::Nothing, Given::ByPlatform))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let io_error = |source| ConfigError::Io {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    let mut bytes = Vec::new();
    file.take(CONFIG_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if bytes.len() as u64 > CONFIG_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(Some(bytes))
}

fn store(given: &Given, user_config: &Path, digest: &Path) -> Result<(), ConfigError> {
    let write = |path: &Path, bytes: &[u8]| {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))
            .and_then(|()| fs::write(path, bytes))
            .map_err(|source| ConfigError::Io {
                path: path.to_owned(),
                source,
            })
    };
    match given {
        Given::ByUs(bytes) => {
            write(user_config, bytes)?;
            write(digest, format!("{}\n", Sha512Digest::of(bytes)).as_bytes())
        }
        Given::ByPlatform(bytes) => {
            write(digest, format!("{}\n", Sha512Digest::of(bytes)).as_bytes())
        }
        Given::Nothing => write(digest, format!("{}\n", Sha512Digest::of(b"")).as_bytes()),
        Given::ByUrl => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &[u8] = br#"{"ignition":{"version":"3.3.0"}}"#;

    #[test]
    fn the_config_reaches_ignition_unchanged_and_its_digest_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ignition")).unwrap();
        fs::write(dir.path().join(boot::CONFIG), CONFIG).unwrap();
        let given = find(
            &Kargs::parse("ignition.platform.id=metal"),
            dir.path(),
            boot::CONFIG,
        )
        .unwrap();
        assert_eq!(given, Given::ByUs(CONFIG.to_vec()));
        let (user, digest) = (
            dir.path().join("usr/user.ign"),
            dir.path().join("run/digest"),
        );
        store(&given, &user, &digest).unwrap();
        assert_eq!(fs::read(user).unwrap(), CONFIG);
        assert_eq!(
            fs::read_to_string(digest).unwrap(),
            format!("{}\n", Sha512Digest::of(CONFIG))
        );
    }

    #[test]
    fn the_platforms_config_is_noted_but_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (user, digest) = (dir.path().join("user.ign"), dir.path().join("digest"));
        store(&Given::ByPlatform(CONFIG.to_vec()), &user, &digest).unwrap();
        assert!(!user.exists() && digest.exists());
    }

    #[test]
    fn a_config_by_url_wins_and_leaves_no_digest() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.ign"), CONFIG).unwrap();
        let given = find(
            &Kargs::parse("ignition.config.url=http://s/c"),
            dir.path(),
            "config.ign",
        )
        .unwrap();
        assert_eq!(given, Given::ByUrl);
        let digest = dir.path().join("digest");
        store(&given, &dir.path().join("user.ign"), &digest).unwrap();
        assert!(!digest.exists());
    }

    #[test]
    fn no_config_is_no_error_and_counts_as_no_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let given = find(&Kargs::parse("quiet"), dir.path(), "config.ign").unwrap();
        assert_eq!(given, Given::Nothing);
        let digest = dir.path().join("digest");
        store(&given, &dir.path().join("user.ign"), &digest).unwrap();
        assert_eq!(
            fs::read_to_string(digest).unwrap(),
            format!("{}\n", Sha512Digest::of(b""))
        );
    }

    #[test]
    fn a_directory_in_the_configs_place_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("config.ign")).unwrap();
        let error = find(&Kargs::default(), dir.path(), "config.ign").unwrap_err();
        assert!(matches!(error, ConfigError::Io { path, .. } if path.ends_with("config.ign")));
    }
}
