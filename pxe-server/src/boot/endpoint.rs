//! The server's HTTP address in what machines are told: plain for firmware and GRUB, which have no
//! TLS; for iPXE and for the systems that it starts as the site has it.

use std::net::Ipv4Addr;

use serde::Deserialize;

/// `http` or `https` in a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

/// By which scheme things are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Schemes {
    /// What iPXE fetches: scripts, kernel and initrds.
    pub scripts: Scheme,
    /// What systems fetch or post to by a kernel argument.
    pub kargs: Scheme,
}

impl Schemes {
    /// Whether HTTPS is named anywhere.
    pub fn need_https(self) -> bool {
        [self.scripts, self.kargs].contains(&Scheme::Https)
    }
}

/// TCP ports of the HTTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpPorts {
    /// Without TLS.
    pub plain: u16,
    /// With TLS, if there is such a port.
    pub tls: Option<u16>,
}

impl HttpPorts {
    /// The server at `address`.
    pub fn at(self, address: Ipv4Addr, schemes: Schemes) -> Endpoint {
        let tls = |scheme| self.tls.filter(|_| scheme == Scheme::Https);
        Endpoint {
            address,
            port: self.plain,
            scripts: tls(schemes.scripts),
            kargs: tls(schemes.kargs),
        }
    }
}

/// The server's HTTP address as the machine at hand reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address.
    pub address: Ipv4Addr,
    /// TCP port without TLS.
    pub port: u16,
    /// TCP port with TLS for what iPXE fetches.
    scripts: Option<u16>,
    /// The same for what kernel arguments name.
    kargs: Option<u16>,
}

impl Endpoint {
    /// One without TLS.
    pub const fn plain(address: Ipv4Addr, port: u16) -> Self {
        Self {
            address,
            port,
            scripts: None,
            kargs: None,
        }
    }

    /// The same ports at another address.
    pub const fn elsewhere(self, address: Ipv4Addr) -> Self {
        Self { address, ..self }
    }

    /// `http://ADDRESS:PORT/PATH`, with `path` given without a leading slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}:{}/{path}", self.address, self.port)
    }

    /// The URL of `path` for iPXE.
    pub fn script_url(&self, path: &str) -> String {
        self.by(self.scripts, path)
    }

    /// The URL of `path` in a kernel argument.
    pub fn karg_url(&self, path: &str) -> String {
        self.by(self.kargs, path)
    }

    fn by(&self, tls: Option<u16>, path: &str) -> String {
        match tls {
            Some(port) => format!("https://{}:{port}/{path}", self.address),
            None => self.url(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_never_told_https_and_others_as_the_site_has_it() {
        let ports = HttpPorts {
            plain: 80,
            tls: Some(443),
        };
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let urls = |scripts, kargs| {
            let endpoint = ports.at(address, Schemes { scripts, kargs });
            [
                endpoint.url("a"),
                endpoint.script_url("a"),
                endpoint.karg_url("a"),
            ]
        };
        let (http, https) = ("http://10.0.0.2:80/a", "https://10.0.0.2:443/a");
        assert_eq!(urls(Scheme::Https, Scheme::Http), [http, https, http]);
        assert_eq!(urls(Scheme::Http, Scheme::Https), [http, http, https]);
        assert_eq!(
            ports.at(address, Schemes::default()),
            Endpoint::plain(address, 80)
        );
    }
}
