//! The network of the initramfs: brought up only when a config or the rootfs needs it, by
//! NetworkManager as dracut ships it, and taken down again so that the real root starts clean.
//!
//! Keyfiles that came with the machine's config are used here and passed on to the real root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::contract::initrd;
use embed::kargs::Kargs;
use uuid::Uuid;

/// Where NetworkManager reads connections that last until reboot.
const CONNECTIONS: &str = "run/NetworkManager/system-connections";
/// Where it keeps those of the installed system.
const PERSISTENT: &str = "etc/NetworkManager/system-connections";
/// dracut's units start NetworkManager when this exists.
const NEEDED: &str = "run/NetworkManager/initrd/neednet";
/// NetworkManager's reader of dracut's kernel arguments; the place differs between distributions.
const GENERATORS: [&str; 3] = [
    "/usr/libexec/nm-initrd-generator",
    "/usr/lib/NetworkManager/nm-initrd-generator",
    "/usr/lib/nm-initrd-generator",
];

/// Kernel arguments that configure the network, and so belong to the installed system's first boot
/// as well: dracut.cmdline(7), kernel `Documentation/admin-guide/nfs/nfsroot.rst`.
pub const KARGS: [&str; 19] = [
    "ip",
    "ifname",
    "rd.route",
    "bootdev",
    "BOOTIF",
    "rd.bootif",
    "nameserver",
    "rd.peerdns",
    "biosdevname",
    "vlan",
    "bond",
    "team",
    "bridge",
    "rd.net.timeout.carrier",
    "coreos.no_persist_ip",
    "coreos.force_persist_ip",
    "ipv6.disable",
    "net.ifnames",
    "net.naming-scheme",
];

/// Those of [`KARGS`] that describe a connection; they go before keyfiles.
const CONNECTION_KARGS: [&str; 6] = ["ip", "vlan", "bond", "team", "bridge", "nameserver"];

/// Why the network could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// NetworkManager's generator is not in the initramfs.
    #[error("no nm-initrd-generator in the initramfs")]
    NoGenerator,
    /// It failed.
    #[error("{} failed: {output}", .program.display())]
    Generator {
        /// Path.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// A file could not be written or a program not run.
    #[error("cannot access {}", .path.display())]
    Io {
        /// File or program.
        path: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
}

/// Prepares connections and asks dracut's units to start NetworkManager.
pub fn enable(kargs: &Kargs) -> Result<(), NetworkError> {
    let root = Path::new("/");
    write_machine_id(root)?;
    generate_connections(kargs)?;
    use_keyfiles(root, kargs)?;
    write(&root.join(NEEDED), "")
}

fn generate_connections(kargs: &Kargs) -> Result<(), NetworkError> {
    let program = GENERATORS
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
        .ok_or(NetworkError::NoGenerator)?;
    let output = Command::new(program)
        .arg("--")
        .args(kargs.iter())
        .arg("rd.neednet=1")
        .output()
        .map_err(|source| NetworkError::Io {
            path: program.to_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NetworkError::Generator {
        program: program.to_owned(),
        output: text,
    })
}

/// NetworkManager's DHCP client does nothing without a machine ID. The real root gets its own.
fn write_machine_id(root: &Path) -> Result<(), NetworkError> {
    let path = root.join("etc/machine-id");
    let valid = |text: String| {
        text.trim().len() == 32 && text.trim().bytes().all(|b| b.is_ascii_hexdigit())
    };
    if fs::read_to_string(&path).is_ok_and(valid) {
        return Ok(());
    }
    write(&path, &format!("{}\n", Uuid::new_v4().simple()))
}

/// Keyfiles replace what was generated, unless kernel arguments describe the network.
fn use_keyfiles(root: &Path, kargs: &Kargs) -> Result<(), NetworkError> {
    let keyfiles = keyfiles(root)?;
    if keyfiles.is_empty() || describes_network(kargs) {
        return Ok(());
    }
    let target = root.join(CONNECTIONS);
    for generated in files(&target)? {
        fs::remove_file(&generated).map_err(|source| NetworkError::Io {
            path: generated,
            source,
        })?;
    }
    copy_all(&keyfiles, &target)
}

/// Passes on what the operator configured (not the default DHCP), and resets the interfaces.
/// Nothing here may stop a boot that has come this far, so failures are returned together.
pub fn tear_down(kargs: &Kargs, sysroot: &Path) -> Vec<NetworkError> {
    let mut errors: Vec<_> = persist(Path::new("/"), kargs, sysroot)
        .err()
        .into_iter()
        .collect();
    let interfaces = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    for name in interfaces
        .map(|entry| entry.file_name())
        .filter(|name| name != "lo")
    {
        for arguments in [
            &["addr", "flush", "dev"][..],
            &["link", "set", "down", "dev"],
        ] {
            if let Err(source) = Command::new("ip").args(arguments).arg(&name).status() {
                errors.push(NetworkError::Io {
                    path: "ip".into(),
                    source,
                });
            }
        }
    }
    match fs::remove_dir_all("/run/NetworkManager") {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            errors.push(NetworkError::Io {
                path: "/run/NetworkManager".into(),
                source,
            });
        }
        _ => {}
    }
    errors
}

fn persist(root: &Path, kargs: &Kargs, sysroot: &Path) -> Result<(), NetworkError> {
    let files = if describes_network(kargs) {
        files(&root.join(CONNECTIONS))?
    } else {
        keyfiles(root)?
    };
    let target = sysroot.join(PERSISTENT);
    let missing: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| {
            file.file_name()
                .is_some_and(|name| !target.join(name).exists())
        })
        .collect();
    copy_all(&missing, &target)
}

