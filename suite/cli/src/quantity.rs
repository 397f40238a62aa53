//! Quantities in words.

/// Seconds.
pub fn duration(seconds: f64) -> String {
    match seconds {
        shortest if shortest < 0.5 && shortest > 0.0 => "< 1 s".to_owned(),
        short if short < 90.0 => format!("{short:.0} s"),
        medium if medium < 5400.0 => format!("{:.0} min", medium / 60.0),
        long if long < 48.0 * 3600.0 => format!("{:.1} h", long / 3600.0),
        longer => format!("{:.0} days", longer / 86400.0),
    }
}

/// Bytes.
pub fn bytes(count: f64) -> String {
    if count < 1e9 { format!("{:.0} MB", (count / 1e6).max(1.0)) } else { format!("{:.1} GB", count / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_short() {
        assert_eq!(
            [0.0, 0.2, 89.4, 600.0, 7200.0, 1e6].map(duration),
            ["0 s", "< 1 s", "89 s", "10 min", "2.0 h", "12 days"]
        );
        assert_eq!([0.0, 2.5e8, 3.21e9].map(bytes), ["1 MB", "250 MB", "3.2 GB"]);
    }
}
