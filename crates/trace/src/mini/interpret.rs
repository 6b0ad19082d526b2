//! The interpreter of the small bytecode: references are counted as CPython counts them.

use super::program::{Comparison, Op, Operator, Program};
use crate::eval::Host;
use crate::eval::int;
use crate::testhost::{TestHost, Type};
use serigraph_uops::layout;

/// Where a program stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The instruction that runs next.
    pub ip: u32,
    /// Slots in use.
    pub top: u32,
}

/// What one instruction came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ran {
    /// The program goes on.
    On,
    /// The program is at its end.
    Ended,
    /// The instruction raised; the stack is as before it.
    Raised,
}

/// A number, unboxed.
enum Number {
    Int(i128),
    Float(f64),
}

/// Runs one instruction.
pub fn step(program: &Program, constants: &[u64], host: &mut TestHost, at: &mut Position) -> Ran {
    let op = program.code[at.ip as usize];
    let top = at.top;
    let mut next = at.ip + 1;
    match op {
        Op::LoadFast(slot) => {
            let object = host.slot(slot);
            if object == 0 {
                return Ran::Raised;
            }
            host.heap.incref(object);
            push(host, at, object);
        }
        Op::LoadConst(constant) => {
            let object = constants[constant as usize];
            host.heap.incref(object);
            push(host, at, object);
        }
        Op::StoreFast(slot) => {
            let old = host.slot(slot);
            let new = host.slot(top - 1);
            at.top -= 1;
            host.set_slot(slot, new);
            release(host, old);
        }
        Op::Binary(operator) => {
            let (a, b) = (host.slot(top - 2), host.slot(top - 1));
            let (Some(x), Some(y)) = (number(host, a), number(host, b)) else {
                return Ran::Raised;
            };
            let Some(result) = binary(operator, x, y) else {
                return Ran::Raised;
            };
            let result = make(host, result);
            replace(host, at, 2, result);
        }
        Op::Compare(comparison) => {
            let (a, b) = (host.slot(top - 2), host.slot(top - 1));
            let (Some(x), Some(y)) = (number(host, a), number(host, b)) else {
                return Ran::Raised;
            };
            let result = host.heap.bool(compare(comparison, &x, &y));
            replace(host, at, 2, result);
        }
        Op::Is => {
            let result = host.heap.bool(host.slot(top - 2) == host.slot(top - 1));
            replace(host, at, 2, result);
        }
        Op::JumpIfFalse(target) => {
            let object = host.slot(top - 1);
            if host.heap.type_of(object) != Some(Type::Bool) {
                return Ran::Raised;
            }
            if object == host.heap.bool(false) {
                next = target;
            }
            at.top -= 1;
        }
        Op::Jump(target) | Op::JumpBack(target) => next = target,
        Op::ForIter(target) => match next_item(host, host.slot(top - 1)) {
            Some(item) => push(host, at, item),
            None => {
                let iterator = host.slot(top - 1);
                at.top -= 1;
                release(host, iterator);
                next = target;
            }
        },
        Op::GetItem => {
            let Some(address) = item_address(host, host.slot(top - 2), host.slot(top - 1)) else {
                return Ran::Raised;
            };
            let item = host.heap.load64(address);
            host.heap.incref(item);
            replace(host, at, 2, item);
        }
        Op::SetItem => {
            let Some(address) = item_address(host, host.slot(top - 2), host.slot(top - 1)) else {
                return Ran::Raised;
            };
            let value = host.slot(top - 3);
            let old = host.heap.load64(address);
            host.heap.store64(address, value);
            let (list, index) = (host.slot(top - 2), host.slot(top - 1));
            at.top -= 3;
            release(host, old);
            release(host, list);
            release(host, index);
        }
        Op::Call1(helper) => {
            let result = host.call_object(helper, &[host.slot(top - 1)]);
            if result == 0 {
                return Ran::Raised;
            }
            replace(host, at, 1, result);
        }
        Op::Call2(helper) => {
            let result = host.call_object(helper, &[host.slot(top - 2), host.slot(top - 1)]);
            if result == 0 {
                return Ran::Raised;
            }
            replace(host, at, 2, result);
        }
        Op::Pop => {
            let object = host.slot(top - 1);
            at.top -= 1;
            release(host, object);
        }
        Op::End => return Ran::Ended,
    }
    at.ip = next;
    Ran::On
}

fn push(host: &mut TestHost, at: &mut Position, object: u64) {
    host.set_slot(at.top, object);
    at.top += 1;
}

fn release(host: &mut TestHost, object: u64) {
    if object != 0 {
        host.heap.decref(object);
    }
}

/// Releases the top `n` operands, the deepest first, and pushes the result.
fn replace(host: &mut TestHost, at: &mut Position, n: u32, result: u64) {
    let operands: Vec<u64> = (at.top - n..at.top).map(|slot| host.slot(slot)).collect();
    at.top -= n;
    for object in operands {
        release(host, object);
    }
    push(host, at, result);
}

fn number(host: &TestHost, object: u64) -> Option<Number> {
    match host.heap.type_of(object)? {
        Type::Int | Type::Bool => Some(Number::Int(host.heap.int_value(object))),
        Type::Float => Some(Number::Float(host.heap.float_value(object))),
        _ => None,
    }
}

