//! The one time stamp of a medium, in the forms that ISO 9660 (ECMA-119) writes it: seven binary
//! bytes in directory records (9.1.5) and seventeen digits in volume descriptors (8.4.26.1).
//!
//! Always UTC; no clock is read here, so that the same input gives the same bytes.

/// Seconds since 1970-01-01 00:00:00 UTC that a medium carries in all its time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u32);

impl Timestamp {
    /// 1980-01-01: the earliest time that ISO 9660, squashfs, cpio and FAT can all say.
    pub const EARLIEST_COMMON: Self = Self(315_532_800);

    /// A time in seconds since 1970; 32 bits because squashfs and cpio hold no more.
    pub fn from_unix(seconds: u32) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    pub fn as_unix(self) -> u32 {
        self.0
    }

    /// Years since 1900, month, day, hour, minute, second, offset from UTC.
    pub(super) fn record(self) -> [u8; 7] {
        let civil = self.civil();
        let years = u8::try_from(civil.year.saturating_sub(1900)).unwrap_or(u8::MAX);
        [
            years,
            civil.month,
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            0,
        ]
    }

    /// `YYYYMMDDHHMMSSCC` and the offset byte.
    pub(super) fn descriptor(self) -> [u8; 17] {
        let c = self.civil();
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}00",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        );
        let mut out = [0u8; 17];
        for (to, from) in out.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        out
    }

    fn civil(self) -> Civil {
        let (mut days, seconds) = (self.0 / 86_400, self.0 % 86_400);
        let mut year = 1970;
        while days >= year_days(year) {
            days -= year_days(year);
            year += 1;
        }
        let mut month = 1;
        for length in month_lengths(year) {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        let small = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        Civil {
            year,
            month,
            day: small(days + 1),
            hour: small(seconds / 3600),
            minute: small(seconds / 60 % 60),
            second: small(seconds % 60),
        }
    }
}

struct Civil {
    year: u32,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_days(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_lengths(year: u32) -> [u32; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_time_is_the_utc_calendar_time() {
        let digits = |seconds| {
            let bytes = Timestamp::from_unix(seconds).descriptor();
            String::from_utf8(bytes.get(..16).unwrap().to_vec()).unwrap()
        };
        assert_eq!(digits(0), "1970010100000000");
        assert_eq!(
            digits(Timestamp::EARLIEST_COMMON.as_unix()),
            "1980010100000000"
        );
        assert_eq!(digits(951_782_399), "2000022823595900");
        assert_eq!(digits(951_782_400), "2000022900000000");
        assert_eq!(digits(1_700_000_000), "2023111422132000");
        assert_eq!(digits(u32::MAX), "2106020706281500");
    }

    #[test]
    fn record_time_counts_years_from_1900() {
        assert_eq!(
            Timestamp::from_unix(1_700_000_000).record(),
            [123, 11, 14, 22, 13, 20, 0]
        );
    }
}
