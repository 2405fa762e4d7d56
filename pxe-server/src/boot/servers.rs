//! The servers of a site as a machine reaches them: the one that answers it, and those that stand in
//! for it when it has gone. `servers` in `site.yaml` says where they are; that they know the same is
//! `store::etcd`.

use std::net::Ipv4Addr;

use crate::boot::Endpoint;

/// The server that answers a machine, and those that it may ask instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    own: Endpoint,
    others: Vec<Endpoint>,
}

impl Servers {
    /// `own`, and all others of `listed`, which have the same ports.
    pub fn new(own: Endpoint, listed: &[Ipv4Addr]) -> Self {
        let others = listed.iter().filter(|address| **address != own.address);
        let others = others.map(|&address| own.elsewhere(address)).collect();
        Self { own, others }
    }

    /// `own`, and nobody else.
    pub fn alone(own: Endpoint) -> Self {
        Self::new(own, &[])
    }

    /// The one that answers.
    pub fn own(&self) -> Endpoint {
        self.own
    }

    /// Those that stand in for it.
    pub fn others(&self) -> &[Endpoint] {
        &self.others
    }

    /// All, in the order in which they are asked.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = Endpoint> + '_ {
        std::iter::once(self.own).chain(self.others.iter().copied())
    }

    /// `KEY=URL` for each, in the order of kernel arguments of which the last is tried first.
    pub(super) fn kargs<'a>(
        &'a self,
        key: &'a str,
        path: &'a str,
    ) -> impl Iterator<Item = String> + 'a {
        let servers = self.all().rev();
        servers.map(move |server| format!("{key}={}", server.karg_url(path)))
    }

    /// Lines of iPXE that begin again with the first script of the first that answers. They lead on
    /// when none does.
    pub(super) fn begin_again(&self) -> String {
        let chains = self.all().map(|server| {
            let url = server.script_url("boot.ipxe");
            format!("chain --replace --autofree {url}")
        });
        chains.collect::<Vec<_>>().join(" ||\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_are_all_that_are_listed_but_the_one_that_answers() {
        let own = Endpoint::plain([10, 0, 0, 2].into(), 8080);
        let listed = [[10, 0, 0, 3], [10, 0, 0, 2], [10, 0, 0, 4]].map(Ipv4Addr::from);
        let servers = Servers::new(own, &listed);
        let url = |last| format!("http://10.0.0.{last}:8080/x");
        let urls: Vec<String> = servers.all().map(|server| server.url("x")).collect();
        assert_eq!(urls, [2, 3, 4].map(url));
        let words: Vec<String> = servers.kargs("k", "x").collect();
        assert_eq!(words, [4, 3, 2].map(|last| format!("k={}", url(last))));
    }
}
