//! The meaning of a scalar without quotes to kubectl, which reads YAML 1.1 as go-yaml v2 does: `y` and `on` are
//! booleans, `010` is eight, `1_000` a thousand and `1.0` one.
//!
//! Source: `resolve.go` of go.yaml.in/yaml/v2, through which sigs.k8s.io/yaml reads, and `encoding/json` of Go, through
//! which every value passes before kubectl sends it. The tests compare this file with kubectl itself.

use std::borrow::Cow;

use serde_json::Number;

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// No value.
    Null,
    /// `y`, `yes`, `on`, `true` and their opposites.
    Boolean(bool),
    /// A number that JSON has a form for.
    Number(Number),
    /// Infinity, or what is not a number: JSON has no form for it, so kubectl refuses the document.
    Unbounded,
    /// Anything else.
    Text,
}

/// The meaning of a scalar without quotes and without a tag.
pub(super) fn plain(text: &str) -> Scalar {
    let Some(first) = text.bytes().next() else { return Scalar::Null };
    match first {
        b'~' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'.' if is_unbounded(text) => Scalar::Unbounded,
        b'.' => float_with_underscores(text).map_or(Scalar::Text, number),
        b'+' | b'-' if is_unbounded(&text[1..]) && !is_not_a_number(&text[1..]) => Scalar::Unbounded,
        b'+' | b'-' | b'0'..=b'9' => digits(text),
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Scalar {
    match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Boolean(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Boolean(false),
        _ => Scalar::Text,
    }
}

fn is_unbounded(text: &str) -> bool {
    matches!(text, ".inf" | ".Inf" | ".INF") || is_not_a_number(text)
}

/// This one takes no sign.
fn is_not_a_number(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// A number that begins with a digit or a sign, in which underscores may stand anywhere.
fn digits(text: &str) -> Scalar {
    let plain: Cow<str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(integer) = integer(&plain) {
        return integer;
    }
    if is_decimal_float(&plain)
        && let Ok(float) = plain.parse::<f64>()
        && float.is_finite()
    {
        return number(float);
    }
    // What is left of YAML 1.1's binary numbers once Go has read its own: the sign may stand inside.
    let signed = plain.strip_prefix("0b").and_then(|rest| i64::from_str_radix(rest, 2).ok());
    signed.map_or(Scalar::Text, |integer| Scalar::Number(integer.into()))
}

/// A whole number as `strconv.ParseInt` and `ParseUint` read it with base 0.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, unsigned) = match text.as_bytes() {
        [sign @ (b'+' | b'-'), ..] => (Some(*sign), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if sign == Some(b'-') { -magnitude } else { magnitude };
    if let Ok(value) = i64::try_from(value) {
        return Some(Scalar::Number(value.into()));
    }
    // Beyond that only without a sign, and what reads JSON for Kubernetes makes a float of it.
    let value = u64::try_from(value).ok().filter(|_| sign.is_none())?;
    Some(number(exact_or_nearest(value)))
}

#[expect(clippy::cast_precision_loss, reason = "Kubernetes reads JSON numbers beyond 64 bits with a sign as floats")]
fn exact_or_nearest(value: u64) -> f64 {
    value as f64
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => is_digits(whole) && is_digits(part) && (!whole.is_empty() || !part.is_empty()),
        None => is_digits(mantissa) && !mantissa.is_empty(),
    };
    mantissa && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits))
}

/// A float that begins with a dot, as `strconv.ParseFloat` reads it: an underscore stands between digits.
fn float_with_underscores(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let between_digits = |(index, byte): (usize, &u8)| {
        let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        *byte != b'_' || is_digit(index.checked_sub(1)) && is_digit(Some(index + 1))
    };
    if !bytes.iter().enumerate().all(between_digits) {
        return None;
    }
    let plain = text.replace('_', "");
    let float = is_decimal_float(&plain).then(|| plain.parse::<f64>().ok()).flatten()?;
    float.is_finite().then_some(float)
}

/// A float as it comes out of JSON on the other side: a whole number is written without a point and read as one.
fn number(float: f64) -> Scalar {
    const EXACT: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    if float.fract() == 0.0 && EXACT.contains(&float) {
        #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
        return Scalar::Number((float as i64).into());
    }
    Number::from_f64(float).map_or(Scalar::Unbounded, Scalar::Number)
}

/// True when a number is written as a float, which may still be a whole one.
pub(super) fn is_float(written: &str) -> bool {
    written.starts_with('.') || integer(&written.replace('_', "")).is_none() && !written.starts_with("0b")
}

/// A float as it stands in a key: with the precision of 32 bits, as sigs.k8s.io/yaml writes it.
pub(super) fn float_key(float: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "what kubectl does")]
    let single = float as f32;
    if single.is_infinite() {
        return if single > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let scientific = format!("{single:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&power) {
        return format!("{single}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(plain(text), Scalar::Null, "{text}");
        }
        for (text, value) in [("y", true), ("Y", true), ("on", true), ("n", false), ("N", false), ("OFF", false)] {
            assert_eq!(plain(text), Scalar::Boolean(value), "{text}");
        }
        for text in [
            "nULL",
            "yEs",
            "2027-01-01",
            "12:30:00",
            "1.2.3",
            "vpc-1",
            "-",
            "e5",
            "_1",
            "0xg",
            "08:30",
            "<<",
            ".",
            "._5",
            ".5_",
            "-.nan",
            "+",
        ] {
            assert_eq!(plain(text), Scalar::Text, "{text}");
        }
        for text in [".inf", "-.Inf", "+.INF", ".NaN"] {
            assert_eq!(plain(text), Scalar::Unbounded, "{text}");
        }
        let integers = [
            ("0", 0),
            ("-1", -1),
            ("+5", 5),
            ("010", 8),
            ("0o17", 15),
            ("0b11", 3),
            ("-0x1F", -31),
            ("1_000", 1000),
            ("1__0_", 10),
            ("1.0", 1),
            ("1.", 1),
            ("1e3", 1000),
            ("08", 8),
            ("-0.0", 0),
            ("0b-1", -1),
            ("9223372036854775807", i64::MAX),
        ];
        for (text, value) in integers {
            assert_eq!(plain(text), Scalar::Number(value.into()), "{text}");
        }
        for (text, value) in [
            ("1.5", 1.5),
            (".5", 0.5),
            (".5_0", 0.5),
            ("1E-3", 0.001),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
        ] {
            assert_eq!(plain(text), Scalar::Number(Number::from_f64(value).unwrap()), "{text}");
        }
    }

    #[test]
    fn floats_in_keys_are_written_as_go_writes_them() {
        for (float, key) in [
            (1.5, "1.5"),
            (1e3, "1000"),
            (123_456.0, "123456"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1e-5, "1e-05"),
            (123_456_789.5, "1.2345679e+08"),
            (1e300, ".inf"),
        ] {
            assert_eq!(float_key(float), key);
        }
    }
}
