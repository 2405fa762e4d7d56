//! Where the members of etcd are and how they are talked to: `etcd://HOST:PORT[,HOST:PORT…][/PREFIX]`,
//! `etcds://` for TLS, and the files that belong to it. Secrets are in files only.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

/// etcd's port for clients, when none is said.
const PORT: u16 = 2379;
/// Where keys begin, when nothing is said.
const PREFIX: &str = "coreos-metal";

/// Members of one etcd, and where our keys begin there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdAddress {
    /// Base URLs, without a slash at the end; one at least.
    pub members: Vec<String>,
    /// What all keys begin with: `/` and names with `/` between them.
    pub prefix: String,
    /// Whether members are talked to over TLS.
    pub tls: bool,
}

/// The text is no address of etcd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of etcd: {why}")]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl FromStr for EtcdAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |why| AddressError {
            // A password that does not belong here is not repeated.
            text: text.rsplit('@').next().unwrap_or_default().to_owned(),
            why,
        };
        let (rest, tls) = match (text.strip_prefix("etcd://"), text.strip_prefix("etcds://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return Err(wrong("it begins with etcd:// or etcds://")),
        };
        if rest.contains('@') {
            return Err(wrong("user and password belong in a file"));
        }
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = |name: &str| !name.is_empty() && name.chars().all(plain);
        if !prefix.split('/').all(is_name) {
            return Err(wrong("a prefix is made of letters, digits and -_."));
        }
        let scheme = if tls { "https" } else { "http" };
        let member = |host: &str| {
            let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
            let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let port = url.port().unwrap_or(PORT);
            let host = url.host_str().filter(|_| plain)?;
            Some(format!("{scheme}://{host}:{port}"))
        };
        let members: Option<Vec<String>> = hosts.split(',').map(member).collect();
        Ok(Self {
            members: members.ok_or_else(|| wrong("members are HOST:PORT with commas between"))?,
            prefix: format!("/{prefix}"),
            tls,
        })
    }
}

/// How etcd is talked to.
#[derive(Clone, Debug)]
pub struct EtcdSettings {
    /// Members and prefix.
    pub address: EtcdAddress,
    /// Certificates of authorities that vouch for the members, PEM; none: the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate and its private key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// A file with `USER:PASSWORD`.
    pub credentials: Option<PathBuf>,
    /// How long one member may take to answer.
    pub patience: Duration,
}

/// Whom etcd lets in.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Credentials {
    /// Reads `USER:PASSWORD`, with or without a line's end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let line = text.trim_end_matches(['\n', '\r']);
        let (user, password) = line.split_once(':')?;
        let whole = !user.is_empty() && !password.is_empty() && !line.contains('\n');
        whole.then(|| Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

/// Does not show the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}:…)", self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_prefix_are_read() {
        let parse = |text: &str| text.parse::<EtcdAddress>();
        let one = parse("etcd://10.0.0.1:2379").unwrap();
        assert_eq!(one.members, ["http://10.0.0.1:2379"]);
        assert_eq!((one.prefix.as_str(), one.tls), ("/coreos-metal", false));
        let three = parse("etcds://a:1,b,[::1]:3/rack/7/").unwrap();
        assert_eq!(
            three.members,
            ["https://a:1", "https://b:2379", "https://[::1]:3"]
        );
        assert_eq!((three.prefix.as_str(), three.tls), ("/rack/7", true));
    }

    #[test]
    fn what_is_no_address_is_refused_and_secrets_are_not_repeated() {
        for (text, why) in [
            ("http://a:1", "it begins with etcd:// or etcds://"),
            ("etcd://", "members are HOST:PORT with commas between"),
            (
                "etcd://a:1,,b:2",
                "members are HOST:PORT with commas between",
            ),
            ("etcd://a:x", "members are HOST:PORT with commas between"),
            ("etcd://a?b", "members are HOST:PORT with commas between"),
            (
                "etcd://a/b c",
                "a prefix is made of letters, digits and -_.",
            ),
            (
                "etcd://a/b//c",
                "a prefix is made of letters, digits and -_.",
            ),
            (
                "etcd://root:secret@a:1",
                "user and password belong in a file",
            ),
        ] {
            let error = text.parse::<EtcdAddress>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn credentials_are_one_line_and_not_shown() {
        let credentials = Credentials::parse("root:a:b\n").unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("root", "a:b")
        );
        assert!(!format!("{credentials:?}").contains("a:b"));
        for wrong in ["", "root", "root:", ":a", "root:a\nb"] {
            assert!(Credentials::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
