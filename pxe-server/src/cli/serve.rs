//! `pxe-server serve`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::logging::{self, LogForm};
use crate::cli::store::StoreArgs;
use crate::dhcp::DhcpPorts;
use crate::http::{HttpSettings, SigningKey, TlsFiles};
use crate::server::{Bound, ConfinedServer, Server, Settings, Source};
use crate::site::DhcpMode;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Site directory, with site.yaml
    #[arg(long, value_name = "DIR", required_unless_present = "matchbox")]
    site: Option<PathBuf>,
    /// Serve this matchbox data directory instead of a site
    #[arg(long, value_name = "DIR", conflicts_with = "site", requires = "state")]
    matchbox: Option<PathBuf>,
    /// Secret OpenPGP key that signs what is served of matchbox data [default with
    /// --matchbox: $MATCHBOX_KEY_RING_PATH; its passphrase: $MATCHBOX_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    matchbox_key: Option<PathBuf>,
    /// State directory [default: `state` in the site directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// Become this user once all ports are bound (started as root)
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Directory that the site may name later; what it names at the start may be read anyway
    /// (may be repeated)
    #[arg(long, value_name = "DIR")]
    may_read: Vec<PathBuf>,
    /// Serve DHCP and TFTP on this interface only (may be repeated) [default: all but loopback]
    #[arg(long = "interface", value_name = "IF")]
    interfaces: Vec<String>,
    /// TCP port of the HTTP server
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_port: u16,
    /// TCP port on which the same is served over TLS
    #[arg(long, value_name = "PORT", requires = "tls_cert")]
    https_port: Option<u16>,
    /// Certificate for TLS, PEM, with what leads from it to an authority
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Certificates of authorities that vouch for operators, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Address and port for operators alone, over TLS if there is a certificate
    #[arg(long, value_name = "IP:PORT")]
    api_address: Option<SocketAddr>,
    /// Address that clients are told, instead of the one of the interface they are heard on
    #[arg(long, value_name = "IP")]
    advertise: Option<Ipv4Addr>,
    /// How to serve DHCP [default: `dhcp.mode` of site.yaml, or proxy]
    #[arg(long, value_enum)]
    dhcp: Option<DhcpArg>,
    /// UDP port of the DHCP server; clients and boot server move along (tests)
    #[arg(long, value_name = "PORT", default_value_t = 67)]
    dhcp_port: u16,
    /// UDP port of the TFTP server (tests)
    #[arg(long, value_name = "PORT", default_value_t = 69)]
    tftp_port: u16,
    /// Requests that a machine may make in a second, ten times as many at once; an address may
    /// make a hundred times as many (0: no limit)
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    machine_rate: u32,
    /// Wait this long for ports and state that another server still has
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// Time for the downloads that are under way at SIGTERM; a second one ends them
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    drain: u64,
    /// Form of the log on stderr
    #[arg(long, value_enum, default_value_t = LogForm::Plain)]
    log: LogForm,
    /// Log packets that get no answer, too
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DhcpArg {
    /// Boot options beside the LAN's own DHCP server
    Proxy,
    /// Addresses and boot options; the LAN has no other DHCP server
    Full,
    /// None: something else points clients here
    Off,
}

impl From<DhcpArg> for DhcpMode {
    fn from(arg: DhcpArg) -> Self {
        match arg {
            DhcpArg::Proxy => Self::Proxy,
            DhcpArg::Full => Self::Full,
            DhcpArg::Off => Self::Off,
        }
    }
}

/// The key in the file that is named, here or as matchbox's users name it.
fn signing_key(path: Option<PathBuf>, source: &Source) -> Option<SigningKey> {
    let named = || std::env::var_os("MATCHBOX_KEY_RING_PATH").map(PathBuf::from);
    let path = match source {
        Source::Site(_) => path,
        Source::Matchbox(_) => path.or_else(named),
    };
    let path = path.filter(|path| !path.as_os_str().is_empty())?;
    // In the environment only: command lines are seen by everybody.
    let passphrase = std::env::var("MATCHBOX_PASSPHRASE").ok();
    Some(SigningKey { path, passphrase })
}

pub(super) fn run(args: ServeArgs) -> anyhow::Result<()> {
    logging::start(args.log, args.verbose);
    let dhcp_ports = DhcpPorts::from_server_port(args.dhcp_port).with_context(|| {
        format!(
            "--dhcp-port {} leaves no port for the boot server",
            args.dhcp_port
        )
    })?;
    let source = match (args.site, args.matchbox) {
        (Some(site), _) => Source::Site(site),
        (None, matchbox) => Source::Matchbox(matchbox.unwrap_or_default()),
    };
    let state = args.state.unwrap_or_else(|| source.dir().join("state"));
    let tls = args.tls_cert.zip(args.tls_key);
    let tls = tls.map(|(certificate, key)| TlsFiles {
        certificate,
        key,
        client_ca: args.client_ca,
    });
    let settings = Settings {
        state,
        store: args.store.store(),
        key: signing_key(args.matchbox_key, &source),
        source,
        user: args.user,
        may_read: args.may_read,
        interfaces: args.interfaces,
        advertise: args.advertise,
        dhcp: args.dhcp.map(DhcpMode::from),
        dhcp_ports,
        tftp_port: args.tftp_port,
        http: HttpSettings {
            port: args.http_port,
            https_port: args.https_port,
            tls,
            api: args.api_address,
        },
        machine_rate: args.machine_rate,
        wait: Duration::from_secs(args.wait),
        drain: Duration::from_secs(args.drain),
    };
    // Before the runtime has threads: what is given up is given up by each of them.
    let server = Bound::new(settings)?.confine()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?;
    runtime.block_on(serve(server))
}

/// Serves until a signal says that it is enough.
async fn serve(server: ConfinedServer) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    // From now on it says to read the site again, and ends nothing.
    let _hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let server = Server::start(server).await?;
    tracing::info!("{}", server.listens_on());
    let stop = async || {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: SIGINT"),
        }
    };
    server.run(stop).await?;
    Ok(())
}
