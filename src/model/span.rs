//! Times as people write them in one word: `90s`, `10m`, `2h`.

/// A whole number with a unit: `90s`, `10m`, `2h`, `7d`, `4w`. In seconds, more than zero.
pub fn parse_span(text: &str) -> Option<u64> {
    let (unit_at, unit) = text.char_indices().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return None,
    };
    let digits = Some(&text[..unit_at]).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds).filter(|seconds| (1..=10 * 366 * 24 * 3600).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit_and_a_bound() {
        assert_eq!(parse_span("90s"), Some(90));
        assert_eq!(parse_span("4w"), Some(4 * 7 * 86400));
        for text in ["", "10", "m", "-1m", "0s", "1y", "99999999999999999999d", "+1h", "1\u{e9}", "4000d"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
