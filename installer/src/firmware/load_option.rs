//! A boot option as the firmware stores it: EFI_LOAD_OPTION (UEFI 2.10 section 3.1.3) with the
//! device path of a file on a GPT partition (sections 10.3.5.1 and 10.3.5.4).

/// LOAD_OPTION_ACTIVE: the boot manager may use it.
const ACTIVE: u32 = 1;
/// Longest description that is written, UTF-16 units; menus have little room.
const MAX_DESCRIPTION: usize = 64;

/// Type and subtype of device path nodes: a hard drive partition, a file path, the end.
const HARD_DRIVE: [u8; 2] = [4, 1];
const FILE_PATH: [u8; 2] = [4, 4];
const END: [u8; 2] = [0x7f, 0xff];

/// Format "GPT" and signature type "GUID" of a hard drive node.
const GPT_BY_GUID: [u8; 2] = [2, 2];

/// A file on a partition, as the firmware finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePath {
    /// Number of the partition.
    pub(super) partition: u32,
    /// First sector.
    pub(super) start: u64,
    /// Length in sectors.
    pub(super) sectors: u64,
    /// The partition's GUID, as on the disk.
    pub(super) guid: [u8; 16],
    /// Path with backslashes.
    pub(super) file: String,
}

impl FilePath {
    /// The device path; `None` if the file's path is longer than a node can be.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut drive = Vec::new();
        drive.extend_from_slice(&self.partition.to_le_bytes());
        drive.extend_from_slice(&self.start.to_le_bytes());
        drive.extend_from_slice(&self.sectors.to_le_bytes());
        drive.extend_from_slice(&self.guid);
        drive.extend_from_slice(&GPT_BY_GUID);
        let mut path = node(HARD_DRIVE, &drive)?;
        path.extend(node(FILE_PATH, &utf16(self.file.encode_utf16()))?);
        path.extend(node(END, &[])?);
        Some(path)
    }
}

fn node(kind: [u8; 2], data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len().checked_add(4)?).ok()?;
    let mut node = kind.to_vec();
    node.extend_from_slice(&length.to_le_bytes());
    node.extend_from_slice(data);
    Some(node)
}

/// Text as the firmware has it: UTF-16LE and a NUL.
fn utf16(units: impl Iterator<Item = u16>) -> Vec<u8> {
    units.chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A boot option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOption {
    /// Bits of section 3.1.3.
    attributes: u32,
    /// What a menu shows.
    pub(super) description: String,
    /// Device path of what is started.
    pub(super) path: Vec<u8>,
    /// For what is started.
    data: Vec<u8>,
}

impl LoadOption {
    /// An option that the boot manager uses, without data.
    pub(super) fn new(description: &str, path: Vec<u8>) -> Self {
        let units: Vec<u16> = description
            .chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
            .encode_utf16()
            .take(MAX_DESCRIPTION)
            .collect();
        Self {
            attributes: ACTIVE,
            description: String::from_utf16_lossy(&units),
            path,
            data: Vec::new(),
        }
    }

    /// The variable's data; `None` if the path is too long for one.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let length = u16::try_from(self.path.len()).ok()?;
        let mut bytes = self.attributes.to_le_bytes().to_vec();
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend(utf16(self.description.encode_utf16()));
        bytes.extend_from_slice(&self.path);
        bytes.extend_from_slice(&self.data);
        Some(bytes)
    }

    /// Reads a variable's data; `None` if it is no load option.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (attributes, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (text, rest) = {
            let units = rest.chunks_exact(2).map(|pair| match pair {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => 0,
            });
            let text: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
            let end = text.len().checked_add(1)?.checked_mul(2)?;
            (text, rest.get(end..)?)
        };
        let (path, data) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        Some(Self {
            attributes: u32::from_le_bytes(*attributes),
            description: String::from_utf16_lossy(&text),
            path: path.to_vec(),
            data: data.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand from the tables of the specification: a partition of 600 MiB at 1 MiB.
    const GOLDEN: &str = "01000000\
        6200\
        4600650064006f00720061000000\
        04012a00\
        01000000\
        0008000000000000\
        00c0120000000000\
        00112233445566778899aabbccddeeff\
        0202\
        04043400\
        5c004500460049005c006600650064006f00720061005c007300680069006d007800360034002e006500660069000000\
        7fff0400";

    fn fedora() -> LoadOption {
        let path = FilePath {
            partition: 1,
            start: 2048,
            sectors: 1_228_800,
            guid: std::array::from_fn(|at| u8::try_from(at * 0x11).unwrap()),
            file: "\\EFI\\fedora\\shimx64.efi".to_owned(),
        };
        LoadOption::new("Fedora", path.encode().unwrap())
    }

    #[test]
    fn an_option_is_written_as_the_firmware_has_it() {
        assert_eq!(hex::encode(fedora().encode().unwrap()), GOLDEN);
        let bytes = hex::decode(GOLDEN).unwrap();
        assert_eq!(LoadOption::decode(&bytes), Some(fedora()));
    }

    #[test]
    fn data_behind_the_path_is_kept_and_what_is_cut_off_is_no_option() {
        let mut bytes = hex::decode(GOLDEN).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(b"data");
        let option = LoadOption::decode(&bytes).unwrap();
        assert_eq!(option.data, b"data");
        assert_eq!(option.encode().unwrap(), bytes);
        for length in 0..whole {
            assert_eq!(LoadOption::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(LoadOption::decode(&[0xff; 64]), None);
    }

    #[test]
    fn names_are_cut_and_paths_that_do_not_fit_are_refused() {
        let option = LoadOption::new(&"ä\n".repeat(100), Vec::new());
        assert_eq!(option.description, "ä".repeat(64));
        let mut path = FilePath {
            partition: 1,
            start: 1,
            sectors: 1,
            guid: [0; 16],
            file: "x".repeat(32_764),
        };
        assert!(path.encode().is_some());
        path.file.push_str("xx");
        assert_eq!(path.encode(), None);
    }
}
