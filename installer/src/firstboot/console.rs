//! `--console` values: a serial or graphical console, as the kernel and as GRUB spell it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Speed when none is given, bits a second.
const DEFAULT_SPEED: u32 = 9600;

/// A console of the installed system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Console {
    /// A UART.
    Serial {
        /// `ttyS` or `ttyAMA`.
        driver: &'static str,
        /// Number of the port.
        port: u8,
        /// Bits a second.
        speed: u32,
        /// `n`, `o` or `e`.
        parity: char,
        /// 5 to 8.
        bits: u8,
    },
    /// `tty0`, `hvc0` or `ttysclp0`.
    Named(&'static str),
}

/// Why a console was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The kernel argument was given instead of its value.
    #[error("`{0}`: leave out the leading `console=`")]
    KernelArgument(String),
    /// A device path was given.
    #[error("`{0}`: leave out the leading `/dev/`")]
    DevicePath(String),
    /// Anything else.
    #[error("`{0}` is no console; examples: tty0, ttyS0, ttyS1,115200n8, ttyAMA0, hvc0, ttysclp0")]
    Unknown(String),
}

impl Console {
    /// The kernel argument.
    pub fn karg(&self) -> String {
        format!("console={self}")
    }

    /// GRUB's command that sets the port up, for a UART.
    pub(super) fn grub_command(&self) -> Option<String> {
        let Self::Serial {
            port,
            speed,
            parity,
            bits,
            ..
        } = self
        else {
            return None;
        };
        let parity = match parity {
            'o' => "odd",
            'e' => "even",
            _ => "no",
        };
        Some(format!(
            "serial --unit={port} --speed={speed} --word={bits} --parity={parity}"
        ))
    }

    /// GRUB's name of the terminal.
    pub(super) fn grub_terminal(&self) -> &'static str {
        match self {
            Self::Serial { .. } => "serial",
            Self::Named(_) => "console",
        }
    }
}

impl fmt::Display for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial {
                driver,
                port,
                speed,
                parity,
                bits,
            } => {
                write!(f, "{driver}{port},{speed}{parity}{bits}")
            }
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl FromStr for Console {
    type Err = ConsoleError;

    fn from_str(text: &str) -> Result<Self, ConsoleError> {
        if text.starts_with("console=") {
            return Err(ConsoleError::KernelArgument(text.to_owned()));
        }
        if text.starts_with("/dev/") {
            return Err(ConsoleError::DevicePath(text.to_owned()));
        }
        if let Some(name) = ["tty0", "hvc0", "ttysclp0"]
            .into_iter()
            .find(|name| *name == text)
        {
            return Ok(Self::Named(name));
        }
        parse_serial(text).ok_or_else(|| ConsoleError::Unknown(text.to_owned()))
    }
}

fn parse_serial(text: &str) -> Option<Console> {
    let (driver, rest) = ["ttyS", "ttyAMA"]
        .into_iter()
        .find_map(|driver| text.strip_prefix(driver).map(|rest| (driver, rest)))?;
    let (port, mode) = rest
        .split_once(',')
        .map_or((rest, None), |(port, mode)| (port, Some(mode)));
    let (speed, parity, bits) = match mode {
        None => (DEFAULT_SPEED, 'n', 8),
        Some(mode) => parse_mode(mode)?,
    };
    Some(Console::Serial {
        driver,
        port: decimal(port)?,
        speed,
        parity,
        bits,
    })
}

/// `SPEED[n|o|e[5-8]]`.
fn parse_mode(mode: &str) -> Option<(u32, char, u8)> {
    let digits = mode
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(mode.len());
    let (speed, rest) = mode.split_at_checked(digits)?;
    let mut rest = rest.chars();
    let parity = rest.next().unwrap_or('n');
    let bits = rest.next().unwrap_or('8');
    let known =
        matches!(parity, 'n' | 'o' | 'e') && ('5'..='8').contains(&bits) && rest.next().is_none();
    let bits = bits.to_digit(10).and_then(|bits| u8::try_from(bits).ok())?;
    known.then_some((decimal(speed)?, parity, bits))
}

fn decimal<T: FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

impl<'de> Deserialize<'de> for Console {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_are_spelled_for_kernel_and_grub() {
        for (text, karg, grub) in [
            (
                "ttyS0",
                "console=ttyS0,9600n8",
                "serial --unit=0 --speed=9600 --word=8 --parity=no",
            ),
            (
                "ttyS1,115200",
                "console=ttyS1,115200n8",
                "serial --unit=1 --speed=115200 --word=8 --parity=no",
            ),
            (
                "ttyAMA0,4800e",
                "console=ttyAMA0,4800e8",
                "serial --unit=0 --speed=4800 --word=8 --parity=even",
            ),
            (
                "ttyS255,1o5",
                "console=ttyS255,1o5",
                "serial --unit=255 --speed=1 --word=5 --parity=odd",
            ),
        ] {
            let console: Console = text.parse().unwrap();
            assert_eq!(
                (console.karg().as_str(), console.grub_command().as_deref()),
                (karg, Some(grub))
            );
            assert_eq!(console.grub_terminal(), "serial");
        }
        for text in ["tty0", "hvc0", "ttysclp0"] {
            let console: Console = text.parse().unwrap();
            assert_eq!(
                (console.karg(), console.grub_command()),
                (format!("console={text}"), None)
            );
        }
    }

    #[test]
    fn refusals_say_what_to_leave_out() {
        let unknown = |t: &str| ConsoleError::Unknown(t.into());
        for (text, want) in [
            (
                "console=ttyS0",
                ConsoleError::KernelArgument("console=ttyS0".into()),
            ),
            ("/dev/ttyS0", ConsoleError::DevicePath("/dev/ttyS0".into())),
            ("ttyS", unknown("ttyS")),
            ("ttyS256", unknown("ttyS256")),
            ("ttyS+1", unknown("ttyS+1")),
            ("ttyS0,", unknown("ttyS0,")),
            ("ttyS0,9600x", unknown("ttyS0,9600x")),
            ("ttyS0,9600n9", unknown("ttyS0,9600n9")),
            ("ttyS0,9600n8 quiet", unknown("ttyS0,9600n8 quiet")),
            ("ttyS0,9600nä", unknown("ttyS0,9600nä")),
            ("tty1", unknown("tty1")),
            ("", unknown("")),
        ] {
            assert_eq!(text.parse::<Console>(), Err(want));
        }
    }
}
