//! Values as people read them.

use std::time::Duration;

use proto::money::{Currency, Money};

/// An amount in its currency's own format: `9.99 USD`.
pub(crate) fn money(minor: i64, code: &str) -> String {
    match code.parse::<Currency>() {
        Ok(currency) => Money::new(minor, currency).to_string(),
        Err(_) => format!("{minor} {code}"),
    }
}

/// `ORDER_STATUS_PAID` as `paid`.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_ascii_lowercase()
        .replace('_', " ")
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How often a second: `3.2/s`, `1,234/s`.
pub(crate) fn per_second(rate: f64) -> String {
    if rate < 99.95 {
        let text = format!("{rate:.1}");
        format!("{}/s", text.strip_suffix(".0").unwrap_or(&text))
    } else {
        // Rates are far below 2^63.
        #[allow(clippy::cast_possible_truncation)]
        let whole = rate.round() as i64;
        format!("{}/s", count(whole))
    }
}

/// A short time: `4 ms`, `1.3 s`, `2 min 5 s`.
pub(crate) fn millis(time: f64) -> String {
    if time < 999.5 {
        return format!("{time:.0} ms");
    }
    if time < 59_950.0 {
        return format!("{:.1} s", time / 1e3);
    }
    // Days are far below 2^63 seconds.
    #[allow(clippy::cast_possible_truncation)]
    let seconds = (time / 1e3).round() as i64;
    format!("{} min {} s", count(seconds / 60), seconds % 60)
}

/// A long time by its two largest parts: `45s`, `12m 3s`, `5h 2m`, `3d 4h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

/// A part of a whole: `97%`, near both ends more finely; nothing of nothing is none.
pub(crate) fn share(part: i64, all: i64) -> String {
    // Counts of orders are below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let percent = if all > 0 {
        part as f64 * 100.0 / all as f64
    } else {
        0.0
    };
    let is_whole = percent.fract() == 0.0;
    if is_whole || (5.0..=95.0).contains(&percent) {
        format!("{percent:.0}%")
    } else {
        format!("{percent:.1}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn rates_and_times_have_as_many_digits_as_matter() {
        assert_eq!(per_second(0.0), "0/s");
        assert_eq!(per_second(3.25), "3.2/s");
        assert_eq!(per_second(12_345.6), "12,346/s");
        assert_eq!(millis(4.0), "4 ms");
        assert_eq!(millis(1_300.0), "1.3 s");
        assert_eq!(millis(125_000.0), "2 min 5 s");
        assert_eq!(span(Duration::from_secs(45)), "45s");
        assert_eq!(span(Duration::from_secs(723)), "12m 3s");
        assert_eq!(span(Duration::from_secs(18_120)), "5h 2m");
        assert_eq!(span(Duration::from_secs(273_600)), "3d 4h");
    }

    #[test]
    fn few_are_neither_none_nor_are_all_others_all() {
        assert_eq!(share(0, 0), "0%");
        assert_eq!(share(1, 2), "50%");
        assert_eq!(share(3, 1_000), "0.3%");
        assert_eq!(share(997, 1_000), "99.7%");
        assert_eq!(share(5, 5), "100%");
    }

    #[test]
    fn names_and_money_are_for_people() {
        assert_eq!(word("ORDER_STATUS_PAID", "ORDER_STATUS_"), "paid");
        assert_eq!(money(999, "USD"), "9.99 USD");
        assert_eq!(money(999, "???"), "999 ???");
    }
}
