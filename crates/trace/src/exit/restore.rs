//! Carrying out a plan.

use super::{BoxKind, Plan, PlanFrame, Raw, Source};

/// What an exit is carried out on.
pub trait Restorer {
    /// How plans name values.
    type Value: Copy;
    /// The bits of a value at the exit.
    fn value(&mut self, value: Self::Value) -> u64;
    /// Makes a box of raw bits; a new reference (or an immortal). It cannot fail: where memory is refused, it must not return.
    fn make(&mut self, made: BoxKind, bits: u64) -> u64;
    /// Takes references to an object (not null).
    fn incref(&mut self, object: u64, count: u32);
    /// Releases references to an object (not null). May run finalisers: all frames are complete by then.
    fn decref(&mut self, object: u64, count: u32);
    /// Begins a frame; the writes that follow are its slots. For an inlined frame: builds it, with its other slots null.
    fn frame(&mut self, frame: &PlanFrame<Self::Value>, function: u64);
    /// Writes a slot of the frame at hand; gives what memory held before (ignored unless it is to be released).
    fn write(&mut self, slot: u32, object: u64) -> u64;
    /// Stores a 64-bit field.
    fn store(&mut self, object: u64, offset: u32, bits: u64);
}

/// What has been made and displaced during a [`restore`]; kept by the caller so that nothing is allocated.
#[derive(Default, Debug)]
pub struct Scratch {
    made: Vec<u64>,
    displaced: Vec<u64>,
}

/// Carries out a plan.
pub fn restore<R: Restorer>(plan: Plan<'_, R::Value>, to: &mut R, scratch: &mut Scratch) {
    let Scratch { made, displaced } = scratch;
    made.clear();
    displaced.clear();
    fn object<R: Restorer>(to: &mut R, made: &[u64], source: Source<R::Value>) -> u64 {
        match source {
            Source::Value(value) => to.value(value),
            Source::Constant(bits) => bits,
            Source::Made(number) => made[number as usize],
        }
    }
    fn raw<R: Restorer>(to: &mut R, raw: Raw<R::Value>) -> u64 {
        raw.bits(|value| to.value(value))
    }
    for make in plan.makes {
        let bits = raw(to, make.from);
        made.push(to.make(make.made, bits));
    }
    for count in plan.increfs {
        let object = object(to, made, count.object);
        if object != 0 {
            to.incref(object, count.count);
        }
    }
    for frame in plan.frames {
        let function = object(to, made, frame.function);
        to.frame(frame, function);
        for write in plan.writes(frame) {
            let object = object(to, made, write.value);
            let old = to.write(write.slot, object);
            if write.release_old && old != 0 {
                displaced.push(old);
            }
        }
    }
    for store in plan.stores {
        let object = object(to, made, store.object);
        let bits = raw(to, store.value);
        to.store(object, store.offset, bits);
    }
    for &old in displaced.iter() {
        to.decref(old, 1);
    }
    for count in plan.decrefs {
        let object = object(to, made, count.object);
        if object != 0 {
            to.decref(object, count.count);
        }
    }
}
