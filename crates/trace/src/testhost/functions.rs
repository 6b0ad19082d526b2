//! The C functions of the test host: helpers that uops call by number, and what the machine code needs.
//!
//! They work on the host that [`TestHost::with_current`] names; the references they return are new.

use super::{CURRENT, TestHost, Type};
use crate::opt::HostTypes;
use serigraph_uops::layout;

/// A helper function by its signature.
#[derive(Clone, Copy, Debug)]
pub enum Helper {
    /// For `leaf_float_1`.
    Float1(extern "C" fn(f64) -> f64),
    /// For `leaf_float_2`.
    Float2(extern "C" fn(f64, f64) -> f64),
    /// For `call_object_1` and `leaf_object_1`.
    Object1(extern "C" fn(u64) -> u64),
    /// For `call_object_2` and `leaf_object_2`.
    Object2(extern "C" fn(u64, u64) -> u64),
    /// For `call_object_3`.
    Object3(extern "C" fn(u64, u64, u64) -> u64),
    /// For `call_status_1` and `leaf_status_1`.
    Status1(extern "C" fn(u64) -> i32),
    /// For `call_status_2` and `leaf_status_2`.
    Status2(extern "C" fn(u64, u64) -> i32),
    /// For `call_status_3` and `leaf_status_3`.
    Status3(extern "C" fn(u64, u64, u64) -> i32),
    /// For `make_range_iterator`.
    Words3(extern "C" fn(u64, u64, u64) -> u64),
    /// For `call_args` and `leaf_args`.
    Args(extern "C" fn(u64) -> u64),
}

/// All helpers; a uop names them by their index.
pub const HELPERS: &[Helper] = &[
    Helper::Float1(half),
    Helper::Float2(hypotenuse),
    Helper::Object1(same),
    Helper::Object2(add),
    Helper::Object3(triple),
    Helper::Status1(truth),
    Helper::Status2(equal),
    Helper::Status3(set_item),
    Helper::Args(pair_of_args),
    Helper::Object1(negative),
    Helper::Words3(range_iterator),
];
/// Number of `half`.
pub const HALF: u64 = 0;
/// Number of `hypotenuse`.
pub const HYPOTENUSE: u64 = 1;
/// Number of `same`.
pub const SAME: u64 = 2;
/// Number of `add`.
pub const ADD: u64 = 3;
/// Number of `triple`.
pub const TRIPLE: u64 = 4;
/// Number of `truth`.
pub const TRUTH: u64 = 5;
/// Number of `equal`.
pub const EQUAL: u64 = 6;
/// Number of `set_item`.
pub const SET_ITEM: u64 = 7;
/// Number of `pair_of_args`.
pub const PAIR_OF_ARGS: u64 = 8;
/// Number of `negative`.
pub const NEGATIVE: u64 = 9;
/// Number of `range_iterator`.
pub const RANGE_ITERATOR: u64 = 10;

/// The helper of a number.
pub fn helper(number: u64) -> Option<Helper> {
    HELPERS.get(number as usize).copied()
}

/// The address of a helper, for machine code.
pub fn helper_address(number: u64) -> Option<usize> {
    Some(match helper(number)? {
        Helper::Float1(f) => f as usize,
        Helper::Float2(f) => f as usize,
        Helper::Object1(f) => f as usize,
        Helper::Object2(f) => f as usize,
        Helper::Object3(f) => f as usize,
        Helper::Status1(f) => f as usize,
        Helper::Status2(f) => f as usize,
        Helper::Status3(f) => f as usize,
        Helper::Words3(f) => f as usize,
        Helper::Args(f) => f as usize,
    })
}

fn with_host<R>(run: impl FnOnce(&mut TestHost) -> R) -> R {
    let host = CURRENT.get();
    assert!(!host.is_null(), "no test host is current on this thread");
    // SAFETY: `with_current` keeps the host borrowed exclusively while the pointer is set, and does not use it itself; the
    // functions here do not call each other while they hold the reference.
    run(unsafe { &mut *host })
}

