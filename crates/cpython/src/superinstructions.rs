//! 3.12 only: keeping superinstructions when a code object is instrumented.
//!
//! When the interpreter of 3.12 changes the events of a code object, it breaks its superinstructions (`LOAD_FAST__LOAD_FAST`
//! and the like) up for ever, also where neither half is instrumented, and the code runs slower from then on. They are
//! marks over plain pairs of instructions, so they can be written back where the second half is not instrumented. (3.13
//! has such pairs in the compiler's output, where nothing breaks them up.)

use crate::bytecode::{Adaptive, Specialized};
use crate::code::CodeRef;
use crate::runtime::minor;
use crate::version::Minor;

/// The superinstructions of a code object at one moment: unit and opcode number.
#[derive(Debug, Default)]
pub(crate) struct Superinstructions(Vec<(u32, u8)>);

fn is_superinstruction(form: Specialized) -> bool {
    matches!(
        form,
        Specialized::LoadFastAndLoadFast
            | Specialized::LoadFastAndLoadConst
            | Specialized::LoadConstAndLoadFast
            | Specialized::StoreFastAndLoadFast
            | Specialized::StoreFastAndStoreFast
    )
}

impl Superinstructions {
    /// Where they are now. Nothing in 3.13, and in code that has LINE or INSTRUCTION events, whose opcodes are hidden.
    pub(crate) fn of(code: CodeRef) -> Superinstructions {
        let mut found = Vec::new();
        if minor() != Minor::V312 {
            return Superinstructions(found);
        }
        let (mut unit, end) = (0, code.unit_count());
        while unit < end {
            let form = code.adaptive(unit);
            let Some(base) = form.and_then(Adaptive::base) else {
                return Superinstructions::default();
            };
            if let Some(Adaptive::Specialized(form)) = form
                && is_superinstruction(form)
                && let Some(number) = form.number(Minor::V312)
            {
                found.push((unit, number));
            }
            unit += 1 + base.caches(Minor::V312);
        }
        Superinstructions(found)
    }

    /// Writes back those that are gone, where both halves are plain.
    pub(crate) fn restore(&self, code: CodeRef) {
        for &(unit, number) in &self.0 {
            let plain = |unit| {
                matches!(
                    code.adaptive(unit),
                    Some(Adaptive::Base(_) | Adaptive::Specialized(_))
                )
            };
            let broken = Adaptive::from_number(Minor::V312, number).and_then(Adaptive::base);
            if let Some(Adaptive::Base(now)) = code.adaptive(unit)
                && Some(now) == broken
                && plain(unit + 1)
            {
                // SAFETY: the unit is inside the code object; its opcode byte was this number before, and the two halves
                // are what they were then. The GIL is held.
                unsafe { *code.unit_address(unit).cast::<u8>() = number }
            }
        }
    }
}
