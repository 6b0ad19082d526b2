//! Immediate forms: a constant operand that fits 32 bits goes into the instruction.
//!
//! ```text
//! v1 = const_int 7
//! v2 = int_add v0, v1 @s0         =>    v2 = int_add_imm v0, 7 @s0
//! guard_int_lt v1, v2 @s1         =>    guard_int_gt_imm v2, 7 @s1
//! ```

use crate::ir::{Inst, Trace, ValueId};
use serigraph_uops::Uop;

/// Runs the pass. The constants that are no longer used stay, for the next pass to remove.
pub(super) fn run(trace: &mut Trace) {
    for i in 0..trace.insts.len() {
        let inst = trace.insts[i];
        if inst.inputs().len() == 2 && !inst.sunk {
            let small = |value: ValueId| {
                let inst = trace.inst(value);
                (inst.uop == Uop::ConstInt)
                    .then_some(inst.imm as i64)
                    .filter(|&c| i32::try_from(c).is_ok())
            };
            if let Some(lowered) = lower(&inst, small(inst.args[0]), small(inst.args[1])) {
                trace.insts[i] = lowered;
            }
        }
    }
}

fn lower(inst: &Inst, a: Option<i64>, b: Option<i64>) -> Option<Inst> {
    let [x, y, _] = inst.args;
    let (uop, operand, imm) = match (inst.uop, a, b) {
        (Uop::IntAdd, _, Some(b)) => (Uop::IntAddImm, x, b),
        (Uop::IntAdd, Some(a), _) => (Uop::IntAddImm, y, a),
        // a - b and a + -b overflow alike; -b fits, for b fits 32 bits
        (Uop::IntSub, _, Some(b)) if b > i32::MIN.into() => (Uop::IntAddImm, x, -b),
        (Uop::IntMul, _, Some(b)) => (Uop::IntMulImm, x, b),
        (Uop::IntMul, Some(a), _) => (Uop::IntMulImm, y, a),
        (Uop::IntFloorDiv, _, Some(b @ 2..)) => (Uop::IntFloorDivImm, x, b),
        (Uop::IntMod, _, Some(b @ 2..)) => (Uop::IntModImm, x, b),
        (Uop::IntAddWrap, _, Some(b)) => (Uop::IntAddWrapImm, x, b),
        (Uop::IntAddWrap, Some(a), _) => (Uop::IntAddWrapImm, y, a),
        (Uop::IntSubWrap, _, Some(b)) if b > i32::MIN.into() => (Uop::IntAddWrapImm, x, -b),
        (Uop::IntAnd, _, Some(b)) => (Uop::IntAndImm, x, b),
        (Uop::IntAnd, Some(a), _) => (Uop::IntAndImm, y, a),
        (Uop::IntShl, _, Some(b @ 0..=62)) => (Uop::IntShlImm, x, b),
        (Uop::IntShr, _, Some(b)) if b >= 0 => (Uop::IntShrImm, x, b.min(63)),
        (Uop::GuardIntLt, _, Some(b)) => (Uop::GuardIntLtImm, x, b),
        (Uop::GuardIntLt, Some(a), _) => (Uop::GuardIntGtImm, y, a),
        (Uop::GuardIntLe, _, Some(b)) => (Uop::GuardIntLeImm, x, b),
        (Uop::GuardIntLe, Some(a), _) => (Uop::GuardIntGeImm, y, a),
        (Uop::GuardIntEq, _, Some(b)) => (Uop::GuardIntEqImm, x, b),
        (Uop::GuardIntEq, Some(a), _) => (Uop::GuardIntEqImm, y, a),
        (Uop::GuardIntNe, _, Some(b)) => (Uop::GuardIntNeImm, x, b),
        (Uop::GuardIntNe, Some(a), _) => (Uop::GuardIntNeImm, y, a),
        _ => return None,
    };
    let snapshot = if uop.info().exit == serigraph_uops::Exit::Never {
        crate::ir::SnapshotId::NONE
    } else {
        inst.snapshot
    };
    Some(Inst::new(uop, &[operand], imm as u64, snapshot))
}
