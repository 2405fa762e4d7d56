//! iPXE scripts and GRUB configs that boot a profile. The words of a profile are the operator's,
//! and go into the script as they are.

use super::book::Boot;
use crate::boot::Endpoint;

/// `/boot.ipxe`: comes back with what iPXE knows of its machine.
pub fn boot_script() -> &'static str {
    "#!ipxe\nchain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&domain=${domain}&hostname=${hostname}&serial=${serial}&arch=${buildarch:uristring}\n"
}

/// `/ipxe`
pub fn ipxe_script(boot: &Boot) -> String {
    let mut lines = vec![
        "#!ipxe".to_owned(),
        words("kernel", &boot.kernel, &boot.args),
    ];
    lines.extend(boot.initrd.iter().map(|initrd| format!("initrd {initrd}")));
    lines.push("boot".to_owned());
    lines.join("\n") + "\n"
}

/// `/grub`: an entry for each kind of firmware.
pub fn grub_config(boot: &Boot) -> String {
    let mut config = "default=0\nfallback=1\ntimeout=1\n".to_owned();
    let kernel = format!("\"{}\"", boot.kernel);
    let initrds: Vec<String> = boot
        .initrd
        .iter()
        .map(|initrd| format!("\"{initrd}\""))
        .collect();
    for (name, suffix) in [("UEFI", "efi"), ("BIOS", "")] {
        config.push_str(&format!("menuentry \"network boot, {name}\" {{\n"));
        config.push_str(&format!(
            "    {}\n",
            words(&format!("linux{suffix}"), &kernel, &boot.args)
        ));
        if !initrds.is_empty() {
            config.push_str(&format!("    initrd{suffix} {}\n", initrds.join(" ")));
        }
        config.push_str("}\n");
    }
    config
}

/// What a GRUB that asks a site for its script does: boots the profile, its paths by HTTP from
/// `endpoint` where this GRUB can, by TFTP otherwise.
pub fn grub_answer(boot: &Boot, endpoint: Endpoint) -> String {
    let Endpoint { address, port, .. } = endpoint;
    let kernel = words("linux", &format!("\"{}\"", boot.kernel), &boot.args);
    let initrds = boot.initrd.iter().map(|initrd| format!("\"{initrd}\""));
    let initrds: Vec<String> = initrds.collect();
    let start = match initrds.as_slice() {
        [] => "boot".to_owned(),
        all => format!("if initrd {}; then boot; fi", all.join(" ")),
    };
    format!(
        "set answered=yes\nfor source in http,{address}:{port} tftp,{address}; do\n  set root=$source\n  if {kernel}; then\n    {start}\n  fi\ndone\nset pause=10\n"
    )
}

fn words(command: &str, kernel: &str, arguments: &[String]) -> String {
    let mut line = format!("{command} {kernel}");
    for argument in arguments {
        line.push(' ');
        line.push_str(argument);
    }
    line
}
