//! Arithmetic and order of numbers. JSON does not tell 3 from 3.0, so ints, uints and doubles mix:
//! they compare by their exact value, and an operator with a double computes in doubles. Among
//! ints and uints nothing wraps and nothing is rounded: what does not fit is an error.

use std::cmp::Ordering;

use super::ast::Operator;
use super::value::{Trouble, Val};

#[derive(Debug, Clone, Copy)]
pub(super) enum Num {
    Int(i64),
    Uint(u64),
    Double(f64),
}

impl From<Num> for Val<'_> {
    fn from(number: Num) -> Self {
        match number {
            Num::Int(value) => Val::Int(value),
            Num::Uint(value) => Val::Uint(value),
            Num::Double(value) => Val::Double(value),
        }
    }
}

impl Num {
    pub(super) fn of(value: &Val<'_>) -> Option<Num> {
        match value {
            Val::Int(value) => Some(Num::Int(*value)),
            Val::Uint(value) => Some(Num::Uint(*value)),
            Val::Double(value) => Some(Num::Double(*value)),
            Val::Null | Val::Bool(_) | Val::Text(_) | Val::List(_) | Val::Map(_) | Val::Type(_) => {
                None
            }
        }
    }

    pub(super) fn to_f64(self) -> f64 {
        match self {
            Num::Int(value) => value as f64,
            Num::Uint(value) => value as f64,
            Num::Double(value) => value,
        }
    }

    /// Without its fraction; `None` out of range.
    pub(super) fn to_i64(self) -> Option<i64> {
        match self {
            Num::Int(value) => Some(value),
            Num::Uint(value) => i64::try_from(value).ok(),
            Num::Double(value) => whole(value).and_then(|whole| i64::try_from(whole).ok()),
        }
    }

    /// Without its fraction; `None` out of range.
    pub(super) fn to_u64(self) -> Option<u64> {
        match self {
            Num::Int(value) => u64::try_from(value).ok(),
            Num::Uint(value) => Some(value),
            Num::Double(value) => whole(value).and_then(|whole| u64::try_from(whole).ok()),
        }
    }

    /// A place in a list: a whole number, doubles without a fraction included.
    pub(super) fn to_index(self) -> Option<i64> {
        match self {
            Num::Int(_) | Num::Uint(_) => self.to_i64(),
            Num::Double(value) => self.to_i64().filter(|_| value.fract() == 0.0),
        }
    }

    pub(super) fn negate(self) -> Result<Num, Trouble> {
        match self {
            Num::Int(value) => value.checked_neg().map(Num::Int).ok_or_else(overflow),
            Num::Uint(value) => narrow(-i128::from(value)),
            Num::Double(value) => Ok(Num::Double(-value)),
        }
    }

    /// `None` where one is not a number.
    pub(super) fn compare(self, other: Num) -> Option<Ordering> {
        match (self, other) {
            (Num::Double(a), Num::Double(b)) => a.partial_cmp(&b),
            (Num::Double(a), b) => compare_exactly(b.wide(), a).map(Ordering::reverse),
            (a, Num::Double(b)) => compare_exactly(a.wide(), b),
            (a, b) => Some(a.wide().cmp(&b.wide())),
        }
    }

    /// A total order that agrees with [`Num::compare`]; what is not a number comes last.
    pub(super) fn order(self, other: Num) -> Ordering {
        self.compare(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }

    fn is_nan(self) -> bool {
        matches!(self, Num::Double(value) if value.is_nan())
    }

    /// The value of an int or uint. A double is met by the arms in front.
    fn wide(self) -> i128 {
        match self {
            Num::Int(value) => value.into(),
            Num::Uint(value) => value.into(),
            Num::Double(value) => whole(value).unwrap_or(0),
        }
    }
}

/// `+ - * / %` on two numbers.
pub(super) fn arithmetic(operator: Operator, a: Num, b: Num) -> Result<Num, Trouble> {
    match (a, b) {
        (Num::Int(a), Num::Int(b)) => on_ints(operator, a, b).map(Num::Int),
        (Num::Uint(a), Num::Uint(b)) => on_uints(operator, a, b).map(Num::Uint),
        (Num::Double(_), _) | (_, Num::Double(_)) => {
            on_doubles(operator, a.to_f64(), b.to_f64()).map(Num::Double)
        }
        (Num::Int(_), Num::Uint(_)) | (Num::Uint(_), Num::Int(_)) => {
            on_wide(operator, a.wide(), b.wide()).and_then(narrow)
        }
    }
}

fn on_ints(operator: Operator, a: i64, b: i64) -> Result<i64, Trouble> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b != 0 => a.checked_div(b),
        Operator::Remainder if b != 0 => a.checked_rem(b),
        Operator::Divide | Operator::Remainder => return Err(by_zero()),
        other => return Err(no_arithmetic(other)),
    };
    result.ok_or_else(overflow)
}

fn on_uints(operator: Operator, a: u64, b: u64) -> Result<u64, Trouble> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b != 0 => a.checked_div(b),
        Operator::Remainder if b != 0 => a.checked_rem(b),
        Operator::Divide | Operator::Remainder => return Err(by_zero()),
        other => return Err(no_arithmetic(other)),
    };
    result.ok_or_else(overflow)
}

