//! The reference evaluator: what every uop means.
//!
//! [`evaluate`] runs one uop on raw operands: an `int` as its bits, a `float` as its bits, an `object` as its address. It is
//! used while recording, on the program's real objects, and in tests as the oracle for the machine code and the passes
//! ([`run`]). Memory is reached through [`Host`] only, so this file knows offsets but no pointers.

pub mod int;
mod run;

pub use run::{Outcome, Stop, run, run_loop};

use crate::ir::Inst;
use serigraph_uops::{Uop, layout};
use std::cmp::Ordering;

/// The memory and functions that uops work on.
pub trait Host {
    /// The 64-bit word at an address.
    fn load64(&self, address: u64) -> u64;
    /// The 32-bit word at an address.
    fn load32(&self, address: u64) -> u32;
    /// Writes the 64-bit word at an address.
    fn store64(&mut self, address: u64, value: u64);
    /// The address of the running frame.
    fn frame(&self) -> u64;
    /// Whether the eval breaker word is as expected.
    fn poll(&mut self) -> bool;
    /// One more reference to an object (not null).
    fn incref(&mut self, object: u64);
    /// One reference less to an object (not null); frees it with the last. May run a finaliser.
    fn decref(&mut self, object: u64);
    /// One reference less to an object whose death runs no code (not null).
    fn decref_plain(&mut self, object: u64) {
        self.decref(object);
    }
    /// The int object of a value, a new reference; 0 if an exception was raised.
    fn box_int(&mut self, value: i64) -> u64;
    /// A new float object; 0 if an exception was raised.
    fn box_float(&mut self, value: f64) -> u64;
    /// The pure C function `helper` of one double.
    fn call_float1(&mut self, helper: u64, a: f64) -> f64;
    /// The pure C function `helper` of two doubles.
    fn call_float2(&mut self, helper: u64, a: f64, b: f64) -> f64;
    /// The C function `helper` of up to three objects: a new reference, or 0 if an exception was raised.
    fn call_object(&mut self, helper: u64, args: &[u64]) -> u64;
    /// The C function `helper` of three words: a new reference, or 0 if an exception was raised.
    fn call_words(&mut self, helper: u64, args: [u64; 3]) -> u64;
    /// The C function `helper` of up to three objects that returns a C int; negative is an exception.
    fn call_status(&mut self, helper: u64, args: &[u64]) -> i32;
    /// Writes a word of the room for frames of inlined functions.
    fn set_frame_word(&mut self, word: u64, bits: u64);
    /// A word of the room for frames of inlined functions.
    fn frame_word(&self, word: u64) -> u64;
    /// Makes the head of the frame of an inlined function from an image, and the frame the current one.
    fn push_frame(&mut self, image: u64);
    /// Makes the running frame the current one, which stands below so many others.
    fn pop_frames(&mut self, count: u64);
    /// Places a borrowed reference in the outgoing argument area.
    fn push_arg(&mut self, index: u64, object: u64);
    /// The C function `helper` of the outgoing argument area: a new reference, or 0 if an exception was raised.
    fn call_args(&mut self, helper: u64) -> u64;
    /// A vectorcall of `count` outgoing arguments from index 1 on: a new reference, or 0 if an exception was raised.
    fn vectorcall(&mut self, callable: u64, count: u64) -> u64;
}

/// How a uop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// On to the next uop, with the result's bits (0 if there is no result).
    Next(u64),
    /// The guard does not hold; nothing has changed.
    GuardFailed,
    /// An exception is set.
    Raised,
}

impl Step {
    #[inline]
    fn check(holds: bool) -> Step {
        if holds {
            Step::Next(0)
        } else {
            Step::GuardFailed
        }
    }
    #[inline]
    fn guarded(result: Option<i64>) -> Step {
        match result {
            Some(value) => Step::Next(value as u64),
            None => Step::GuardFailed,
        }
    }
    #[inline]
    fn float(value: f64) -> Step {
        Step::Next(value.to_bits())
    }
    #[inline]
    fn object(result: u64) -> Step {
        if result == 0 {
            Step::Raised
        } else {
            Step::Next(result)
        }
    }
    #[inline]
    fn status(result: i32) -> Step {
        if result < 0 {
            Step::Raised
        } else {
            Step::Next(result as u64)
        }
    }
}

