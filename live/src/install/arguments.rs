//! Kernel arguments and config files as the command line of `coreos-installer install`.
//!
//! Same names and meaning as upstream's `coreos-installer-service`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use embed::contract::karg;
use embed::kargs::Kargs;

use crate::network;

/// The kernel arguments do not make an install.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentsError {
    /// Neither an argument nor a file names a target.
    #[error(
        "no install target: {} is not given and there is no installer config",
        karg::INST_DEV
    )]
    NoTarget,
}

/// Arguments whose value is handed on as it is.
const COPIED: [(&str, &str); 4] = [
    (karg::INST_IMAGE_URL, "--image-url"),
    (karg::INST_PLATFORM, "--platform"),
    (karg::INST_SAVE_PARTLABEL, "--save-partlabel"),
    (karg::INST_SAVE_PARTINDEX, "--save-partindex"),
];

/// The device that the kernel arguments name, as a path.
pub fn target(kargs: &Kargs) -> Option<PathBuf> {
    let name = kargs.last(karg::INST_DEV).filter(|name| !name.is_empty())?;
    Some(if name.starts_with('/') {
        PathBuf::from(name)
    } else {
        Path::new("/dev").join(name)
    })
}

/// The whole command line after the program's name. `configs` are the installer's config files in
/// the order in which they apply.
pub fn arguments(kargs: &Kargs, configs: &[PathBuf]) -> Result<Vec<OsString>, ArgumentsError> {
    let target = target(kargs);
    if target.is_none() && configs.is_empty() {
        return Err(ArgumentsError::NoTarget);
    }
    let mut out: Vec<OsString> = vec!["install".into(), "--progress".into(), "json".into()];
    for config in configs {
        out.extend(["--config-file".into(), config.into()]);
    }
    for (key, option) in COPIED {
        if let Some(value) = kargs.last(key).filter(|value| !value.is_empty()) {
            out.extend([option.into(), value.into()]);
        }
    }
    // Without a digest plain HTTP has to be allowed here, as upstream does.
    if let Some(url) = kargs
        .last(karg::INST_IGNITION_URL)
        .filter(|url| !matches!(*url, "" | "skip"))
    {
        out.extend(["--ignition-url".into(), url.into()]);
        match kargs
            .last(karg::INST_IGNITION_HASH)
            .filter(|hash| !hash.is_empty())
        {
            Some(hash) => out.extend(["--ignition-hash".into(), hash.into()]),
            None => out.push("--insecure-ignition".into()),
        }
    }
    if kargs.boolean(karg::INST_INSECURE) {
        out.push("--insecure".into());
    }
    let first_boot = first_boot_arguments(kargs);
    if !first_boot.is_empty() {
        out.extend(["--firstboot-args".into(), first_boot.into()]);
    }
    out.extend(target.map(OsString::from));
    // Last, so that no config file makes an unattended machine give up on its network.
    out.extend(["--fetch-retries".into(), "infinite".into()]);
    Ok(out)
}

