//! iPXE scripts and GRUB configs that boot a profile. The words of a profile are the operator's,
//! and go into the script as they are.

use super::book::Boot;

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

fn words(command: &str, kernel: &str, arguments: &[String]) -> String {
    let mut line = format!("{command} {kernel}");
    for argument in arguments {
        line.push(' ');
        line.push_str(argument);
    }
    line
}