/// Runs one instruction on an array of values; its result goes to `values[index]`.
#[inline]
pub fn step<H: Host + ?Sized>(host: &mut H, inst: &Inst, index: usize, values: &mut [u64]) -> Step {
    let mut operands = [0; 3];
    for (operand, value) in operands.iter_mut().zip(&inst.args) {
        *operand = values.get(value.index()).copied().unwrap_or(0);
    }
    let step = evaluate(host, inst.uop, inst.imm, operands);
    if let Step::Next(result) = step {
        values[index] = result;
    }
    step
}

/// The address of a slot of the running frame.
#[inline]
pub fn slot_address(frame: u64, slot: u64) -> u64 {
    frame + layout::FRAME_LOCALS as u64 + slot * layout::SLOT_SIZE as u64
}

/// The value of an exact int, if it fits 64 bits.
#[inline]
pub fn unbox_int<H: Host + ?Sized>(host: &H, object: u64) -> Option<i64> {
    let tag = host.load64(object + layout::INT_TAG as u64);
    let sign = 1 - (tag & layout::INT_SIGN_MASK) as i64;
    let digit = |i: u64| host.load32(object + layout::INT_DIGITS as u64 + 4 * i);
    match tag >> 3 {
        0 | 1 => Some(sign * i64::from(digit(0))),
        2 => Some(sign * (i64::from(digit(0)) | i64::from(digit(1)) << 30)),
        3 => {
            let magnitude =
                i128::from(digit(0)) | i128::from(digit(1)) << 30 | i128::from(digit(2)) << 60;
            i64::try_from(i128::from(sign) * magnitude).ok()
        }
        _ => None,
    }
}

/// Makes `value` that of the float which the word at `place` owns: in its box if it has no other owner, else in a new one.
fn replace_float<H: Host + ?Sized>(host: &mut H, place: u64, value: f64) -> Step {
    let old = host.load64(place);
    if host.load64(old + layout::OBJECT_REFCOUNT as u64) == 1 {
        host.store64(old + layout::FLOAT_VALUE as u64, value.to_bits());
        return Step::Next(0);
    }
    let new = host.box_float(value);
    if new == 0 {
        return Step::Raised;
    }
    host.store64(place, new);
    host.decref_plain(old);
    Step::Next(0)
}