fn make(host: &mut TestHost, number: Number) -> u64 {
    match number {
        Number::Int(value) => host.heap.any_int(value),
        Number::Float(value) => host.heap.float(value),
    }
}

/// The address of an item of a list, if there is one.
fn item_address(host: &TestHost, list: u64, index: u64) -> Option<u64> {
    if host.heap.type_of(list) != Some(Type::List)
        || !matches!(host.heap.type_of(index), Some(Type::Int | Type::Bool))
    {
        return None;
    }
    let length = i128::from(host.heap.load64(list + layout::VAR_SIZE as u64));
    let index = host.heap.int_value(index);
    let index = if index < 0 { index + length } else { index };
    let items = host.heap.load64(list + layout::LIST_ITEMS as u64);
    (0..length)
        .contains(&index)
        .then(|| items + 8 * index as u64)
}

/// The next item of an iterator, a new reference.
fn next_item(host: &mut TestHost, iterator: u64) -> Option<u64> {
    let field = |offset: usize| iterator + offset as u64;
    match host.heap.type_of(iterator)? {
        Type::RangeIterator => {
            let left = host.heap.load64(field(layout::RANGE_ITER_LENGTH)) as i64;
            if left <= 0 {
                return None;
            }
            let value = host.heap.load64(field(layout::RANGE_ITER_START)) as i64;
            let by = host.heap.load64(field(layout::RANGE_ITER_STEP)) as i64;
            host.heap.store64(
                field(layout::RANGE_ITER_START),
                value.wrapping_add(by) as u64,
            );
            host.heap
                .store64(field(layout::RANGE_ITER_LENGTH), (left - 1) as u64);
            Some(host.heap.int(value))
        }
        Type::ListIterator => {
            let list = host.heap.load64(field(layout::SEQUENCE_ITER_SEQUENCE));
            if list == 0 {
                return None;
            }
            let index = host.heap.load64(field(layout::SEQUENCE_ITER_INDEX));
            if index >= host.heap.load64(list + layout::VAR_SIZE as u64) {
                host.heap.store64(field(layout::SEQUENCE_ITER_SEQUENCE), 0);
                host.heap.decref(list);
                return None;
            }
            let item = host
                .heap
                .load64(host.heap.load64(list + layout::LIST_ITEMS as u64) + 8 * index);
            host.heap
                .store64(field(layout::SEQUENCE_ITER_INDEX), index + 1);
            host.heap.incref(item);
            Some(item)
        }
        _ => None,
    }
}

/// An int as far as the miniature's ints go: 100 bits, which is more than traces ever see.
fn wrap(value: i128) -> i128 {
    (value << 28) >> 28
}

/// The result of an operator; `None` if it raises. Nothing raises for the size of ints, as in Python: what a trace computes
/// for nobody can be left out.
fn binary(operator: Operator, a: Number, b: Number) -> Option<Number> {
    use Operator::*;
    let (a, b) = match (a, b) {
        (Number::Int(a), Number::Int(b)) => {
            if let (Ok(a), Ok(b), FloorDiv | Mod) = (i64::try_from(a), i64::try_from(b), operator) {
                let small = if operator == Mod {
                    int::floor_mod(a, b)
                } else {
                    int::floor_div(a, b)
                };
                if let Some(small) = small {
                    return Some(Number::Int(small.into()));
                }
            }
            let shifts = 0..100;
            return Some(Number::Int(wrap(match operator {
                Add => a + b,
                Sub => a - b,
                Mul => a.wrapping_mul(b),
                And => a & b,
                Or => a | b,
                Xor => a ^ b,
                TrueDiv if b == 0 => return None,
                TrueDiv => return Some(Number::Float(a as f64 / b as f64)),
                Shl | Shr if b < 0 => return None,
                Shl => {
                    if shifts.contains(&b) {
                        a << b
                    } else {
                        0
                    }
                }
                Shr => a >> b.min(100),
                FloorDiv | Mod if b == 0 => return None,
                // Rounds down: the rest has the sign of b.
                FloorDiv => (a - floor_rest(a, b)) / b,
                Mod => floor_rest(a, b),
            })));
        }
        (a, b) => (as_float(a), as_float(b)),
    };
    Some(Number::Float(match operator {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        TrueDiv if b != 0.0 => a / b,
        _ => return None,
    }))
}

/// `a % b` with the sign of `b`, which is not 0.
fn floor_rest(a: i128, b: i128) -> i128 {
    let rest = a % b;
    if rest != 0 && (rest < 0) != (b < 0) {
        rest + b
    } else {
        rest
    }
}

fn as_float(number: Number) -> f64 {
    match number {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}

/// Compares ints exactly, others as doubles.
fn compare(comparison: Comparison, a: &Number, b: &Number) -> bool {
    fn relation<T: PartialOrd>(comparison: Comparison, a: T, b: T) -> bool {
        match comparison {
            Comparison::Lt => a < b,
            Comparison::Le => a <= b,
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
        }
    }
    let float = |number: &Number| match number {
        Number::Int(value) => *value as f64,
        Number::Float(value) => *value,
    };
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => relation(comparison, a, b),
        _ => relation(comparison, float(a), float(b)),
    }
}
