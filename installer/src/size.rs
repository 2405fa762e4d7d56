//! Sizes as people write them: a whole number of bytes, or of a decimal (GB) or binary (GiB) unit.

/// Bytes of `text`, for example `512MiB`; `None` if it is no size or too large for a `u64`.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (number, unit) = text.split_at_checked(text.len() - rest.len())?;
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000u64.pow(2),
        "GB" => 1000u64.pow(3),
        "TB" => 1000u64.pow(4),
        "PB" => 1000u64.pow(5),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "PiB" => 1 << 50,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_decimal_or_binary_and_nothing_else_is_a_size() {
        assert_eq!(parse("512110190592"), Some(512_110_190_592));
        assert_eq!(parse(" 2 GB "), Some(2_000_000_000));
        assert_eq!(parse("512MiB"), Some(512 << 20));
        for wrong in ["", "MiB", "-1", "1.5GiB", "1 Gib", "99999999PiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
