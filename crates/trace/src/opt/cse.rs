//! Finds an equal instruction that was made before: a small open-addressed table over the trace's own instructions.

use crate::ir::{Inst, Trace, ValueId};

/// The table: each entry is the number of an instruction plus one, or 0.
pub(super) struct Cse {
    entries: Vec<u32>,
    count: usize,
}

fn hash(inst: &Inst) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = (inst.uop as u64).wrapping_mul(K) ^ inst.imm;
    for arg in inst.args {
        h = (h.rotate_left(23) ^ u64::from(arg.0)).wrapping_mul(K);
    }
    (h >> 32) as u32
}

fn equal(a: &Inst, b: &Inst) -> bool {
    a.uop == b.uop && a.args == b.args && a.imm == b.imm
}

impl Cse {
    /// An empty table for about this many instructions.
    pub fn new(expected: usize) -> Cse {
        Cse {
            entries: vec![0; (expected * 2).next_power_of_two().max(64)],
            count: 0,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(0);
        self.count = 0;
    }

    fn slot(&self, trace: &Trace, inst: &Inst) -> usize {
        let mask = self.entries.len() - 1;
        let mut at = hash(inst) as usize & mask;
        loop {
            match self.entries[at] {
                0 => return at,
                entry if equal(&trace.insts[entry as usize - 1], inst) => return at,
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The latest equal instruction.
    pub fn find(&self, trace: &Trace, inst: &Inst) -> Option<ValueId> {
        match self.entries[self.slot(trace, inst)] {
            0 => None,
            entry => Some(ValueId(entry - 1)),
        }
    }

    /// Enters an instruction of the trace; it takes the place of an equal one.
    pub fn insert(&mut self, trace: &Trace, value: ValueId) {
        if 4 * (self.count + 1) > 3 * self.entries.len() {
            let mut larger = Cse {
                entries: vec![0; self.entries.len() * 2],
                count: 0,
            };
            for &entry in self.entries.iter().filter(|&&e| e != 0) {
                larger.insert(trace, ValueId(entry - 1));
            }
            *self = larger;
        }
        let at = self.slot(trace, trace.inst(value));
        self.count += usize::from(self.entries[at] == 0);
        self.entries[at] = value.0 + 1;
    }
}