fn number(host: &TestHost, object: u64) -> Option<f64> {
    match host.heap.type_of(object) {
        Some(Type::Int | Type::Bool) => Some(host.heap.int_value(object) as f64),
        Some(Type::Float) => Some(host.heap.float_value(object)),
        _ => None,
    }
}

fn log(host: &mut TestHost, name: &str, objects: &[u64]) {
    let objects: Vec<String> = objects
        .iter()
        .map(|o| host.heap.describe_value(*o))
        .collect();
    host.heap
        .log
        .push(format!("{name}({})", objects.join(", ")));
}

fn raise(host: &mut TestHost) -> u64 {
    host.raised = true;
    0
}

extern "C" fn half(a: f64) -> f64 {
    a / 2.0
}

extern "C" fn hypotenuse(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

extern "C" fn same(a: u64) -> u64 {
    with_host(|host| {
        log(host, "same", &[a]);
        host.heap.incref(a);
        a
    })
}

/// The sum of two numbers; raises for others.
extern "C" fn add(a: u64, b: u64) -> u64 {
    with_host(|host| {
        log(host, "add", &[a, b]);
        let both_ints = [a, b]
            .iter()
            .all(|o| matches!(host.heap.type_of(*o), Some(Type::Int | Type::Bool)));
        if both_ints {
            let sum = host.heap.int_value(a) + host.heap.int_value(b);
            return host.heap.any_int(sum);
        }
        match (number(host, a), number(host, b)) {
            (Some(a), Some(b)) => host.heap.float(a + b),
            _ => raise(host),
        }
    })
}

extern "C" fn range_iterator(start: u64, step: u64, length: u64) -> u64 {
    with_host(|host| {
        host.heap
            .range_iterator(start as i64, step as i64, length as i64)
    })
}

extern "C" fn triple(a: u64, b: u64, c: u64) -> u64 {
    with_host(|host| {
        log(host, "triple", &[a, b, c]);
        [a, b, c].iter().for_each(|o| host.heap.incref(*o));
        host.heap.tuple(&[a, b, c])
    })
}

/// 1 for a number that is not 0, 0 for 0; raises for others.
extern "C" fn truth(a: u64) -> i32 {
    with_host(|host| {
        log(host, "truth", &[a]);
        match number(host, a) {
            Some(value) => (value != 0.0).into(),
            None => {
                raise(host);
                -1
            }
        }
    })
}

extern "C" fn equal(a: u64, b: u64) -> i32 {
    with_host(|host| {
        log(host, "equal", &[a, b]);
        (a == b || number(host, a).is_some_and(|value| number(host, b) == Some(value))).into()
    })
}

/// Sets an item of a list; raises if it is none, or has no such item.
extern "C" fn set_item(list: u64, index: u64, value: u64) -> i32 {
    with_host(|host| {
        log(host, "set_item", &[index, value]);
        let is_list = host.heap.type_of(list) == Some(Type::List)
            && host.heap.type_of(index) == Some(Type::Int);
        let index = if is_list {
            host.heap.int_value(index)
        } else {
            -1
        };
        if index < 0 || index >= i128::from(host.heap.load64(list + layout::VAR_SIZE as u64)) {
            raise(host);
            return -1;
        }
        let address = host.heap.load64(list + layout::LIST_ITEMS as u64) + 8 * index as u64;
        let old = host.heap.load64(address);
        host.heap.incref(value);
        host.heap.store64(address, value);
        host.heap.decref(old);
        0
    })
}

/// A tuple of the outgoing arguments 1 and 2.
extern "C" fn pair_of_args(args: u64) -> u64 {
    with_host(|host| {
        // SAFETY: the address of the outgoing argument area, which is longer.
        let [_, a, b] = unsafe { *(args as *const [u64; 3]) };
        log(host, "pair_of_args", &[a, b]);
        host.heap.incref(a);
        host.heap.incref(b);
        host.heap.tuple(&[a, b])
    })
}

/// The negative of a float or int; raises for others.
extern "C" fn negative(a: u64) -> u64 {
    with_host(|host| {
        log(host, "negative", &[a]);
        match host.heap.type_of(a) {
            Some(Type::Float) => {
                let value = -host.heap.float_value(a);
                host.heap.float(value)
            }
            Some(Type::Int) => {
                let value = -host.heap.int_value(a);
                host.heap.any_int(value)
            }
            _ => raise(host),
        }
    })
}

/// As `PyObject_Vectorcall`: a list of the arguments. Only a noisy object can be called; others raise.
pub extern "C" fn vectorcall(callable: u64, args: u64, count: u64, _names: u64) -> u64 {
    with_host(|host| {
        let count = (count & !layout::VECTORCALL_ARGUMENTS_OFFSET).min(layout::ARGS as u64 - 1);
        // SAFETY: the address of argument 1 of the outgoing argument area.
        let args: Vec<u64> = (0..count as usize)
            .map(|i| unsafe { *(args as *const u64).add(i) })
            .collect();
        log(host, "vectorcall", &args);
        if host.heap.type_of(callable) != Some(Type::Noisy) {
            return raise(host);
        }
        args.iter().for_each(|o| host.heap.incref(*o));
        host.heap.list(&args)
    })
}

/// As `PyLong_FromLong`.
pub extern "C" fn box_int(value: i64) -> u64 {
    with_host(|host| host.heap.int(value))
}

/// As `PyFloat_FromDouble`.
pub extern "C" fn box_float(value: f64) -> u64 {
    with_host(|host| host.heap.float(value))
}

/// A 64-bit value and whether it is one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BigInt {
    /// The value.
    pub value: i64,
    /// 1 if it fits 64 bits.
    pub fits: u64,
}

