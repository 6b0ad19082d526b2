//! What a side trace knows from the loop it belongs to: the invariants it carries are what the loop's slice computed and
//! checked.

use super::facts;
use super::forward::Forward;
use super::memory;
use crate::ir::{Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Exit, Uop};

impl Forward<'_> {
    /// Takes over the facts about the inherited values from the trace whose loop they belong to. Only what no memory but
    /// the slots was read for: the way here may have changed other memory.
    pub(super) fn inherit(&mut self, tree: &Trace) {
        self.tree_facts = Vec::new();
        let mut names = vec![ValueId::NONE; tree.insts.len()];
        for inherited in &self.source().inherited {
            if let Some(param) = tree.loop_params.get(inherited.param as usize) {
                names[param.value.index()] = inherited.value;
            }
        }
        for &value in &tree.loop_slice {
            let inst = *tree.inst(value);
            let info = inst.uop.info();
            let known = |v: &ValueId| names[v.index()].is_some();
            if !inst.inputs().iter().all(known) || memory::loaded(&inst).is_some() {
                continue;
            }
            let reads_memory = !info.reads.is_empty() && !matches!(inst.uop, Uop::UnboxFloat);
            if reads_memory || (inst.has_value() && !known(&value)) {
                continue;
            }
            if inst.has_value() || info.exit == Exit::Guard {
                let args: Vec<ValueId> = inst.inputs().iter().map(|a| names[a.index()]).collect();
                let mut here = Inst::new(inst.uop, &args, inst.imm, SnapshotId::NONE);
                here.kind = inst.kind;
                self.tree_facts.push((here, names[value.index()]));
            }
        }
    }

    /// Once all params are there: notes what is known of the inherited ones.
    pub(super) fn apply_inherited(&mut self) {
        for (mut inst, value) in std::mem::take(&mut self.tree_facts) {
            let named = |v: ValueId| self.names.values[v.index()];
            inst.args = inst.args.map(|a| if a.is_some() { named(a) } else { a });
            if inst.has_value() {
                let value = named(value);
                let fact = facts::definition(self.types, &self.out, &self.facts, &inst);
                self.facts[value.index()] = fact;
                if let Uop::UnboxInt | Uop::UnboxFloat | Uop::UnboxBool = inst.uop {
                    self.facts[inst.args[0].index()].raw = value;
                }
            } else if facts::passed(self.types, &mut self.facts, &inst).is_none() {
                return;
            }
        }
    }
}
