//! Numbers and sizes as a person reads them.

/// `1 device`, `2,041 devices`.
pub fn count(n: impl TryInto<u64>, one: &str, many: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// Digits in groups of three: `12,004`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `412 B`, `3.4 kB`, `1.2 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => tenths(n, 1_000, "kB"),
        _ => tenths(n, 1_000_000, "MB"),
    }
}

/// `380 µs`, `12.4 ms`, `3.1 s`.
pub fn took(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => tenths(us, 1_000, "ms"),
        _ => tenths(us, 1_000_000, "s"),
    }
}

fn tenths(n: u64, unit: u64, name: &str) -> String {
    format!("{}.{} {name}", grouped(n / unit), n % unit * 10 / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(count(1_usize, "device", "devices"), "1 device");
        assert_eq!(count(0_u64, "device", "devices"), "0 devices");
        assert_eq!(bytes(3_450), "3.4 kB");
        assert_eq!(took(12_400), "12.4 ms");
    }
}