/// What the installed system's first boot needs: the network as it is here, and where to report.
fn first_boot_arguments(kargs: &Kargs) -> String {
    let is_network =
        |word: &&str| network::KARGS.contains(&word.split('=').next().unwrap_or_default());
    let mut words: Vec<&str> = kargs.iter().filter(is_network).collect();
    if !words.is_empty() {
        words.insert(0, "rd.neednet=1");
    }
    let receivers = kargs.values(karg::REPORT_URL);
    let receivers: Vec<String> = receivers
        .map(|url| format!("{}={url}", karg::REPORT_URL))
        .collect();
    words.extend(receivers.iter().map(String::as_str));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kargs: &str, configs: &[&str]) -> String {
        let configs: Vec<PathBuf> = configs.iter().map(PathBuf::from).collect();
        let arguments = arguments(&Kargs::parse(kargs), &configs).unwrap();
        let words: Vec<String> = arguments
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        words.join("|")
    }

    #[test]
    fn kernel_arguments_become_options() {
        let end = "--fetch-retries|infinite";
        let cases = [
            (
                "coreos.inst.install_dev=/dev/sda",
                format!("/dev/sda|{end}"),
            ),
            ("coreos.inst.install_dev=sda", format!("/dev/sda|{end}")),
            (
                "coreos.inst.install_dev=sda coreos.inst.install_dev=sdb",
                format!("/dev/sdb|{end}"),
            ),
            (
                "coreos.inst.install_dev=/dev/disk/by-id/x coreos.inst.ignition_url=http://s/c.ign",
                format!(
                    "--ignition-url|http://s/c.ign|--insecure-ignition|/dev/disk/by-id/x|{end}"
                ),
            ),
            (
                "coreos.inst.install_dev=sda coreos.inst.ignition_url=http://s/c.ign coreos.inst.ignition_hash=sha256-0",
                format!("--ignition-url|http://s/c.ign|--ignition-hash|sha256-0|/dev/sda|{end}"),
            ),
            (
                "coreos.inst.install_dev=sda coreos.inst.ignition_hash=sha256-0",
                format!("/dev/sda|{end}"),
            ),
            (
                "coreos.inst.install_dev=sda coreos.inst.ignition_url=skip",
                format!("/dev/sda|{end}"),
            ),
            (
                "coreos.inst.install_dev=sda coreos.inst.ignition_url=",
                format!("/dev/sda|{end}"),
            ),
            (
                "coreos.inst.image_url=http://s/i.raw coreos.inst.insecure coreos.inst.install_dev=sda",
                format!("--image-url|http://s/i.raw|--insecure|/dev/sda|{end}"),
            ),
            (
                "coreos.inst.insecure=no coreos.inst.install_dev=sda",
                format!("/dev/sda|{end}"),
            ),
            (
                "coreos.inst.platform_id=qemu coreos.inst.save_partlabel=data* coreos.inst.save_partindex=5- coreos.inst.install_dev=sda",
                format!(
                    "--platform|qemu|--save-partlabel|data*|--save-partindex|5-|/dev/sda|{end}"
                ),
            ),
        ];
        for (kargs, want) in cases {
            assert_eq!(
                line(kargs, &[]),
                format!("install|--progress|json|{want}"),
                "{kargs}"
            );
        }
    }

    #[test]
    fn the_network_and_the_report_url_reach_the_first_boot() {
        let args = |kargs| first_boot_arguments(&Kargs::parse(kargs));
        assert_eq!(args("quiet coreos.inst.install_dev=sda"), "");
        assert_eq!(
            args("ip=ens3:dhcp quiet nameserver=192.0.2.53 ipv6.disable=1"),
            "rd.neednet=1 ip=ens3:dhcp nameserver=192.0.2.53 ipv6.disable=1"
        );
        assert_eq!(
            args("coreos.report_url=http://s/r?m=1"),
            "coreos.report_url=http://s/r?m=1"
        );
        assert_eq!(
            args("coreos.report_url=http://a/ ip=dhcp coreos.report_url=http://b/"),
            "rd.neednet=1 ip=dhcp coreos.report_url=http://a/ coreos.report_url=http://b/"
        );
        assert!(
            line("coreos.inst.install_dev=sda ip=dhcp", &[])
                .contains("--firstboot-args|rd.neednet=1 ip=dhcp|/dev/sda")
        );
    }

    #[test]
    fn config_files_come_first_and_may_name_the_target() {
        assert_eq!(
            line("", &["/d/0000-a.yaml", "/d/0001-b.yaml"]),
            "install|--progress|json|--config-file|/d/0000-a.yaml|--config-file|/d/0001-b.yaml|--fetch-retries|infinite"
        );
    }

    #[test]
    fn no_target_at_all_is_an_error() {
        for kargs in [
            "",
            "coreos.inst.install_dev=",
            "coreos.inst.ignition_url=http://s/c",
        ] {
            assert_eq!(
                arguments(&Kargs::parse(kargs), &[]),
                Err(ArgumentsError::NoTarget),
                "{kargs}"
            );
        }
    }
}
