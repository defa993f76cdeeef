//! Money as whole minor units of a currency; no floating point anywhere.
//!
//! Invariant: arithmetic either gives the exact sum or says that it cannot.

use std::{fmt, str::FromStr};

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// US dollar, the default of an order.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// The three-letter code, upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal digits the minor unit has (2 for USD, 0 for JPY).
    /// Currencies without a minor unit count as 0.
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 code in upper case, such as USD")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or(UnknownCurrency)
    }
}

/// An amount in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// Minor units: 999 is 9.99 USD.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The sum, or `None` when the currencies differ or it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let minor = self.minor.checked_add(other.minor)?;
        Some(Self { minor, ..self })
    }

    /// This amount a number of times, or `None` when it does not fit.
    pub fn checked_mul(self, times: i32) -> Option<Self> {
        let minor = self.minor.checked_mul(i64::from(times))?;
        Some(Self { minor, ..self })
    }
}

/// For people: `9.99 USD`, `500 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent());
        let unit = 10_u64.pow(u32::from(self.currency.exponent()));
        let magnitude = self.minor.unsigned_abs();
        if self.minor < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", magnitude / unit)?;
        if digits > 0 {
            write!(f, ".{:0digits$}", magnitude % unit)?;
        }
        write!(f, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().unwrap())
    }

    #[test]
    fn amounts_of_different_currencies_do_not_add() {
        assert_eq!(money(1, "USD").checked_add(money(1, "EUR")), None);
    }

    #[test]
    fn what_does_not_fit_is_none_and_never_wraps() {
        assert_eq!(money(i64::MAX, "USD").checked_add(money(1, "USD")), None);
        assert_eq!(money(i64::MAX / 2, "USD").checked_mul(3), None);
    }

    #[test]
    fn people_see_the_digits_of_the_currency() {
        assert_eq!(money(999, "USD").to_string(), "9.99 USD");
        assert_eq!(money(5, "USD").to_string(), "0.05 USD");
        assert_eq!(money(500, "JPY").to_string(), "500 JPY");
        assert_eq!(money(1_234_567, "KWD").to_string(), "1234.567 KWD");
        assert_eq!(money(-1050, "EUR").to_string(), "-10.50 EUR");
    }

    #[test]
    fn codes_are_upper_case_and_known() {
        assert!("USD".parse::<Currency>().is_ok());
        for wrong in ["usd", "US", "USDX", "ZZZ", ""] {
            assert_eq!(wrong.parse::<Currency>(), Err(UnknownCurrency), "{wrong}");
        }
    }
}
