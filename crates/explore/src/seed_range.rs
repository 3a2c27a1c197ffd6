//! Seeds and ranges of seeds, as people and CI jobs write them.

use std::ops::Range;

/// Reads a seed: a decimal number, a 0x number, or a 40-digit commit hash, of
/// which the first 16 digits count.
///
/// # Errors
/// One line that says what is legal.
pub fn seed(text: &str) -> Result<u64, String> {
    let hex = |digits: &str| u64::from_str_radix(digits, 16);
    let is_hex = |digits: &str| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    let read = if text.len() == 40 && is_hex(text) {
        hex(&text[..16]).ok()
    } else if let Some(digits) = text.strip_prefix("0x").filter(|digits| is_hex(digits)) {
        hex(digits).ok()
    } else if text.chars().all(|c| c.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    };
    read.ok_or_else(|| {
        format!("\"{text}\" is no seed; legal: a decimal number up to {}, a 0x number, or a 40-digit commit hash", u64::MAX)
    })
}

/// Reads a range of seeds: `A..B` (B excluded), `A..+N`, or `N` for `0..N`.
///
/// # Errors
/// One line that says what is legal.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = match text.split_once("..") {
        Some((first, count)) if count.starts_with('+') => {
            let first = seed(first)?;
            let count = seed(&count[1..])?;
            let end = first.checked_add(count);
            first
                ..end.ok_or_else(|| {
                    format!("\"{text}\" reaches beyond the last seed, {}", u64::MAX)
                })?
        }
        Some((first, end)) => seed(first)?..seed(end)?,
        None => 0..seed(text)?,
    };
    if range.is_empty() {
        return Err(format!(
            "\"{text}\" holds no seed; legal: A..B with A below B, A..+N, or N, with N at least 1"
        ));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_in_all_their_forms() {
        assert_eq!(seed("17"), Ok(17));
        assert_eq!(seed("0xfF"), Ok(255));
        assert_eq!(
            seed("0123456789abcdef0123456789abcdef01234567"),
            Ok(0x0123_4567_89ab_cdef)
        );
        assert_eq!(
            seed("1111111111111111111111111111111111111111"),
            Ok(0x1111_1111_1111_1111)
        );
        for wrong in [
            "",
            "-1",
            "0x",
            "12z",
            "0x12345678901234567",
            "99999999999999999999",
            "0123456789abcdef",
        ] {
            assert!(seed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_read_in_all_their_forms() {
        assert_eq!(seeds("5"), Ok(0..5));
        assert_eq!(seeds("3..9"), Ok(3..9));
        assert_eq!(seeds("0x10..+4"), Ok(16..20));
        for wrong in [
            "0",
            "9..3",
            "4..4",
            "..",
            "1..",
            "1..+0",
            "18446744073709551615..+2",
        ] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
