//! Exact decimal numbers: the engine computes with 512 bits, so neither `i64` nor `f64` holds all that it sends.

use std::fmt;

/// Beyond this many places a number is refused, so that writing it out stays cheap.
const MOST_PLACES: i64 = 10_000;

/// `digits × 10^exponent`. Digits neither begin nor end with a zero (zero itself is the digit 0), so that equal numbers are
/// equal field by field.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Why a text is not a number that engines can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    #[error("not a decimal number")]
    Syntax,
    #[error("a number of more than 10000 places")]
    TooLong,
    #[error("not a finite number")]
    NotFinite,
}

impl Number {
    /// `-12`, `0.5`, `6.02e23`.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NumberError::Syntax)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NumberError::Syntax);
        }
        Number::normal(negative, &digits, i64::from(exponent) - places(fraction))
    }

    /// The exact binary value: `0.1` is 0.1000000000000000055…, which is what the wire means by a float.
    pub fn from_exact_f64(float: f64) -> Result<Number, NumberError> {
        if !float.is_finite() {
            return Err(NumberError::NotFinite);
        }
        // The smallest step between two floats is 2^-1074: that many places always suffice.
        Number::parse(&format!("{float:.1074}"))
    }

    /// The number, if it is whole and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if self.exponent < 0 { None } else { self.to_string().parse().ok() }
    }

    /// The number, if it is whole, not negative and fits.
    pub fn as_u64(&self) -> Option<u64> {
        if self.exponent < 0 { None } else { self.to_string().parse().ok() }
    }

    /// The nearest float; infinite where there is none.
    pub fn as_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// `Some` when the float is this very number, bit for bit.
    pub fn as_exact_f64(&self) -> Option<f64> {
        Some(self.as_f64()).filter(|float| Number::from_exact_f64(*float).as_ref() == Ok(self))
    }

    fn normal(negative: bool, digits: &str, exponent: i64) -> Result<Number, NumberError> {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Ok(Number { negative: false, digits: "0".to_owned(), exponent: 0 });
        }
        let exponent = exponent + places(significant) - places(trimmed);
        if exponent.abs() + places(trimmed) > MOST_PLACES {
            return Err(NumberError::TooLong);
        }
        Ok(Number { negative, digits: trimmed.to_owned(), exponent })
    }
}

fn places(digits: &str) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

/// Plain decimals, never an exponent; `Number::parse` reads it back.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let shift = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(usize::MAX);
        if self.exponent >= 0 {
            return write!(formatter, "{sign}{}{:0<shift$}", self.digits, "");
        }
        let padded = format!("{:0>width$}", self.digits, width = shift + 1);
        let (whole, fraction) = padded.split_at(padded.len() - shift);
        write!(formatter, "{sign}{whole}.{fraction}")
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The shortest decimal that reads back as this float: `0.1` is 0.1, which is what a programmer means by it.
impl TryFrom<f64> for Number {
    type Error = NumberError;

    fn try_from(float: f64) -> Result<Number, NumberError> {
        if float.is_finite() { Number::parse(&float.to_string()) } else { Err(NumberError::NotFinite) }
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Number {
        Number::whole(integer < 0, &integer.unsigned_abs().to_string())
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Number {
        Number::whole(false, &integer.to_string())
    }
}

impl Number {
    /// Digits of a machine integer: too few to be refused.
    fn whole(negative: bool, digits: &str) -> Number {
        let trimmed = digits.trim_end_matches('0');
        match trimmed {
            "" => Number { negative: false, digits: "0".to_owned(), exponent: 0 },
            _ => Number { negative, digits: trimmed.to_owned(), exponent: places(digits) - places(trimmed) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(Number::parse(text).unwrap().to_string(), expect);
    }

    #[track_caller]
    fn check_error(text: &str, expect: NumberError) {
        assert_eq!(Number::parse(text), Err(expect));
    }

    #[test]
    fn numbers_are_written_as_plain_decimals() {
        check("0", "0");
        check("-0.00", "0");
        check("007", "7");
        check("+1.50", "1.5");
        check("6.02e23", "602000000000000000000000");
        check("-12e-4", "-0.0012");
        check("340282366920938463463374607431768211457", "340282366920938463463374607431768211457");
        check("0.1000000000000000000000000000000000001", "0.1000000000000000000000000000000000001");
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for text in ["", "-", ".", "1.2.3", "0x10", "1_000", "NaN", "inf", "1e", "١"] {
            check_error(text, NumberError::Syntax);
        }
        check_error("1e999999999", NumberError::TooLong);
        assert_eq!(Number::try_from(f64::NAN), Err(NumberError::NotFinite));
        assert_eq!(Number::from_exact_f64(f64::INFINITY), Err(NumberError::NotFinite));
    }

    #[test]
    fn equal_numbers_are_equal_whatever_they_were() {
        assert_eq!(Number::from(100_i64), Number::parse("1e2").unwrap());
        assert_eq!(Number::from(u64::MAX), Number::parse("18446744073709551615").unwrap());
        assert_eq!(Number::from(i64::MIN), Number::parse("-9223372036854775808").unwrap());
        assert_eq!(Number::from(0_u64), Number::try_from(-0.0).unwrap());
        assert_eq!(Number::try_from(0.5), Number::from_exact_f64(0.5));
    }

    #[test]
    fn a_float_of_the_wire_is_exact_and_one_of_a_program_is_the_shortest() {
        assert_eq!(Number::try_from(0.1).unwrap().to_string(), "0.1");
        let exact = "0.1000000000000000055511151231257827021181583404541015625";
        assert_eq!(Number::from_exact_f64(0.1).unwrap().to_string(), exact);
        assert_eq!(Number::parse("0.1").unwrap().as_exact_f64(), None);
        assert_eq!(Number::parse("0.75").unwrap().as_exact_f64(), Some(0.75));
    }

    #[test]
    fn integers_are_told_only_where_they_fit() {
        assert_eq!(Number::parse("9223372036854775808").unwrap().as_i64(), None);
        assert_eq!(Number::parse("9223372036854775808").unwrap().as_u64(), Some(1 << 63));
        assert_eq!(Number::parse("-1").unwrap().as_u64(), None);
        assert_eq!(Number::parse("1.5").unwrap().as_i64(), None);
    }
}
