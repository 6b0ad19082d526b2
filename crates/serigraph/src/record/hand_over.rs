//! Calls of Python functions that are not followed inside. The callee takes its callable and arguments over, as it does when the
//! interpreter calls it: an argument that nobody else has dies when the callee lets go of it.
//!
//! ```text
//! give_arg v3, 0                     # the callable
//! give_arg v7, 1                     # the arguments
//! push_arg v9, 2                     # a null
//! v10: object = call_args 90 @s4     # s4 has None where the operands were
//! ```

use serigraph_cpython::Minor;
use serigraph_cpython::ffi;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::{Place, Slot};
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    /// Whether a callable is a Python function, or a method that is one.
    pub(super) fn is_python(&self, callable: ValueId) -> bool {
        let bits = self.bits(callable);
        let of = |bits: u64| object::type_address(bits) == self.types.function;
        of(bits) || object::method_function(bits).is_some_and(of)
    }

    /// The call of a Python function with `operands` on the stack. `names` are those of the last arguments, on the stack too in
    /// 3.13, where they stay during the call.
    pub(super) fn hand_over(&mut self, operands: u32, names: Option<ValueId>) -> Result<(), Stop> {
        let above = u32::from(names.is_some() && self.minor == Minor::V313);
        let stack = self.take_operands(operands)?;
        let given = &stack[..stack.len() - above as usize];
        let (callable, own) = match self.minor {
            Minor::V312 if self.bits(given[0]) == 0 => (given[1], None),
            Minor::V312 => (given[0], Some(given[1])),
            Minor::V313 => (given[0], Some(given[1]).filter(|&own| self.bits(own) != 0)),
        };
        let mut at = 0;
        self.give(callable, &mut at)?;
        let mut helper = Helper::CallPython;
        if let Some(constant) = names {
            let names = if above > 0 {
                stack[stack.len() - 1]
            } else {
                constant
            };
            self.push_args(at, &[names])?;
            at += 1;
            helper = Helper::CallPythonKeywords;
        }
        for &value in own.iter().chain(&given[2..]) {
            self.give(value, &mut at)?;
        }
        let none = self.constant(self.none())?;
        let gone: Vec<ValueId> = given
            .iter()
            .map(|&value| if self.bits(value) == 0 { value } else { none })
            .collect();
        self.call_given(operands, &gone, at, helper)
    }

    /// The call of a Python function with `*` and `**`.
    pub(super) fn hand_over_unpacked(&mut self, operands: u32) -> Result<(), Stop> {
        // The interpreter looks at the operands before it calls what will raise: they are of the right types.
        let Some(stand_ins) = object::nothing_to_unpack() else {
            return Err(self.abort(Reason::UnsupportedOperands));
        };
        let stack = self.take_operands(operands)?;
        let (callable, null) = match self.minor {
            Minor::V312 => (1, 0),
            Minor::V313 => (0, 1),
        };
        let mut at = 0;
        for &value in [stack[callable]].iter().chain(&stack[2..]) {
            self.give(value, &mut at)?;
        }
        let none = self.constant(self.none())?;
        let mut gone = vec![none; stack.len()];
        gone[null] = stack[null];
        for (place, stand_in) in gone[2..].iter_mut().zip(stand_ins) {
            *place = self.constant(stand_in)?;
        }
        self.call_given(operands, &gone, at, Helper::CallPythonEx)
    }

    fn none(&self) -> u64 {
        // SAFETY: the GIL is held.
        object::address(unsafe { ffi::Py_None() })
    }

    /// The operands, for which the trace has the references from now on.
    fn take_operands(&mut self, operands: u32) -> Result<Vec<ValueId>, Stop> {
        // The room for arguments: with a null, and with self and the names.
        if operands as usize + 1 > serigraph_uops::layout::ARGS {
            return Err(self.unsupported());
        }
        self.before_escape()?;
        let depth = self.innermost();
        let top = self.frames[depth].top;
        self.take_from_memory(top - operands)?;
        self.committed = true;
        let slots = &self.frames[depth].slots[(top - operands) as usize..top as usize];
        Ok(slots.iter().map(|slot| slot.value).collect())
    }

    /// Gives a value's reference to the call, if references to it are counted.
    fn give(&mut self, value: ValueId, at: &mut usize) -> Result<(), Stop> {
        if self.fact(value).immortal {
            self.push_args(*at, &[value])?;
        } else {
            self.emit(Uop::GiveArg, &[value], *at as u64)?;
        }
        *at += 1;
        Ok(())
    }

    /// Makes the call; `gone` is what the frame has in the place of the operands that are given away, should the call raise.
    fn call_given(
        &mut self,
        operands: u32,
        gone: &[ValueId],
        at: usize,
        helper: Helper,
    ) -> Result<(), Stop> {
        let null = self.constant(0)?;
        self.push_args(at, &[null])?;
        let depth = self.innermost();
        let first = self.frames[depth].top - operands;
        for (slot, &value) in (first..).zip(gone) {
            self.frames[depth].slots[slot as usize] = Slot {
                value,
                place: Place::Trace,
            };
        }
        self.current = self.take_snapshot(Reason::GuardFailed);
        let result = self.emit(Uop::CallArgs, &[], helper.number())?;
        self.fact_mut(result).not_null = true;
        let rest = operands - gone.len() as u32;
        let kinds = self.releases_after_escape(rest)?;
        self.pop_release(&kinds)?;
        self.frames[depth].top = first;
        self.push(result);
        self.next()
    }
}