fn describes_network(kargs: &Kargs) -> bool {
    CONNECTION_KARGS
        .iter()
        .any(|key| kargs.values(key).next().is_some())
}

fn keyfiles(root: &Path) -> Result<Vec<PathBuf>, NetworkError> {
    files(&root.join(initrd::NETWORK_DIR))
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, NetworkError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(NetworkError::Io {
                path: dir.to_owned(),
                source,
            });
        }
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

/// NetworkManager reads only files that are root's alone.
fn copy_all(files: &[PathBuf], target: &Path) -> Result<(), NetworkError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    for file in files {
        let path = target.join(file.file_name().unwrap_or_default());
        let copy = || {
            fs::create_dir_all(target)?;
            let mut out = fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            io::copy(&mut fs::File::open(file)?, &mut out)
        };
        copy().map_err(|source| NetworkError::Io {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), NetworkError> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))
        .and_then(|()| fs::write(path, text))
        .map_err(|source| NetworkError::Io {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn root_with(keyfile: bool) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(CONNECTIONS)).unwrap();
        fs::write(
            dir.path().join(CONNECTIONS).join("default.nmconnection"),
            "generated",
        )
        .unwrap();
        if keyfile {
            fs::create_dir_all(dir.path().join(initrd::NETWORK_DIR)).unwrap();
            fs::write(
                dir.path()
                    .join(initrd::NETWORK_DIR)
                    .join("static.nmconnection"),
                "mine",
            )
            .unwrap();
        }
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        files(dir)
            .unwrap()
            .iter()
            .map(|f| f.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn keyfiles_replace_the_default_and_are_private() {
        let root = root_with(true);
        use_keyfiles(root.path(), &Kargs::parse("rd.neednet=1")).unwrap();
        let connections = root.path().join(CONNECTIONS);
        assert_eq!(names(&connections), ["static.nmconnection"]);
        let mode = fs::metadata(connections.join("static.nmconnection"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn kernel_arguments_go_before_keyfiles() {
        let root = root_with(true);
        use_keyfiles(
            root.path(),
            &Kargs::parse("ip=192.0.2.1::192.0.2.254:24:::none"),
        )
        .unwrap();
        assert_eq!(
            names(&root.path().join(CONNECTIONS)),
            ["default.nmconnection"]
        );
    }

    #[test]
    fn default_dhcp_is_not_passed_on_but_what_was_configured_is() {
        let (plain, keyed) = (root_with(false), root_with(true));
        let persisted = |root: &Path, text: &str| {
            let sysroot = tempfile::tempdir().unwrap();
            persist(root, &Kargs::parse(text), sysroot.path()).unwrap();
            names(&sysroot.path().join(PERSISTENT))
        };
        assert_eq!(persisted(plain.path(), ""), [""; 0]);
        assert_eq!(persisted(keyed.path(), ""), ["static.nmconnection"]);
        assert_eq!(
            persisted(plain.path(), "ip=eth0:dhcp"),
            ["default.nmconnection"]
        );
    }

    #[test]
    fn a_connection_of_the_real_root_is_not_replaced() {
        let root = root_with(true);
        let sysroot = tempfile::tempdir().unwrap();
        let target = sysroot.path().join(PERSISTENT).join("static.nmconnection");
        write(&target, "theirs").unwrap();
        persist(root.path(), &Kargs::default(), sysroot.path()).unwrap();
        assert_eq!(fs::read_to_string(target).unwrap(), "theirs");
    }

    #[test]
    fn a_missing_machine_id_is_made_and_a_good_one_kept() {
        let root = tempfile::tempdir().unwrap();
        write_machine_id(root.path()).unwrap();
        let made = fs::read_to_string(root.path().join("etc/machine-id")).unwrap();
        assert_eq!(made.trim().len(), 32);
        write_machine_id(root.path()).unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("etc/machine-id")).unwrap(),
            made
        );
        fs::write(root.path().join("etc/machine-id"), "uninitialized\n").unwrap();
        write_machine_id(root.path()).unwrap();
        assert_ne!(
            fs::read_to_string(root.path().join("etc/machine-id")).unwrap(),
            "uninitialized\n"
        );
    }
}
