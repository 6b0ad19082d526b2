//! Python's integer arithmetic on 64-bit words: `None` where the result does not fit, or Python would raise.

/// `a // b`, rounded towards negative infinity.
#[inline]
pub fn floor_div(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient
    })
}

/// `a % b`, with the sign of `b`.
#[inline]
pub fn floor_mod(a: i64, b: i64) -> Option<i64> {
    let rest = a.checked_rem(b)?;
    Some(if rest != 0 && (rest < 0) != (b < 0) {
        rest + b
    } else {
        rest
    })
}

/// `a << b`, if `b` is in 0..=63 and no bits are lost.
#[inline]
pub fn shl(a: i64, b: i64) -> Option<i64> {
    if !(0..64).contains(&b) {
        return None;
    }
    let result = a << b;
    (result >> b == a).then_some(result)
}

/// `a >> b` for any `b` that is not negative.
#[inline]
pub fn shr(a: i64, b: i64) -> Option<i64> {
    (b >= 0).then(|| a >> b.min(63))
}

/// How many numbers `range(start, stop, step)` has, if the bounds are within 62 bits and the sign and the step, which is not 0,
/// within 32 bits.
pub fn range_length(start: i64, stop: i64, step: i64) -> Option<i64> {
    let narrow = |a: i64| (-(1 << 62)..1 << 62).contains(&a);
    if !narrow(start) || !narrow(stop) || step == 0 || i32::try_from(step).is_err() {
        return None;
    }
    let distance = if step > 0 { stop - start } else { start - stop };
    Some(if distance > 0 {
        (distance - 1) / step.abs() + 1
    } else {
        0
    })
}

/// `a / b`, if both fit 53 bits and `b` is not 0.
#[inline]
pub fn true_div(a: i64, b: i64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    (b != 0 && a.unsigned_abs() < EXACT && b.unsigned_abs() < EXACT).then(|| a as f64 / b as f64)
}

/// A double truncated towards zero, if that fits.
#[inline]
pub fn from_float(a: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&a).then_some(a as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_long_as_python_says() {
        assert_eq!(range_length(0, 10, 1), Some(10));
        assert_eq!(range_length(10, 0, 1), Some(0));
        assert_eq!(range_length(0, 10, 3), Some(4));
        assert_eq!(range_length(0, 9, 3), Some(3));
        assert_eq!(range_length(10, 0, -3), Some(4));
        assert_eq!(range_length(0, 10, -1), Some(0));
        assert_eq!(range_length(0, 10, 0), None);
        let wide = 1 << 62;
        assert_eq!(range_length(-wide, wide - 1, 1), Some(i64::MAX));
        assert_eq!(range_length(wide - 1, -wide, -1), Some(i64::MAX));
        assert_eq!(range_length(-wide, wide - 1, 1 << 30), Some(1 << 33));
        assert_eq!(range_length(0, wide, 1), None);
        assert_eq!(range_length(-wide - 1, 0, 1), None);
        assert_eq!(range_length(0, 10, 1 << 31), None);
        assert_eq!(range_length(10, 0, -1 << 31), Some(1));
    }

    #[test]
    fn division_rounds_as_python_does() {
        assert_eq!(
            [7, -7, 7, -7].map(|a| floor_div(a, 2)),
            [Some(3), Some(-4), Some(3), Some(-4)]
        );
        assert_eq!((floor_div(7, -2), floor_mod(7, -2)), (Some(-4), Some(-1)));
        assert_eq!((floor_div(-7, -2), floor_mod(-7, -2)), (Some(3), Some(-1)));
        assert_eq!((floor_div(-6, 2), floor_mod(-6, 2)), (Some(-3), Some(0)));
        assert_eq!((floor_div(1, 0), floor_mod(1, 0)), (None, None));
        assert_eq!(
            (floor_div(i64::MIN, -1), floor_mod(i64::MIN, -1)),
            (None, None)
        );
    }

    #[test]
    fn shifts_keep_every_bit_or_leave() {
        assert_eq!(shl(1, 62), Some(1 << 62));
        assert_eq!(shl(1, 63), None);
        assert_eq!(shl(-1, 63), Some(i64::MIN));
        assert_eq!([shl(0, 64), shl(1, -1)], [None, None]);
        assert_eq!(
            [shr(-5, 1), shr(-5, 1000), shr(5, 64), shr(5, -1)],
            [Some(-3), Some(-1), Some(0), None]
        );
    }

    #[test]
    fn floats_that_fit() {
        assert_eq!(from_float(-1.9), Some(-1));
        assert_eq!(from_float(i64::MIN as f64), Some(i64::MIN));
        assert_eq!(
            [
                from_float(f64::NAN),
                from_float(9.3e18),
                from_float(f64::NEG_INFINITY)
            ],
            [None; 3]
        );
        assert_eq!(true_div(1, 0), None);
        assert_eq!(true_div(1 << 54, 1), None);
        assert_eq!(true_div(-7, 2), Some(-3.5));
    }
}