/// Runs one uop. Structure (`param`, `phi`, `loop`, `nop`) does nothing and gives its first operand.
#[inline]
pub fn evaluate<H: Host + ?Sized>(host: &mut H, uop: Uop, imm: u64, operands: [u64; 3]) -> Step {
    use Step::{GuardFailed, Next};
    let [a, b, c] = operands;
    let (ia, ib, iimm) = (a as i64, b as i64, imm as i64);
    let (fa, fb, fc) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
    match uop {
        Uop::Param | Uop::Phi | Uop::LoopStart | Uop::Nop => Next(a),
        Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject => Next(imm),

        Uop::IntAdd => Step::guarded(ia.checked_add(ib)),
        Uop::IntSub => Step::guarded(ia.checked_sub(ib)),
        Uop::IntMul => Step::guarded(ia.checked_mul(ib)),
        Uop::IntAddImm => Step::guarded(ia.checked_add(iimm)),
        Uop::IntMulImm => Step::guarded(ia.checked_mul(iimm)),
        Uop::IntNeg => Step::guarded(ia.checked_neg()),
        Uop::IntFloorDiv => Step::guarded(int::floor_div(ia, ib)),
        Uop::IntMod => Step::guarded(int::floor_mod(ia, ib)),
        Uop::IntFloorDivImm => Step::guarded(int::floor_div(ia, iimm)),
        Uop::IntModImm => Step::guarded(int::floor_mod(ia, iimm)),
        Uop::IntAddWrap => Next(a.wrapping_add(b)),
        Uop::IntSubWrap => Next(a.wrapping_sub(b)),
        Uop::IntAddWrapImm => Next(a.wrapping_add(imm)),
        Uop::IntAnd => Next(a & b),
        Uop::IntOr => Next(a | b),
        Uop::IntXor => Next(a ^ b),
        Uop::IntAndImm => Next(a & imm),
        Uop::IntInvert => Next(!a),
        Uop::IntShl => Step::guarded(int::shl(ia, ib)),
        Uop::IntShr => Step::guarded(int::shr(ia, ib)),
        Uop::IntShlImm => Step::guarded(int::shl(ia, iimm)),
        Uop::IntShrImm => Step::guarded(int::shr(ia, iimm)),
        Uop::IntLt => Next((ia < ib).into()),
        Uop::IntLe => Next((ia <= ib).into()),
        Uop::IntEq => Next((a == b).into()),
        Uop::IntNe => Next((a != b).into()),
        Uop::RangeLength => Step::guarded(int::range_length(ia, ib, c as i64)),
        Uop::IntToFloat => Step::float(ia as f64),
        Uop::IntTrueDiv => match int::true_div(ia, ib) {
            Some(value) => Step::float(value),
            None => GuardFailed,
        },

        Uop::GuardIntLt => Step::check(ia < ib),
        Uop::GuardIntLe => Step::check(ia <= ib),
        Uop::GuardIntEq => Step::check(a == b),
        Uop::GuardIntNe => Step::check(a != b),
        Uop::GuardIntBelow => Step::check(a < b),
        Uop::GuardIntLtImm => Step::check(ia < iimm),
        Uop::GuardIntLeImm => Step::check(ia <= iimm),
        Uop::GuardIntGtImm => Step::check(ia > iimm),
        Uop::GuardIntGeImm => Step::check(ia >= iimm),
        Uop::GuardIntEqImm => Step::check(ia == iimm),
        Uop::GuardIntNeImm => Step::check(ia != iimm),
        Uop::GuardTrue => Step::check(a != 0),
        Uop::GuardFalse => Step::check(a == 0),

        Uop::FloatAdd => Step::float(fa + fb),
        Uop::FloatSub => Step::float(fa - fb),
        Uop::FloatMul => Step::float(fa * fb),
        Uop::FloatDiv if fb == 0.0 => GuardFailed,
        Uop::FloatDiv => Step::float(fa / fb),
        Uop::FloatNeg => Step::float(-fa),
        Uop::FloatAbs => Step::float(fa.abs()),
        Uop::FloatSqrt => Step::float(fa.sqrt()),
        Uop::FloatToInt => Step::guarded(int::from_float(fa)),
        Uop::FloatLt => Next((fa < fb).into()),
        Uop::FloatLe => Next((fa <= fb).into()),
        Uop::FloatEq => Next((fa == fb).into()),
        Uop::FloatNe => Next((fa != fb).into()),
        Uop::GuardFloatLt => Step::check(fa < fb),
        Uop::GuardFloatLe => Step::check(fa <= fb),
        Uop::GuardFloatEq => Step::check(fa == fb),
        Uop::GuardFloatNotLt => Step::check(fa.partial_cmp(&fb) != Some(Ordering::Less)),
        Uop::GuardFloatNotLe => Step::check(matches!(
            fa.partial_cmp(&fb),
            None | Some(Ordering::Greater)
        )),
        Uop::GuardFloatNe => Step::check(fa != fb),
        Uop::LeafFloat1 => Step::float(host.call_float1(imm, fa)),
        Uop::LeafFloat2 => Step::float(host.call_float2(imm, fa, fb)),

        Uop::GuardType => Step::check(host.load64(a + layout::OBJECT_TYPE as u64) == imm),
        Uop::GuardIs => Step::check(a == imm),
        Uop::GuardIsNot => Step::check(a != imm),
        Uop::GuardSame => Step::check(a == b),
        Uop::ObjectIs => Next((a == b).into()),
        Uop::GuardUnshared => Step::check(host.load64(a + layout::OBJECT_REFCOUNT as u64) == 1),
        Uop::GuardShared => Step::check(host.load32(a + layout::OBJECT_REFCOUNT as u64) > 1),
        Uop::LoadType => Next(host.load64(a + layout::OBJECT_TYPE as u64)),

        Uop::UnboxInt => Step::guarded(unbox_int(host, a)),
        Uop::UnboxFloat => Next(host.load64(a + layout::FLOAT_VALUE as u64)),
        Uop::UnboxBool => Next(host.load32(a + layout::INT_DIGITS as u64).into()),
        Uop::BoxInt => Step::object(host.box_int(ia)),
        Uop::BoxFloat => Step::object(host.box_float(fa)),
        Uop::BoxBool => Next(host.load64(imm + 8 * a)),

        Uop::IncRef => {
            host.incref(a);
            Next(0)
        }
        Uop::DecRef => {
            host.decref(a);
            Next(0)
        }
        Uop::DecRefPlain => {
            host.decref_plain(a);
            Next(0)
        }
        Uop::XDecRef => {
            if a != 0 {
                host.decref(a);
            }
            Next(0)
        }

        Uop::LoadSlot | Uop::TakeSlot => Next(host.load64(slot_address(host.frame(), imm))),
        Uop::StoreSlot => {
            host.store64(slot_address(host.frame(), imm), a);
            Next(0)
        }
        Uop::SyncSlot => {
            let address = slot_address(host.frame(), imm);
            let stale = host.load64(address);
            host.store64(address, a);
            if stale != 0 {
                host.decref_plain(stale);
            }
            Next(0)
        }
        Uop::SetIp => {
            host.store64(host.frame() + layout::FRAME_INSTRUCTION as u64, imm);
            Next(0)
        }
        Uop::PollWord32 | Uop::PollWord64 => Step::check(host.poll()),
        Uop::GuardNoFrameObject => {
            Step::check(host.load64(host.frame() + layout::FRAME_OBJECT as u64) == 0)
        }
        Uop::FrameSlot => {
            host.set_frame_word(imm, a);
            Next(0)
        }
        Uop::PushFrame => {
            host.push_frame(imm);
            Next(0)
        }
        Uop::GuardFrameUnseen => Step::check(host.frame_word(imm) == 0),
        Uop::PopFrames => {
            host.pop_frames(imm);
            Next(0)
        }
        Uop::CountTurn => {
            host.store64(imm, host.load64(imm).wrapping_add(1));
            Next(0)
        }
        Uop::GuardValid => Step::check(host.load32(imm) == 0),

        Uop::ListLen | Uop::TupleLen => Next(host.load64(a + layout::VAR_SIZE as u64)),
        Uop::ListItems => Next(host.load64(a + layout::LIST_ITEMS as u64)),
        Uop::ItemAt => Next(host.load64(a.wrapping_add(b.wrapping_mul(8)))),
        Uop::ListExchange => {
            let address = a.wrapping_add(b.wrapping_mul(8));
            let item = host.load64(address);
            host.store64(address, c);
            Next(item)
        }
        Uop::FieldSetFloat | Uop::ViaSetFloat => replace_float(host, a.wrapping_add(imm), fb),
        Uop::ListSetFloat => replace_float(host, a.wrapping_add(b.wrapping_mul(8)), fc),
        Uop::TupleItem => {
            Next(host.load64((a + layout::TUPLE_ITEMS as u64).wrapping_add(b.wrapping_mul(8))))
        }
        Uop::TupleItemImm => {
            Next(host.load64((a + layout::TUPLE_ITEMS as u64).wrapping_add(imm.wrapping_mul(8))))
        }

        Uop::LoadObject | Uop::LoadInt | Uop::IterLoad | Uop::IterSequence => {
            Next(host.load64(a.wrapping_add(imm)))
        }
        Uop::InstanceValues => match host.load64(a.wrapping_add(imm)) {
            tagged if tagged & 1 == 1 => Next(tagged.wrapping_add(1)),
            _ => GuardFailed,
        },
        Uop::LoadVia => Next(host.load64(a.wrapping_add(imm))),
        Uop::StoreVia => {
            host.store64(a.wrapping_add(imm), b);
            Next(0)
        }
        Uop::LoadInt32 => Next(host.load32(a.wrapping_add(imm)).into()),
        Uop::StoreObject | Uop::IterStore => {
            host.store64(a.wrapping_add(imm), b);
            Next(0)
        }

        Uop::MakeRangeIterator => Step::object(host.call_words(imm, [a, b, c])),
        Uop::CallObject1 | Uop::LeafObject1 => Step::object(host.call_object(imm, &[a])),
        Uop::CallObject2 | Uop::LeafObject2 => Step::object(host.call_object(imm, &[a, b])),
        Uop::CallObject3 => Step::object(host.call_object(imm, &[a, b, c])),
        Uop::CallStatus1 | Uop::LeafStatus1 => Step::status(host.call_status(imm, &[a])),
        Uop::CallStatus2 | Uop::LeafStatus2 => Step::status(host.call_status(imm, &[a, b])),
        Uop::CallStatus3 | Uop::LeafStatus3 => Step::status(host.call_status(imm, &[a, b, c])),
        Uop::PushArg | Uop::GiveArg => {
            host.push_arg(imm, a);
            Next(0)
        }
        Uop::CallArgs | Uop::LeafArgs => Step::object(host.call_args(imm)),
        Uop::Vectorcall | Uop::LeafVectorcall => Step::object(host.vectorcall(a, imm)),
    }
}
