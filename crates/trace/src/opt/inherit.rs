//! What a side trace knows from the loop it belongs to: the invariants it carries are what the loop's slice computed and
//! checked.

use super::facts;
use super::forward::Forward;
use super::memory;
use crate::ir::{Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Exit, Uop};

impl Forward<'_> {
    /// Takes over what is known of the inherited values, once all params are there. What was loaded from memory is still
    /// there until this trace writes to such memory: the loop does not, and a side trace that does hands nothing on.
    pub(super) fn inherit(&mut self, tree: &Trace) {
        let mut names = vec![ValueId::NONE; tree.insts.len()];
        for inherited in &self.source().inherited {
            if let Some(param) = tree.loop_params.get(inherited.param as usize) {
                names[param.value.index()] = self.names.values[inherited.value.index()];
            }
        }
        for &value in &tree.loop_slice {
            let mut inst = *tree.inst(value);
            if let Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject = inst.uop {
                names[value.index()] = self.constant(inst.uop, inst.imm);
                continue;
            }
            if !inst.inputs().iter().all(|v| names[v.index()].is_some()) {
                continue;
            }
            inst.args = inst
                .args
                .map(|a| if a.is_some() { names[a.index()] } else { a });
            inst.snapshot = SnapshotId::NONE;
            if inst.has_value() {
                self.inherit_value(inst, names[value.index()]);
            } else if inst.uop.info().exit == Exit::Guard {
                self.normalise(&mut inst);
                if facts::passed(self.types, &mut self.facts, &inst).is_none() {
                    return;
                }
            }
        }
    }

    fn inherit_value(&mut self, mut inst: Inst, value: ValueId) {
        if value.is_none() || inst.uop == Uop::LoadSlot {
            return;
        }
        self.normalise(&mut inst);
        let fact = facts::definition(self.types, &self.facts, &inst);
        self.facts[value.index()] = fact;
        if let Uop::UnboxInt | Uop::UnboxFloat | Uop::UnboxBool = inst.uop {
            self.facts[inst.args[0].index()].raw = value;
        }
        match memory::loaded(&inst) {
            Some(place) => self.memory.learn(place, value),
            None => self.inherited.push((inst, value)),
        }
    }
}
