//! Kubernetes quantities, such as `500m`, `1Gi` or `2e3`: exact values that have several spellings.
//!
//! Source: the package `k8s.io/apimachinery/pkg/api/resource`.

use std::fmt;
use std::str::FromStr;

/// A quantity, exact to the billionth, which is as fine as the API server keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    /// Billionths of one.
    nanos: i128,
}

/// Billionths in one.
const ONE: i128 = 1_000_000_000;

/// A text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a quantity: write a number, with a suffix if any, such as 500m, 4, 16Gi or 1.5G")]
pub struct NotAQuantity(String);

impl Quantity {
    /// A whole number.
    #[must_use]
    pub fn whole(number: i64) -> Self {
        Self { nanos: i128::from(number) * ONE }
    }

    /// The value as a whole number, where it is one and not too large.
    #[must_use]
    pub fn as_whole(self) -> Option<i64> {
        (self.nanos % ONE == 0).then(|| i64::try_from(self.nanos / ONE).ok()).flatten()
    }

    /// True when it is a whole number of thousandths.
    #[must_use]
    pub fn is_whole_in_thousandths(self) -> bool {
        self.nanos % (ONE / 1000) == 0
    }

    /// True when it is more than zero.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// The quantity in a JSON value, which is a text or a number.
    #[must_use]
    pub fn of(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        parse(text).map(|nanos| Self { nanos }).ok_or_else(|| NotAQuantity(text.into()))
    }
}

impl fmt::Display for Quantity {
    /// The value as a decimal number without a suffix.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let (whole, rest) =
            (self.nanos.unsigned_abs() / ONE.unsigned_abs(), self.nanos.unsigned_abs() % ONE.unsigned_abs());
        if rest == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let decimals = format!("{rest:09}");
        write!(formatter, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// The value in billionths. What is finer is rounded away from zero, as the API server does.
fn parse(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = unsigned.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && decimals.is_empty()) || decimals.contains('.') {
        return None;
    }
    let digits: i128 = format!("0{whole}{decimals}").parse().ok()?;
    let scale = i32::try_from(decimals.len()).ok()?;
    let (multiple, exponent) = factor(suffix)?;
    let digits = digits.checked_mul(multiple)?;
    let exponent = exponent.checked_sub(scale)?.checked_add(9)?;
    let nanos = if digits == 0 {
        0
    } else if exponent >= 0 {
        digits.checked_mul(10_i128.checked_pow(exponent.unsigned_abs())?)?
    } else {
        let divisor = 10_i128.checked_pow(exponent.unsigned_abs());
        divisor.map_or(1, |divisor| digits / divisor + i128::from(digits % divisor != 0))
    };
    Some(if negative { -nanos } else { nanos })
}

/// A suffix as a multiple and a power of ten.
fn factor(suffix: &str) -> Option<(i128, i32)> {
    let binary = |power: u32| (1_i128 << (10 * power), 0);
    Some(match suffix {
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        other => (1, other.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn one_value_has_several_spellings() {
        for (one, other) in [
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1.5Gi", "1536Mi"),
            ("0", "0Gi"),
            ("+4", "4"),
            ("-1", "-1000m"),
            ("2e-3", "2m"),
            ("0.1Ki", "102.4"),
            ("1E", "1000P"),
            ("0.0000000001", "1n"),
        ] {
            assert_eq!(quantity(one), quantity(other), "{one} {other}");
        }
        for (less, more) in [("1G", "1Gi"), ("999m", "1"), ("-1", "0"), ("8Ei", "10E"), ("1n", "1u")] {
            assert!(quantity(less) < quantity(more), "{less} {more}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_by_name() {
        for text in ["", ".", "-", "Gi", "1gi", "1 Gi", "1Gi ", "1.2.3", "1e", "1e1.5", "0x10", "1K", "NaN", "١"] {
            let error = text.parse::<Quantity>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        assert!("1e999".parse::<Quantity>().is_err(), "no number has that many digits");
    }

    #[test]
    fn numbers_of_json_are_quantities_too() {
        assert_eq!(Quantity::of(&serde_json::json!(4)), Some(quantity("4")));
        assert_eq!(Quantity::of(&serde_json::json!(0.5)), Some(quantity("500m")));
        assert_eq!(Quantity::of(&serde_json::json!(true)), None);
        assert_eq!((quantity("2k").as_whole(), quantity("1500m").as_whole()), (Some(2000), None));
        assert_eq!((quantity("1500m").to_string(), quantity("-1Ki").to_string()), ("1.5".into(), "-1024".into()));
        assert!(Quantity::whole(1).is_positive() && !quantity("0").is_positive());
    }
}
