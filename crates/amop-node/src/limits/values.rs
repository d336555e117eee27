//! Numbers with their units, as people write them.

/// Reads a whole number and its unit, with or without a space between them.
pub(super) fn size(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
    positive(number)?.checked_mul(factor)
}

pub(super) fn bytes_a_second(text: &str) -> Option<u64> {
    size(text.strip_suffix("/s")?)
}

/// Reads how many there may be a second.
pub(super) fn number_a_second(text: &str) -> Option<u64> {
    positive(text.strip_suffix("/s")?.trim_end())
}

fn positive(number: &str) -> Option<u64> {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|&number| is_number && number > 0)
}

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_whole_number_and_a_unit() {
        let sizes = ["1 B", "7kB", "10 MB", "2 GB", "1 KiB", "3 MiB", "1 GiB"].map(size);
        let bytes = [1, 7000, 10_000_000, 2_000_000_000, 1024, 3_145_728, 1_073_741_824];
        assert_eq!(sizes, bytes.map(Some));
        let wrong = ["", "10", "MB", "0 MB", "1.5 MB", "-1 B", "+1 B", "1 mb", "1 Mbit", "1 MB/s"];
        assert!(wrong.iter().all(|text| size(text).is_none()));
        assert_eq!(size("18446744073709551615 B"), Some(u64::MAX));
        assert_eq!(size("18446744073709551615 kB"), None, "more than fits");
    }

    #[test]
    fn a_rate_is_by_the_second() {
        assert_eq!(bytes_a_second("10 MB/s"), Some(10_000_000));
        assert_eq!(number_a_second("1000/s"), Some(1000));
        assert_eq!([bytes_a_second("10 MB"), bytes_a_second("10 MB/m")], [None; 2]);
        assert_eq!(["1000", "0/s", "/s", "+1/s"].map(number_a_second), [None; 4]);
    }
}
