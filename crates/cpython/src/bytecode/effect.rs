//! What each instruction does to the depth of the value stack.
//!
//! Provenance: `_PyOpcode_num_popped` and `_PyOpcode_num_pushed` (`Python/opcode_metadata.h` of 3.12.1,
//! `Include/internal/pycore_opcode_metadata.h` of 3.13.0), `stack_effect` in `Python/flowgraph.c` for jumps;
//! `tests/live.rs` compares with `dis.stack_effect`.

use super::opcode::Opcode;
use crate::version::Minor;

/// How many values an instruction takes off the stack and how many it leaves there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackEffect {
    /// Values that must be there before, and are gone after (some come back as part of `pushed`).
    pub popped: u32,
    /// Values put there.
    pub pushed: u32,
}

impl StackEffect {
    /// The change of depth.
    pub fn net(self) -> i64 {
        i64::from(self.pushed) - i64::from(self.popped)
    }
}

const fn effect(popped: u32, pushed: u32) -> Option<StackEffect> {
    Some(StackEffect { popped, pushed })
}

/// The effect of one instruction, on both ways out of it (`FOR_ITER` leaves the iterator and a dummy on its jump, which
/// `END_FOR` takes off); `None` for what no code object may contain, or an oparg that makes no sense.
pub fn stack_effect(minor: Minor, opcode: Opcode, oparg: u32) -> Option<StackEffect> {
    use Opcode::*;
    // Deeper than any stack can be: refused here, so that the sums below cannot overflow.
    let n = if oparg < 1 << 24 { oparg } else { u32::MAX };
    let count = if n == u32::MAX { None } else { Some(n) };
    match opcode {
        Nop
        | Resume
        | CopyFreeVars
        | DeleteDeref
        | DeleteFast
        | DeleteGlobal
        | DeleteName
        | JumpBackward
        | JumpBackwardNoInterrupt
        | JumpForward
        | MakeCell
        | SetupAnnotations
        | KwNames
        | ReturnConst
        | ExtendedArg => effect(0, 0),
        LoadClosure | LoadFast | LoadFastAndClear | LoadFastCheck | LoadConst | PushNull
        | LoadBuildClass | LoadAssertionError | LoadLocals | LoadName | LoadDeref => effect(0, 1),
        // The value its first `next()` sends in; in 3.12 the compiler counts it from the start of the code instead.
        ReturnGenerator => effect(0, 1),
        LoadGlobal => effect(0, 1 + (oparg & 1)),
        LoadFastLoadFast => effect(0, 2),
        PopTop | StoreFast | StoreName | StoreGlobal | StoreDeref | DeleteAttr | PopExcept
        | PopJumpIfFalse | PopJumpIfTrue | PopJumpIfNone | PopJumpIfNotNone | ReturnValue
        | InterpreterExit | ExitInitCheck => effect(1, 0),
        EndFor => match minor {
            Minor::V312 => effect(2, 0),
            Minor::V313 => effect(1, 0),
        },
        StoreAttr | DeleteSubscr | StoreFastStoreFast | EndAsyncFor => effect(2, 0),
        StoreSubscr => effect(3, 0),
        StoreSlice => effect(4, 0),
        UnaryInvert
        | UnaryNegative
        | UnaryNot
        | ToBool
        | LoadFromDictOrDeref
        | LoadFromDictOrGlobals
        | GetAiter
        | GetAwaitable
        | GetIter
        | GetYieldFromIter
        | CallIntrinsic1
        | FormatSimple
        | ConvertValue
        | YieldValue
        | StoreFastLoadFast => effect(1, 1),
        LoadAttr => effect(1, 1 + (oparg & 1)),
        LoadSuperAttr => effect(3, 1 + (oparg & 1)),
        BinaryOp | BinarySubscr | CompareOp | IsOp | ContainsOp | CallIntrinsic2 | ImportName
        | FormatWithSpec | EndSend | SetFunctionAttribute => effect(2, 1),
        BinarySlice | MatchClass => effect(3, 1),
        BeforeWith | BeforeAsyncWith | GetLen | MatchMapping | MatchSequence | ImportFrom
        | ForIter | GetAnext | PushExcInfo => effect(1, 2),
        CheckExcMatch | CheckEgMatch | Send => effect(2, 2),
        MatchKeys => effect(2, 3),
        CleanupThrow => effect(3, 2),
        WithExceptStart => effect(4, 5),
        MakeFunction => match minor {
            Minor::V312 => effect((oparg & 15).count_ones() + 1, 1),
            Minor::V313 => effect(1, 1),
        },
        FormatValue => effect(1 + u32::from(oparg & 4 == 4), 1),
        BuildSlice => effect(if oparg == 3 { 3 } else { 2 }, 1),
        BuildString | BuildTuple | BuildList | BuildSet => effect(count?, 1),
        BuildMap => effect(2 * count?, 1),
        BuildConstKeyMap => effect(count? + 1, 1),
        UnpackSequence => effect(1, count?),
        UnpackEx => effect(1, 1 + (count? & 0xff) + (count? >> 8)),
        Call => effect(count? + 2, 1),
        CallKw => effect(count? + 3, 1),
        CallFunctionEx => effect(3 + (oparg & 1), 1),
        RaiseVarargs => effect(count?, 0),
        Reraise => effect(count? + 1, count?),
        Copy if oparg >= 1 => effect(count?, count? + 1),
        Swap if oparg >= 2 => effect(count?, count?),
        ListAppend | SetAdd | ListExtend | SetUpdate | DictUpdate if oparg >= 1 => {
            effect(count? + 1, count?)
        }
        MapAdd if oparg >= 1 => effect(count? + 2, count?),
        // The function being called lies three below the dict, for the error text.
        DictMerge if oparg >= 1 => effect(count? + 4, count? + 3),
        Copy | Swap | ListAppend | SetAdd | ListExtend | SetUpdate | DictUpdate | MapAdd
        | DictMerge | Cache => None,
    }
}