/// The value of an int, if it fits 64 bits.
pub extern "C" fn unbox_big_int(object: u64) -> BigInt {
    with_host(|host| match i64::try_from(host.heap.int_value(object)) {
        Ok(value) => BigInt { value, fits: 1 },
        Err(_) => BigInt { value: 0, fits: 0 },
    })
}

/// As `_Py_Dealloc`; the second argument is for the engine.
pub extern "C" fn dealloc(object: u64, _activation: *mut u8) {
    with_host(|host| host.heap.free(object));
}

/// What the optimiser is told about the test host. Its functions, too, need a current host.
pub fn host_types(host: &TestHost) -> HostTypes {
    let heap = &host.heap;
    HostTypes {
        int: heap.type_address(Type::Int),
        float: heap.type_address(Type::Float),
        bool_: heap.type_address(Type::Bool),
        none_type: heap.type_address(Type::None),
        // There are no strings and ranges; a type of nothing.
        str_: heap.type_address(Type::Type) + 1,
        range: heap.type_address(Type::Type) + 2,
        list: heap.type_address(Type::List),
        tuple: heap.type_address(Type::Tuple),
        range_iterator: heap.type_address(Type::RangeIterator),
        list_iterator: heap.type_address(Type::ListIterator),
        tuple_iterator: heap.type_address(Type::Type) + 3,
        none: heap.none(),
        true_: heap.bool(true),
        false_: heap.bool(false),
        bool_table: heap.bool_table(),
        type_of: |object| with_host(|host| host.heap.load64(object + layout::OBJECT_TYPE as u64)),
        int_value: |object| with_host(|host| i64::try_from(host.heap.int_value(object)).ok()),
        float_value: |object| with_host(|host| host.heap.float_value(object)),
        small_int: |value| {
            let index = value.wrapping_sub(layout::SMALL_INT_MIN) as u64;
            let small = index < layout::SMALL_INT_COUNT;
            small.then(|| {
                with_host(|host| host.heap.small_ints() + index * layout::SMALL_INT_STRIDE as u64)
            })
        },
        is_immortal: |object| with_host(|host| host.heap.count(object).is_none()),
    }
}
