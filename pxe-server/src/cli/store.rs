//! The options of `pxe-server serve` that say where machines are kept.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::server::Store;
use crate::store::{EtcdAddress, EtcdSettings};

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// etcd that several servers of one site share: etcd://HOST:PORT,…/PREFIX,
    /// etcds:// with TLS [default: files in the state directory]
    #[arg(long, value_name = "URL")]
    store: Option<EtcdAddress>,
    /// Certificates of authorities that vouch for etcd, PEM
    #[arg(long, value_name = "FILE", requires = "store")]
    etcd_ca: Option<PathBuf>,
    /// Our certificate for etcd, PEM
    #[arg(long, value_name = "FILE", requires_all = ["store", "etcd_key"])]
    etcd_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,
    /// File with USER:PASSWORD for etcd
    #[arg(long, value_name = "FILE", requires = "store")]
    etcd_credentials: Option<PathBuf>,
    /// How long a member of etcd may take to answer, seconds
    #[arg(long, value_name = "SECONDS", default_value = "3", requires = "store")]
    etcd_timeout: NonZeroU8,
}

impl StoreArgs {
    /// What they choose.
    pub(super) fn store(self) -> Store {
        self.store.map_or(Store::Embedded, |address| {
            Store::Etcd(EtcdSettings {
                address,
                ca: self.etcd_ca,
                identity: self.etcd_cert.zip(self.etcd_key),
                credentials: self.etcd_credentials,
                patience: Duration::from_secs(self.etcd_timeout.get().into()),
            })
        })
    }
}
