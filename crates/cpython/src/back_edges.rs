//! Setting the JUMP events of back edges without the interpreter's own walk over the bytecode.
//!
//! `sys.monitoring.set_local_events` looks at each instruction three times and more: thousands of machine instructions
//! for each code object, in programs that make thousands of them. What comes out of it is little: two bits among the monitoring data, and other
//! opcodes at the jumps. So the interpreter is only asked for the data (setting no events makes them, and looks at nothing), and the rest is
//! written here, at back edges alone: a jump forward is left as the interpreter leaves it once its callback has
//! returned `DISABLE`. At the start, both ways are taken on a sample and compared; where they differ, this one is not taken.

use crate::bytecode::{Adaptive, Opcode, instrumented_number, next_back_edge};
use crate::code::CodeRef;
use crate::memory::read;
use crate::monitoring::TOOL_ID;
use crate::runtime::{layout, minor};

const OUR_BIT: u8 = 1 << TOOL_ID;

/// How events are set at the back edges of a code object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BackEdges {
    /// The instrumented opcode.
    number: u8,
    /// What its cache holds, where it has one.
    cache: u16,
    /// The index of the JUMP event in arrays of tool bits.
    jump_index: usize,
}

/// A code object as the interpreter's monitoring sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    units: Vec<u16>,
    monitors: Vec<u8>,
    version: u64,
}

impl State {
    /// As it is now. The code object has monitoring data.
    pub(crate) fn of(code: CodeRef) -> State {
        let fields = &layout().code_monitoring;
        let bytes = fields.active + fields.active_count;
        // SAFETY: the units of a live code object, and the two arrays of its monitoring data; the GIL is held.
        let (units, monitors) = unsafe {
            (
                std::slice::from_raw_parts(code.first_unit(), code.unit_count() as usize),
                std::slice::from_raw_parts(data(code), bytes),
            )
        };
        State {
            units: units.to_vec(),
            monitors: monitors.to_vec(),
            version: code.instrumentation_version(),
        }
    }
}

/// The monitoring data of a code object; null = none.
#[inline]
fn data(code: CodeRef) -> *mut u8 {
    // SAFETY: a field of a live code object.
    unsafe { read(code.as_ptr().cast(), layout().code.monitoring) }
}

/// Whether no tool has ever had events in this code object.
#[inline]
pub(crate) fn is_untouched(code: CodeRef) -> bool {
    data(code).is_null()
}

impl BackEdges {
    /// Learned from the events that the interpreter has set on the sample; `None` if there is nothing to be learned.
    pub(crate) fn learn(code: CodeRef, jump_index: usize) -> Option<BackEdges> {
        let number = instrumented_number(minor(), Opcode::JumpBackward)?;
        let units = State::of(code).units;
        let cache = *units.get(next_back_edge(minor(), &units, 0)? + 1)?;
        Some(BackEdges {
            number,
            cache,
            jump_index,
        })
    }

    /// Sets the events. False, and nothing is done, unless the code object has monitoring data, but no events.
    ///
    /// # Safety
    /// The code object is live, no tool has global events, and the interpreter need not instrument it anew (its version is the
    /// interpreter's).
    pub(crate) unsafe fn set(self, code: CodeRef) -> bool {
        let fields = &layout().code_monitoring;
        let data = data(code);
        if data.is_null() {
            return false;
        }
        // SAFETY: the data begin with the two arrays.
        let monitors =
            unsafe { std::slice::from_raw_parts_mut(data, fields.active + fields.active_count) };
        if monitors.iter().any(|&tools| tools != 0) {
            return false;
        }
        monitors[self.jump_index] = OUR_BIT;
        monitors[fields.active + self.jump_index] = OUR_BIT;
        // SAFETY: by the caller's promise.
        unsafe { self.instrument(code) };
        true
    }

    /// Instruments the back edges again whose callback has returned `DISABLE`. False, and nothing is done, unless the code object
    /// has these events, no others, and has never had those of a second tool (for then the tools of each instruction are noted apart).
    ///
    /// # Safety
    /// As [`Self::set`].
    pub(crate) unsafe fn renew(self, code: CodeRef) -> bool {
        let fields = &layout().code_monitoring;
        let data = data(code);
        if data.is_null() {
            return false;
        }
        let bytes = fields.active + fields.active_count;
        // SAFETY: the data begin with the two arrays; after them comes the pointer to the tools of each instruction.
        let (monitors, tools) = unsafe {
            (
                std::slice::from_raw_parts(data, bytes),
                read::<*const u8>(data, bytes.next_multiple_of(size_of::<*const u8>())),
            )
        };
        let ours = [self.jump_index, fields.active + self.jump_index];
        let is_ours =
            |(at, &tools): (usize, &u8)| tools == if ours.contains(&at) { OUR_BIT } else { 0 };
        if !tools.is_null() || !monitors.iter().enumerate().all(is_ours) {
            return false;
        }
        // SAFETY: by the caller's promise.
        unsafe { self.instrument(code) };
        true
    }

    /// # Safety
    /// As [`Self::set`]; the code object has the events.
    unsafe fn instrument(self, code: CodeRef) {
        let caches = Opcode::JumpBackward.caches(minor());
        // SAFETY: the units of a live code object, from which the interpreter reads one at a time, under the GIL.
        let units = unsafe {
            std::slice::from_raw_parts_mut(code.first_unit(), code.unit_count() as usize)
        };
        let mut from = code.first_traceable() as usize;
        while let Some(at) = next_back_edge(minor(), units, from) {
            units[at] = units[at] & 0xff00 | u16::from(self.number);
            // Bytecode made by hand may end before the cache.
            if caches > 0
                && let Some(cache) = units.get_mut(at + 1)
            {
                *cache = self.cache;
            }
            from = at + 1 + caches as usize;
        }
    }

    /// Whether what was done here is what the interpreter does, jumps forward apart.
    pub(crate) fn is_same(ours: &State, theirs: &State) -> bool {
        let forward = instrumented_number(minor(), Opcode::JumpForward);
        let is_same_unit = |(&our, &their): (&u16, &u16)| {
            our == their
                || our >> 8 == their >> 8
                    && Some(their as u8) == forward
                    && Adaptive::from_number(minor(), our as u8)
                        == Some(Adaptive::Base(Opcode::JumpForward))
        };
        ours.monitors == theirs.monitors
            && ours.version == theirs.version
            && ours.units.len() == theirs.units.len()
            && ours.units.iter().zip(&theirs.units).all(is_same_unit)
    }
}
