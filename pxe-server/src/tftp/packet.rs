//! TFTP packets: reads what clients send, writes what a server sends (RFC 1350 section 5,
//! RFC 2347). Input is untrusted; a packet bounds everything that is kept of it.

/// Most options that are looked at in one request.
const MAX_OPTIONS: usize = 16;

/// Error codes of RFC 1350 and 2347.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// See the message.
    NotDefined = 0,
    /// No such file.
    NotFound = 1,
    /// Not allowed.
    AccessViolation = 2,
    /// Not a packet that is expected here.
    IllegalOperation = 4,
}

/// Transfer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bytes as they are.
    Octet,
    /// Text: line ends become CR LF, CR becomes CR NUL.
    Netascii,
}

/// A read request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Requested name; printable ASCII.
    pub file: String,
    /// Transfer mode.
    pub mode: Mode,
    /// Option names in lower case and their values, in the order of the packet.
    pub options: Vec<(String, String)>,
}

/// Why a packet to the server's port is no read request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not a request at all.
    #[error("not a TFTP request")]
    Malformed,
    /// A write request.
    #[error("write request to a read-only server")]
    Write,
    /// A mode other than octet and netascii.
    #[error("unknown transfer mode")]
    Mode,
}

/// What a client sends during a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPacket {
    /// All blocks up to this one have arrived.
    Ack(u16),
    /// The client gives up.
    Error {
        /// Its code.
        code: u16,
        /// Its text, printable ASCII.
        message: String,
    },
}

impl ReadRequest {
    /// Reads a packet that came to the server's port.
    ///
    /// ROMs and boot loaders leave junk behind names: a name ends at the first byte that is not
    /// printable ASCII.
    pub fn parse(packet: &[u8]) -> Result<Self, RequestError> {
        let rest = match packet {
            [0, 1, rest @ ..] => rest,
            [0, 2, ..] => return Err(RequestError::Write),
            _ => return Err(RequestError::Malformed),
        };
        let mut strings = rest.split(|byte| *byte == 0);
        let file = printable(strings.next().ok_or(RequestError::Malformed)?);
        let mode = strings.next().ok_or(RequestError::Malformed)?;
        if file.is_empty() {
            return Err(RequestError::Malformed);
        }
        let mode = match mode.to_ascii_lowercase().as_slice() {
            b"octet" => Mode::Octet,
            b"netascii" => Mode::Netascii,
            _ => return Err(RequestError::Mode),
        };
        let mut options = Vec::new();
        while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
            if options.len() < MAX_OPTIONS && !name.is_empty() {
                options.push((printable(name).to_ascii_lowercase(), printable(value)));
            }
        }
        Ok(Self {
            file,
            mode,
            options,
        })
    }
}

impl ClientPacket {
    /// Reads a packet that came to a transfer's port; `None` for what a client never sends there.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        match packet {
            [0, 4, high, low, ..] => Some(Self::Ack(u16::from_be_bytes([*high, *low]))),
            [0, 5, high, low, text @ ..] => Some(Self::Error {
                code: u16::from_be_bytes([*high, *low]),
                message: printable(text),
            }),
            _ => None,
        }
    }
}

fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|byte| (0x20..=0x7e).contains(*byte))
        .map(|byte| char::from(*byte))
        .collect()
}

/// OACK: the accepted options.
pub fn oack(options: &[(&str, String)]) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for (name, value) in options {
        for text in [*name, value.as_str()] {
            packet.extend_from_slice(text.as_bytes());
            packet.push(0);
        }
    }
    packet
}

/// ERROR: code and text.
pub fn error(code: ErrorCode, text: &str) -> Vec<u8> {
    let mut packet = vec![0, 5, 0, code as u8];
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uefi_request_is_read_with_its_options() {
        let packet =
            b"\0\x01boot/x/ipxe.efi\0octet\0tsize\x000\0BLKSIZE\x001468\0windowsize\x004\0";
        let request = ReadRequest::parse(packet).unwrap();
        let options: Vec<_> = request
            .options
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            (request.file.as_str(), request.mode),
            ("boot/x/ipxe.efi", Mode::Octet)
        );
        assert_eq!(
            options,
            [("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")]
        );
    }

    #[test]
    fn junk_after_a_name_is_cut() {
        let request = ReadRequest::parse(b"\0\x01undionly.kpxe\xff\xfe\0OCTET\0").unwrap();
        assert_eq!(request.file, "undionly.kpxe");
    }

    #[test]
    fn what_is_no_read_request_is_named() {
        for (packet, want) in [
            (&b"\0\x02x\0octet\0"[..], RequestError::Write),
            (b"\0\x01x\0mail\0", RequestError::Mode),
            (b"\0\x01\0octet\0", RequestError::Malformed),
            (b"\0\x01x", RequestError::Malformed),
            (b"\0\x04\0\0", RequestError::Malformed),
            (b"", RequestError::Malformed),
        ] {
            assert_eq!(ReadRequest::parse(packet), Err(want), "{packet:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), op in 0u8..7) {
            let mut packet = vec![0, op];
            packet.extend_from_slice(&bytes);
            let _ = (ReadRequest::parse(&packet), ReadRequest::parse(&bytes));
            if let Some(ClientPacket::Error { message, .. }) = ClientPacket::parse(&packet) {
                prop_assert!(message.is_ascii());
            }
        }
    }
}
