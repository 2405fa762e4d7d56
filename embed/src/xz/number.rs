//! Multibyte integers (section 1.2): seven bits a byte, the lowest first, at most nine bytes.

/// Takes one from the start of `bytes`. `None` if it is cut, too long, or not the shortest form.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (*byte != 0 || shift == 0).then_some(value);
        }
    }
    None
}

/// Appends one; `value` must be below 2^63.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 1 << 32, (1 << 63) - 1] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            bytes.push(0xaa);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Some(value));
            assert_eq!(rest, [0xaa]);
        }
    }

    #[test]
    fn cut_overlong_and_padded_numbers_are_refused() {
        let wrong: [&[u8]; 4] = [&[], &[0x80], &[0x80, 0x00], &[0xff; 10]];
        for mut bytes in wrong {
            assert_eq!(take(&mut bytes), None);
        }
    }
}