/// The product of two 64-bit numbers fits in 128 bits.
fn on_wide(operator: Operator, a: i128, b: i128) -> Result<i128, Trouble> {
    match operator {
        Operator::Add => Ok(a + b),
        Operator::Subtract => Ok(a - b),
        Operator::Multiply => Ok(a * b),
        Operator::Divide if b != 0 => Ok(a / b),
        Operator::Remainder if b != 0 => Ok(a % b),
        Operator::Divide | Operator::Remainder => Err(by_zero()),
        other => Err(no_arithmetic(other)),
    }
}

fn on_doubles(operator: Operator, a: f64, b: f64) -> Result<f64, Trouble> {
    match operator {
        Operator::Add => Ok(a + b),
        Operator::Subtract => Ok(a - b),
        Operator::Multiply => Ok(a * b),
        Operator::Divide => Ok(a / b),
        Operator::Remainder => {
            Err(Trouble::Type("`%` takes whole numbers, not a double".to_owned()))
        }
        other => Err(no_arithmetic(other)),
    }
}

fn narrow(value: i128) -> Result<Num, Trouble> {
    let int = i64::try_from(value).map(Num::Int);
    int.or_else(|_| u64::try_from(value).map(Num::Uint)).map_err(|_| overflow())
}

/// A double without its fraction, as long as it is nowhere near the limits of 128 bits.
fn whole(value: f64) -> Option<i128> {
    (value.abs() < 1e30).then_some(value.trunc() as i128)
}

fn compare_exactly(int: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let Some(whole) = whole(double) else {
        return Some(if double > 0.0 { Ordering::Less } else { Ordering::Greater });
    };
    let by_fraction = || 0.0.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal);
    Some(int.cmp(&whole).then_with(by_fraction))
}

fn overflow() -> Trouble {
    Trouble::Failed("the result does not fit in 64 bits".to_owned())
}

fn by_zero() -> Trouble {
    Trouble::Failed("division by zero".to_owned())
}

fn no_arithmetic(operator: Operator) -> Trouble {
    Trouble::Type(format!("`{}` is no arithmetic", operator.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_their_exact_value() {
        let huge = 9_007_199_254_740_993_i64; // 2^53 + 1, which no double is
        let cases = [
            (Num::Int(3), Num::Double(3.0), Some(Ordering::Equal)),
            (Num::Int(3), Num::Double(3.5), Some(Ordering::Less)),
            (Num::Int(-3), Num::Double(-3.5), Some(Ordering::Greater)),
            (Num::Int(huge), Num::Double(huge as f64), Some(Ordering::Greater)),
            (Num::Uint(u64::MAX), Num::Double(18_446_744_073_709_551_616.0), Some(Ordering::Less)),
            (Num::Int(-1), Num::Uint(u64::MAX), Some(Ordering::Less)),
            (Num::Int(i64::MAX), Num::Double(f64::INFINITY), Some(Ordering::Less)),
            (Num::Int(i64::MIN), Num::Double(f64::NEG_INFINITY), Some(Ordering::Greater)),
            (Num::Int(0), Num::Double(-0.0), Some(Ordering::Equal)),
            (Num::Int(0), Num::Double(f64::NAN), None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.compare(b), expected, "{a:?} {b:?}");
            assert_eq!(b.compare(a), expected.map(Ordering::reverse), "{b:?} {a:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let refused = [
            (Operator::Add, Num::Int(i64::MAX), Num::Int(1)),
            (Operator::Subtract, Num::Int(i64::MIN), Num::Int(1)),
            (Operator::Multiply, Num::Int(i64::MAX), Num::Int(2)),
            (Operator::Divide, Num::Int(i64::MIN), Num::Int(-1)),
            (Operator::Remainder, Num::Int(i64::MIN), Num::Int(-1)),
            (Operator::Divide, Num::Int(1), Num::Int(0)),
            (Operator::Remainder, Num::Uint(1), Num::Uint(0)),
            (Operator::Divide, Num::Int(1), Num::Uint(0)),
            (Operator::Subtract, Num::Uint(1), Num::Uint(2)),
            (Operator::Multiply, Num::Int(-1), Num::Uint(u64::MAX)),
            (Operator::Remainder, Num::Double(1.5), Num::Int(1)),
        ];
        for (operator, a, b) in refused {
            assert!(arithmetic(operator, a, b).is_err(), "{a:?} {} {b:?}", operator.sign());
        }
        assert!(Num::Int(i64::MIN).negate().is_err());
        assert!(Num::Uint(u64::MAX).negate().is_err());
    }

    #[test]
    fn ints_and_uints_mix_where_the_result_fits() {
        let sum = arithmetic(Operator::Add, Num::Uint(u64::MAX), Num::Int(-1)).unwrap();
        assert!(matches!(sum, Num::Uint(value) if value == u64::MAX - 1));
        let difference = arithmetic(Operator::Subtract, Num::Int(1), Num::Uint(2)).unwrap();
        assert!(matches!(difference, Num::Int(-1)));
    }
}
