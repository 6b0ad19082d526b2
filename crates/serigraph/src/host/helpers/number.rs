//! Operators and comparisons of any objects, and functions of doubles.

use std::ffi::c_int;

use serigraph_cpython::ffi;
use serigraph_cpython::refs::decref;

use super::Object;

/// The C library's functions, which the `math` module calls too.
pub(super) mod libm {
    macro_rules! one {
        ($($name:ident)*) => { $( pub(in super::super) extern "C" fn $name(a: f64) -> f64 { a.$name() } )* };
    }
    one! { sin cos tan atan exp }
    pub(in super::super) extern "C" fn log(a: f64) -> f64 {
        a.ln()
    }
    pub(in super::super) extern "C" fn atan2(a: f64, b: f64) -> f64 {
        a.atan2(b)
    }
}

pub(super) extern "C" fn float_power(a: f64, b: f64) -> f64 {
    a.powf(b)
}

/// `float_rem` of `Objects/floatobject.c`.
pub(super) extern "C" fn float_remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (b < 0.0) != (rest < 0.0) {
        rest + b
    } else {
        rest
    }
}

/// The quotient of `_float_div_mod` of `Objects/floatobject.c`.
pub(super) extern "C" fn float_floor_divide(a: f64, b: f64) -> f64 {
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    }
}

pub(super) unsafe extern "C" fn power(a: Object, b: Object) -> Object {
    // SAFETY: both are live objects, by the contract of helpers.
    unsafe { ffi::PyNumber_Power(a, b, ffi::Py_None()) }
}

pub(super) unsafe extern "C" fn in_place_power(a: Object, b: Object) -> Object {
    // SAFETY: as `power`.
    unsafe { ffi::PyNumber_InPlacePower(a, b, ffi::Py_None()) }
}

pub(super) unsafe extern "C" fn compare<const OP: c_int>(a: Object, b: Object) -> Object {
    // SAFETY: as `power`.
    unsafe { ffi::PyObject_RichCompare(a, b, OP) }
}

pub(super) unsafe extern "C" fn test<const OP: c_int>(a: Object, b: Object) -> c_int {
    // SAFETY: as `power`. Not `PyObject_RichCompareBool`, which takes identity for equality.
    unsafe {
        let result = ffi::PyObject_RichCompare(a, b, OP);
        if result.is_null() {
            return -1;
        }
        let truth = ffi::PyObject_IsTrue(result);
        decref(result);
        truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_division_is_pythons() {
        let cases: [(f64, f64, f64, f64); 7] = [
            (7.0, 2.0, 3.0, 1.0),
            (-7.0, 2.0, -4.0, 1.0),
            (7.0, -2.0, -4.0, -1.0),
            (-0.0, 3.0, -0.0, 0.0),
            (4.0, -2.0, -2.0, -0.0),
            (1.0, f64::INFINITY, 0.0, 1.0),
            (-1.0, f64::INFINITY, -1.0, f64::INFINITY),
        ];
        for (a, b, quotient, rest) in cases {
            assert_eq!(
                float_floor_divide(a, b).to_bits(),
                quotient.to_bits(),
                "{a} // {b}"
            );
            assert_eq!(float_remainder(a, b).to_bits(), rest.to_bits(), "{a} % {b}");
        }
    }
}
