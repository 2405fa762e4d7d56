//! As much of iPXE's language as boot servers' scripts need to be followed: the first `chain`, the
//! kernel line, and the settings that name the machine.

use embed::contract::karg;

/// What a script leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Another script at this URL.
    Chain(String),
    /// A kernel.
    Kernel {
        /// Where the installer or Ignition takes its config from.
        config: Option<String>,
        /// Where the machine reports to.
        report: Option<String>,
    },
    /// Neither: the machine boots its disk, or waits.
    End,
}

/// Reads a script for the machine with this address, written with dashes.
pub(super) fn read(text: &str, mac: &str) -> Script {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("chain") => {
                let url = words.find(|word| !word.starts_with("--"));
                return url.map_or(Script::End, |url| Script::Chain(filled(url, mac)));
            }
            Some("kernel") => {
                let words: Vec<&str> = words.collect();
                let value = |name: &str| {
                    let mut values = words.iter().filter_map(|word| word.split_once('='));
                    let found = values.find(|(of, _)| *of == name);
                    found.map(|(_, value)| filled(value, mac))
                };
                let config = value(karg::INST_IGNITION_URL)
                    .or_else(|| value("ignition.config.url"))
                    .or_else(|| value("coreos.config.url"));
                let report = value(karg::REPORT_URL);
                return Script::Kernel { config, report };
            }
            _ => {}
        }
    }
    Script::End
}

/// The text with its settings replaced: the machine's address, and nothing for all others.
fn filled(text: &str, mac: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let (setting, after) = after.split_once('}').unwrap_or((after, ""));
        let name = setting.rsplit('/').next().unwrap_or(setting);
        match name {
            "mac:hexhyp" => filled.push_str(mac),
            "mac" => filled.push_str(&mac.replace('-', ":")),
            "buildarch" | "buildarch:uristring" => filled.push_str("x86_64"),
            "platform" => filled.push_str("efi"),
            _ => {}
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "02-53-00-00-00-01";

    #[test]
    fn a_chain_and_a_kernel_line_are_followed() {
        let first =
            "#!ipxe\n:a\nchain --replace ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}&m=${mac} ||\n";
        let chained = format!("ipxe?mac={MAC}&uuid=&m={}", MAC.replace('-', ":"));
        assert_eq!(read(first, MAC), Script::Chain(chained));
        let ours = "#!ipxe\nkernel http://s/k a coreos.inst.ignition_url=http://s/i coreos.report_url=http://s/r?ticket=1 ||\n";
        let kernel = Script::Kernel {
            config: Some("http://s/i".into()),
            report: Some("http://s/r?ticket=1".into()),
        };
        assert_eq!(read(ours, MAC), kernel);
        let theirs = "#!ipxe\nkernel /k ignition.config.url=http://s/ignition?mac=${mac:hexhyp}\n";
        let kernel = Script::Kernel {
            config: Some(format!("http://s/ignition?mac={MAC}")),
            report: None,
        };
        assert_eq!(read(theirs, MAC), kernel);
        assert_eq!(read("#!ipxe\nsanboot --drive 0x80\n", MAC), Script::End);
        assert_eq!(filled("a${b", MAC), "a");
    }
}
