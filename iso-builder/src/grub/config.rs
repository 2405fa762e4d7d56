//! `grub.cfg` of a live medium, and `coreos/kargs.json`, which says where in it the kernel
//! arguments are. Offsets are counted while the bytes are written, so they cannot disagree.

use embed::contract::iso as names;
use serde::Serialize;

/// Kernel arguments that x86 takes, with the final NUL (`COMMAND_LINE_SIZE`).
const COMMAND_LINE: usize = 2048;
/// Seconds that the menu waits.
const TIMEOUT: u32 = 3;

/// Bytes of the kernel argument area: all that the kernel would take, less what GRUB puts first.
pub const fn kargs_area_size() -> usize {
    COMMAND_LINE - "BOOT_IMAGE=/ ".len() - names::KERNEL.len()
}

/// More kernel arguments than fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("kernel arguments of {size} bytes do not fit the area of {area} bytes")]
pub struct AreaError {
    /// Bytes of the text.
    pub size: usize,
    /// Most bytes that fit.
    pub area: usize,
}

/// `coreos/kargs.json`: what the tools that edit a medium read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KargsJson {
    default: String,
    files: Vec<KargsPlace>,
    size: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct KargsPlace {
    path: String,
    offset: usize,
}

/// A configuration and the description of its area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Content of the file.
    pub text: String,
    /// Description of the area in it.
    pub kargs: KargsJson,
}

/// The configuration for a menu entry `title` that starts with `kargs`; it will be at `path`.
pub fn config(path: &str, title: &str, kargs: &str) -> Result<Config, AreaError> {
    let size = kargs_area_size();
    if kargs.len() >= size {
        return Err(AreaError {
            size: kargs.len(),
            area: size - 1,
        });
    }
    // Quotes would end the title, `$` and `\` would change it.
    let title: String = title
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\'' | '$' | '\\'))
        .collect();
    // UEFI's console is on the serial line already where the firmware was told so.
    let mut text = format!(
        "set default=0\nset timeout={TIMEOUT}\n\
         if [ \"$grub_platform\" = pc ]; then\n\
         \tif serial --unit=0 --speed=115200; then\n\
         \t\tterminal_input console serial\n\
         \t\tterminal_output console serial\n\
         \tfi\n\
         fi\n\
         menuentry '{title}' --class os {{\n\
         \tlinux /{kernel} ",
        kernel = names::KERNEL,
    );
    let offset = text.len();
    text.push_str(kargs);
    text.push('\n');
    text.extend(std::iter::repeat_n('#', size - kargs.len() - 1));
    // The padding is one comment; this ends its line and tells a reader what it is.
    text.push_str(" COREOS_KARG_EMBED_AREA\n");
    text.push_str(&format!(
        "\tinitrd /{} /{}\n}}\n",
        names::INITRAMFS,
        names::IGNITION_IMG
    ));
    let place = KargsPlace {
        path: path.to_owned(),
        offset,
    };
    Ok(Config {
        text,
        kargs: KargsJson {
            default: kargs.to_owned(),
            files: vec![place],
            size,
        },
    })
}

/// The configuration that a GRUB started from anywhere reads first: finds the medium by a file that
/// no other medium has, then goes on with the configuration at `path`.
pub fn stub(marker: &str, path: &str) -> String {
    let prefix = path.rsplit_once('/').map_or("", |parts| parts.0);
    format!(
        "search --no-floppy --set=root --file /{marker}\nset prefix=($root)/{prefix}\nconfigfile ($root)/{path}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_is_where_the_description_says_and_ends_its_line() {
        let config = config("boot/grub/grub.cfg", "Some OS", "a b=c").unwrap();
        let place = &config.kargs.files[0];
        let area = &config.text[place.offset..place.offset + config.kargs.size];
        assert!(area.starts_with("a b=c\n###"));
        assert!(area.ends_with('#'));
        assert!(config.text[..place.offset].ends_with("\tlinux /images/pxeboot/vmlinuz "));
        assert!(
            config.text[place.offset + config.kargs.size..]
                .starts_with(" COREOS_KARG_EMBED_AREA\n\tinitrd ")
        );
    }

    #[test]
    fn full_area_holds_all_that_the_kernel_takes_and_no_more() {
        let longest = "x".repeat(kargs_area_size() - 1);
        assert!(config("g", "t", &longest).is_ok());
        assert_eq!(
            "BOOT_IMAGE=/images/pxeboot/vmlinuz ".len() + longest.len() + 1,
            COMMAND_LINE
        );
        let error = config("g", "t", &format!("{longest}x")).unwrap_err();
        assert_eq!(
            error,
            AreaError {
                size: kargs_area_size(),
                area: kargs_area_size() - 1
            }
        );
    }

    #[test]
    fn title_cannot_leave_its_quotes() {
        let config = config("g", "it's $(x)\\\n", "").unwrap();
        assert!(
            config.text.contains("menuentry 'its (x)' "),
            "{}",
            config.text
        );
    }
}
