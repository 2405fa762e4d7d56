//! A secret key out of a file, in a GnuPG home of its own that goes with it: signs what a server
//! gives out, without anybody's keyring. Its agent ends when the home is removed.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gpgme::{Context, Error, PassphraseRequest, PinentryMode, Protocol};
use tempfile::TempDir;

use super::{SignError, Signer};

/// Largest file of keys that is read, bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// Only what is in this home counts.
const CONFIG: &str = "trust-model always\nno-auto-check-trustdb\nno-auto-key-retrieve\n";

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// OpenPGP packets.
    Binary,
    /// As text.
    Armored,
}

/// The one secret key of a file.
pub struct KeyFile {
    home: TempDir,
    fingerprint: String,
    passphrase: Option<String>,
}

/// Does not show the passphrase.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({})", self.fingerprint)
    }
}

impl KeyFile {
    /// Takes the key out of the file at `path`, and tries it.
    pub fn open(path: &Path, passphrase: Option<String>) -> Result<Self, SignError> {
        let keys = read(path)?;
        let home = make_home()?;
        let mut context = context(&home).map_err(SignError::Engine)?;
        context.import(&keys).map_err(SignError::Engine)?;
        let signer = Signer::choose(context, None).map_err(|error| match error {
            SignError::NoKey { .. } => SignError::NoSecretKey {
                path: path.to_owned(),
            },
            SignError::Ambiguous { count, .. } => SignError::SeveralKeys {
                path: path.to_owned(),
                count,
            },
            other => other,
        })?;
        let key = Self {
            home,
            fingerprint: signer.into_fingerprint(),
            passphrase,
        };
        key.sign(b"", Form::Binary)?;
        Ok(key)
    }

    /// The key's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A detached signature over `bytes`.
    pub fn sign(&self, bytes: &[u8], form: Form) -> Result<Vec<u8>, SignError> {
        let context = context(&self.home).map_err(SignError::Engine)?;
        let mut signer = Signer::choose(context, Some(&self.fingerprint))?;
        let refused = |source| SignError::Refused {
            key: self.fingerprint.clone(),
            source,
        };
        let context = &mut signer.context;
        context.set_armor(form == Form::Armored);
        context
            .set_pinentry_mode(PinentryMode::Loopback)
            .map_err(refused)?;
        let passphrase = self.passphrase.clone();
        let tell = move |_: PassphraseRequest<'_>, out: &mut dyn std::io::Write| {
            let Some(passphrase) = &passphrase else {
                return Err(Error::NO_PASSPHRASE);
            };
            out.write_all(passphrase.as_bytes())?;
            Ok(())
        };
        let mut signature = Vec::new();
        context
            .with_passphrase_provider(tell, |context| context.sign_detached(bytes, &mut signature))
            .map_err(refused)?;
        Ok(signature)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SignError> {
    let unreadable = |source| SignError::Read {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map_err(unreadable)
}

fn make_home() -> Result<TempDir, SignError> {
    let made = tempfile::Builder::new()
        .prefix("coreos-sign-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir();
    let failed = |source| SignError::Home {
        path: std::env::temp_dir(),
        source,
    };
    let home = made.map_err(failed)?;
    let config: PathBuf = home.path().join("gpg.conf");
    let mut file = fs::File::create(config).map_err(failed)?;
    file.write_all(CONFIG.as_bytes()).map_err(failed)?;
    Ok(home)
}

fn context(home: &TempDir) -> Result<Context, Error> {
    let mut context = Context::from_protocol(Protocol::OpenPgp)?;
    context.set_engine_home_dir(home.path().as_os_str().as_bytes())?;
    context.set_offline(true);
    Ok(context)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn gpg(home: &Path, words: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--homedir"]).arg(home);
        let output = command.args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        output.stdout
    }

    /// A home with a key for each of `names`, and their secret keys in a file.
    fn keys(names: &[&str], passphrase: &str) -> (TempDir, PathBuf) {
        let home = make_home().unwrap();
        let loopback = ["--pinentry-mode", "loopback", "--passphrase", passphrase];
        for name in names {
            let make = ["--quick-generate-key", name, "ed25519", "sign", "never"];
            gpg(home.path(), &[&loopback[..], &make[..]].concat());
        }
        let secret = gpg(
            home.path(),
            &[&loopback[..], &["--export-secret-keys"]].concat(),
        );
        let file = home.path().join("secring.gpg");
        fs::write(&file, secret).unwrap();
        (home, file)
    }

    #[test]
    fn gpg_finds_both_forms_good_and_other_bytes_bad() {
        let (home, file) = keys(&["boot"], "let me in");
        let key = KeyFile::open(&file, Some("let me in".to_owned())).unwrap();
        let signed = home.path().join("signed");
        let signature = home.path().join("signature");
        let verify = || {
            let mut command = Command::new("gpg");
            command.args(["--batch", "--homedir"]).arg(home.path());
            command.arg("--verify").args([&signature, &signed]);
            command.output().unwrap().status.success()
        };
        for form in [Form::Binary, Form::Armored] {
            fs::write(&signature, key.sign(b"#!ipxe\n", form).unwrap()).unwrap();
            let text = fs::read(&signature).unwrap();
            let armored = text.starts_with(b"-----BEGIN PGP SIGNATURE-----\n");
            assert_eq!(armored, form == Form::Armored);
            fs::write(&signed, "#!ipxe\n").unwrap();
            assert!(verify(), "{form:?}");
            fs::write(&signed, "#!ipxe \n").unwrap();
            assert!(!verify(), "{form:?}");
        }
        assert!(!format!("{key:?}").contains("let me in"));
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused_at_once() {
        let (_home, file) = keys(&["boot"], "let me in");
        for passphrase in [None, Some("let me out".to_owned())] {
            let error = KeyFile::open(&file, passphrase).unwrap_err();
            assert!(matches!(error, SignError::Refused { .. }), "{error:?}");
        }
        let (_home, file) = keys(&["one", "two"], "");
        let error = KeyFile::open(&file, None).unwrap_err();
        assert!(
            matches!(&error, SignError::SeveralKeys { path, count: 2 } if *path == file),
            "{error:?}"
        );
        fs::write(&file, "no key at all").unwrap();
        let error = KeyFile::open(&file, None).unwrap_err();
        assert!(
            matches!(&error, SignError::NoSecretKey { path } if *path == file),
            "{error:?}"
        );
        fs::remove_file(&file).unwrap();
        let error = KeyFile::open(&file, None).unwrap_err();
        assert!(matches!(error, SignError::Read { .. }), "{error:?}");
    }
}
