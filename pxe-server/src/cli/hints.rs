//! Errors as people read them: what, why, how to fix. The one place that knows hints.

use std::error::Error;
use std::io::{ErrorKind, Write as _};

use installer::decode::DecodeError;
use installer::sign::SignError;
use installer::source::SourceError;
use installer::verify::VerifyError;

use crate::confine::ConfineError;
use crate::http::TlsError;
use crate::mirror::{BundleFault, MirrorError};
use crate::net::NetError;
use crate::server::ServeError;
use crate::site::SiteError;
use crate::store::{EtcdError, StoreError};

/// Prints `error:`, `cause:` and, where one is known, `hint:`.
pub(super) fn print_error(error: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    let mut lines = vec![format!("error: {error}")];
    if !causes.is_empty() {
        lines.push(format!("cause: {}", causes.join(": ")));
    }
    lines.extend(hint(error).map(|hint| format!("hint:  {hint}")));
    drop(writeln!(err, "{}", lines.join("\n")));
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        let site = cause.downcast_ref::<SiteError>().and_then(site_hint);
        let store = cause.downcast_ref::<StoreError>().and_then(store_hint);
        let net = cause.downcast_ref::<NetError>().and_then(net_hint);
        let serve = cause.downcast_ref::<ServeError>().and_then(serve_hint);
        let tls = cause.downcast_ref::<TlsError>().and_then(tls_hint);
        let confine = cause.downcast_ref::<ConfineError>().and_then(confine_hint);
        let mirror = mirror_hint(cause);
        let ours = site.or(store).or(net).or(serve).or(tls);
        ours.or(confine).or(mirror)
    })
}

fn mirror_hint(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    let full = cause
        .downcast_ref::<std::io::Error>()
        .filter(|error| error.kind() == ErrorKind::StorageFull)
        .map(|_| "make room on that disk, or keep fewer builds with --keep");
    let mirror = cause.downcast_ref::<MirrorError>().and_then(place_hint);
    let bundle = cause.downcast_ref::<BundleFault>();
    let bundle = bundle.map(|_| "make the bundle again with `pxe-server mirror --export`");
    let source = cause.downcast_ref::<SourceError>().and_then(source_hint);
    let verify = cause.downcast_ref::<VerifyError>().and_then(verify_hint);
    let decode = cause.downcast_ref::<DecodeError>();
    let decode =
        decode.map(|_| "tell whoever publishes the stream: the image is damaged, and signed");
    full.or(mirror).or(bundle).or(source).or(verify).or(decode)
}

fn place_hint(error: &MirrorError) -> Option<&'static str> {
    match error {
        MirrorError::Busy(_) => Some("wait until it has ended; one at a time fills a stream"),
        MirrorError::Index { .. } => {
            Some("remove index.json and run `pxe-server mirror`: it is made of what is there")
        }
        MirrorError::OtherStream { .. } => Some("name it with --stream and --arch"),
        MirrorError::Missing { .. } | MirrorError::NoRelease(_) => {
            Some("metadata have the shape of Fedora CoreOS's streams; look at --url")
        }
        MirrorError::Empty(_) => Some("run `pxe-server mirror` without --export before"),
        _ => None,
    }
}

fn source_hint(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::Transport { .. } | SourceError::Stalled { .. } | SourceError::Read { .. } => {
            Some("check the network; --fetch-retries N goes on where a transfer broke off")
        }
        SourceError::NoArtifact { .. } => {
            Some("`coreos-installer list-stream` shows what there is; --format names another")
        }
        SourceError::Changed { .. } | SourceError::ChangedLength { .. } => {
            Some("it was published anew meanwhile; start again")
        }
        _ => None,
    }
}

fn verify_hint(error: &VerifyError) -> Option<&'static str> {
    match error {
        VerifyError::UnknownKey { .. } => {
            Some("if you trust that key, give its public key file with --keyring")
        }
        VerifyError::NoSignature { .. } => Some("nothing unsigned is mirrored"),
        VerifyError::ExpiredKey { .. } | VerifyError::ExpiredSignature { .. } => {
            Some("look at this machine's clock; else a newer build is needed")
        }
        VerifyError::Engine(_) => Some("install the `gpg` program"),
        VerifyError::NoKey { .. } => Some("export one with `gpg --export KEY > FILE`"),
        VerifyError::BadSignature { .. }
        | VerifyError::NotASignature { .. }
        | VerifyError::Digest { .. } => {
            Some("it was damaged or replaced on its way; fetch it again, or from another place")
        }
        _ => None,
    }
}

fn serve_hint(error: &ServeError) -> Option<&'static str> {
    match error {
        ServeError::NoSubnets => {
            Some("name them in site.yaml under `dhcp: {subnets: …}`, or serve with --dhcp proxy")
        }
        ServeError::Key { source, .. } => match source {
            SignError::Refused { .. } => {
                Some("if the key has a passphrase, give it in $MATCHBOX_PASSPHRASE")
            }
            SignError::NoSecretKey { .. } | SignError::SeveralKeys { .. } => {
                Some("`gpg --export-secret-keys FINGERPRINT` writes one key into a file")
            }
            _ => None,
        },
        _ => None,
    }
}

fn confine_hint(error: &ConfineError) -> Option<&'static str> {
    match error {
        ConfineError::NotRoot(_) => Some("start it as root, or as that user without --user"),
        ConfineError::Closed { what: "write", .. } => {
            Some("give it the whole state directory: `chown -R USER DIR`")
        }
        ConfineError::Closed { .. } => {
            Some("site, media and certificates are read again and again; let the user read them")
        }
        _ => None,
    }
}

fn site_hint(error: &SiteError) -> Option<&'static str> {
    match error {
        SiteError::Read { path, .. } if path.ends_with("site.yaml") => {
            Some("a site directory holds site.yaml, profiles/, groups/ and configs/")
        }
        SiteError::Read { path, .. } if path.ends_with("manifest.json") => {
            Some("`media:` names a directory made by `iso-builder build`")
        }
        SiteError::Read { path, .. } if path.starts_with("/usr/lib/ipxe") => {
            Some("install Debian's `ipxe` package, or name another directory with `ipxe: {dir: …}`")
        }
        SiteError::Ignition { .. } => Some(
            "`coreos-installer ignition validate` shows each line; configs/ holds Ignition or Butane",
        ),
        SiteError::Template {
            undefined: true, ..
        } => Some(
            "give it a value in `metadata` of the group or profile, or a default: `{{ x | default('y') }}`",
        ),
        SiteError::NotMirrored { .. } => {
            Some("`pxe-server mirror --site DIR` fetches the newest build and keeps it there")
        }
        SiteError::Manifest { .. } => Some("build the media again with `iso-builder build`"),
        SiteError::CommandLine { .. } => {
            Some("shorten `kargs`, or move settings into the Ignition config")
        }
        _ => None,
    }
}

fn store_hint(error: &StoreError) -> Option<&'static str> {
    match error {
        error if error.is_open_elsewhere() => Some(
            "another pxe-server uses this state directory; stop it, or name another with --state",
        ),
        StoreError::Newer(_) => Some("a newer pxe-server has written it; use that one"),
        StoreError::Etcd(error) => etcd_hint(error),
        _ => None,
    }
}

fn etcd_hint(error: &EtcdError) -> Option<&'static str> {
    match error {
        EtcdError::Forbidden { message, .. } if message.contains("not enabled") => {
            Some("this etcd knows no users: leave --etcd-credentials out")
        }
        EtcdError::Forbidden { .. } => Some(
            "--etcd-credentials names a file with USER:PASSWORD of a user who may read and write all keys below the prefix",
        ),
        EtcdError::Untrusted { .. } => Some(
            "--etcd-ca names who vouches for etcd; --etcd-cert and --etcd-key are what etcd asks of its clients",
        ),
        EtcdError::Foreign(_) => Some("choose another prefix: --store etcd://HOST:PORT/PREFIX"),
        EtcdError::Credentials(_) => Some("the file holds one line, USER:PASSWORD"),
        _ => None,
    }
}

fn tls_hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Mismatch { .. } => Some(
            "give the key that the certificate was made with, and the server's own certificate first",
        ),
        TlsError::Content { .. } | TlsError::Empty { .. } => {
            Some("both files are PEM, and the key has no passphrase")
        }
        _ => None,
    }
}

fn net_hint(error: &NetError) -> Option<&'static str> {
    match error {
        NetError::NoInterface(_) => Some("`ip -brief link` lists the interfaces"),
        NetError::Bind {
            service: "DHCP",
            source,
            ..
        } if source.kind() == ErrorKind::AddrInUse => Some(
            "another DHCP server runs on this host; run pxe-server on another, or with --dhcp off",
        ),
        NetError::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            Some("another server uses this port; stop it, or choose another port")
        }
        NetError::Bind { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Some("ports below 1024 need root or CAP_NET_BIND_SERVICE")
        }
        NetError::Bind { .. } => None,
    }
}
