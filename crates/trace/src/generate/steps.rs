//! The steps of a generated trace: each appends a few uops that a recorder could have recorded.

use super::no_host::NoHost;
use super::{Generator, SlotKind, Variable};
use crate::eval::{Step, evaluate};
use crate::ir::{Inst, SnapshotId, ValueId};
use serigraph_uops::{Exit, Immediate, Kind, Uop, layout};

impl Generator<'_> {
    /// A computation or guard on raw values that, as far as is known, does not leave.
    pub(super) fn raw_step(&mut self) {
        for _ in 0..8 {
            let uop = self.random.pick(&self.raw_uops);
            let info = uop.info();
            let args: Vec<ValueId> = info
                .inputs
                .iter()
                .map(|k| {
                    if *k == Kind::Float {
                        self.float()
                    } else {
                        self.int()
                    }
                })
                .collect();
            let imm = match (info.immediate, uop) {
                (Immediate::None, _) => 0,
                (_, Uop::IntShlImm | Uop::IntShrImm) => u64::from(self.random.below(20)),
                (_, Uop::IntFloorDivImm | Uop::IntModImm) => 2 + u64::from(self.random.below(20)),
                _ if self.random.one_in(4) => self.random.bits() as i32 as i64 as u64,
                _ => (i64::from(self.random.below(30)) - 10) as u64,
            };
            let mut operands = [0; 3];
            let mut all_known = true;
            for (operand, arg) in operands.iter_mut().zip(&args) {
                *operand = self.known[arg.index()].unwrap_or(0);
                all_known &= self.known[arg.index()].is_some();
            }
            let step = evaluate(&mut NoHost, uop, imm, operands);
            let leaves = info.exit != Exit::Never;
            let known = match step {
                Step::Next(result) if all_known => Some(result),
                _ if leaves && (all_known || !self.random.one_in(6)) && !self.random.one_in(60) => {
                    continue;
                }
                _ => None,
            };
            let snapshot = if leaves {
                self.snapshot()
            } else {
                SnapshotId::NONE
            };
            self.push(Inst::new(uop, &args, imm, snapshot), known);
            return;
        }
    }

    pub(super) fn steps(&mut self, count: u32) {
        for _ in 0..count {
            match self.random.below(20) {
                0 => self.assign(),
                1 => self.sync(),
                2 => self.load(),
                3 => self.references(),
                4 => self.box_something(),
                5 => self.identity(),
                6 => self.sequence(),
                7 => self.element(),
                8 => self.iterator(),
                9 => self.housekeeping(),
                10 => self.call(),
                _ => self.raw_step(),
            }
        }
    }

    /// A variable gets a new value that memory does not learn of.
    pub(super) fn assign(&mut self) {
        let slot = self.random.below(self.variables.len() as u32) as usize;
        if self.trace.loop_start.is_some() && !self.syncable[slot] {
            // The loop does not carry it, so its end has to find it as its start did.
            return;
        }
        match self.variables[slot] {
            Variable::Untouched | Variable::Object(_) => {}
            Variable::Raw(old) => {
                let float = self.trace.inst(old).kind == Kind::Float;
                let new = if float { self.float() } else { self.int() };
                self.set(slot, Variable::Raw(new));
            }
        }
    }

    /// A box is put into the memory of a variable.
    fn sync(&mut self) {
        let slot = self.random.below(self.variables.len() as u32) as usize;
        let Variable::Raw(raw) = self.variables[slot] else {
            return;
        };
        if !self.syncable[slot] {
            return;
        }
        let uop = if self.trace.inst(raw).kind == Kind::Float {
            Uop::BoxFloat
        } else {
            Uop::BoxInt
        };
        let boxed = self.emit(uop, &[raw], 0);
        self.emit(Uop::SyncSlot, &[boxed], slot as u64);
        self.forget(boxed);
        self.forget_loaded(slot);
        self.loadable[slot] = false;
        if self.trace.loop_start.is_some() || self.random.one_in(2) {
            self.set(slot, Variable::Raw(raw));
        } else {
            self.set(slot, Variable::Object(boxed));
        }
    }

    pub(super) fn load_some(&mut self) {
        for slot in 0..self.variables.len() {
            if self.random.below(4) > 0 {
                self.load_slot(slot);
            }
        }
    }

    fn load(&mut self) {
        let slot = self.random.below(self.variables.len() as u32) as usize;
        self.load_slot(slot);
    }

    fn load_slot(&mut self, slot: usize) {
        if !self.loadable[slot]
            || self.side
            || !matches!(
                self.variables[slot],
                Variable::Untouched | Variable::Object(_)
            )
        {
            return;
        }
        let object = self.emit(Uop::LoadSlot, &[], slot as u64);
        self.set(slot, Variable::Object(object));
        self.loaded.push((slot, object));
        let (kind, types) = (self.world.slots[slot], self.world.types);
        let of_type = |g: &mut Self, n: usize| g.emit(Uop::GuardType, &[object], types[n]);
        match kind {
            SlotKind::Int(value) => {
                of_type(self, 0);
                let raw = self.emit(Uop::UnboxInt, &[object], 0);
                self.known[raw.index()] = Some(value as u64);
                if self.trace.loop_start.is_none() {
                    self.set(slot, Variable::Raw(raw));
                }
            }
            SlotKind::Float(value) => {
                of_type(self, 1);
                let raw = self.emit(Uop::UnboxFloat, &[object], 0);
                self.known[raw.index()] = Some(value.to_bits());
                if self.trace.loop_start.is_none() {
                    self.set(slot, Variable::Raw(raw));
                }
            }
            SlotKind::List => drop(of_type(self, 2)),
            SlotKind::Tuple => drop(of_type(self, 3)),
            SlotKind::RangeIterator => drop(of_type(self, 4)),
        }
    }

    fn references(&mut self) {
        if self.owned.is_empty() || self.random.one_in(2) {
            let object = self.object();
            self.emit(Uop::IncRef, &[object], 0);
            self.owned.push(object);
        } else {
            self.release();
        }
    }

    pub(super) fn release(&mut self) {
        let index = self.random.below(self.owned.len() as u32) as usize;
        let object = self.owned.swap_remove(index);
        self.emit(Uop::DecRefPlain, &[object], 0);
        let inst = self.trace.inst(object);
        let came_owned =
            inst.uop.info().ownership.output_owned || self.owned_params.contains(&object);
        if came_owned && !self.owned.contains(&object) {
            self.forget(object);
        }
    }

    fn box_something(&mut self) {
        match self.random.below(3) {
            0 => {
                let a = self.float();
                let boxed = self.emit(Uop::BoxFloat, &[a], 0);
                self.owned.push(boxed);
            }
            1 => {
                let a = self.int();
                let boxed = self.emit(Uop::BoxInt, &[a], 0);
                self.owned.push(boxed);
            }
            _ => {
                let (a, b) = (self.int(), self.int());
                let truth = self.emit(Uop::IntLt, &[a, b], 0);
                self.emit(Uop::BoxBool, &[truth], self.world.bool_table);
            }
        }
    }

    fn identity(&mut self) {
        let (a, b) = (self.object(), self.object());
        match self.random.below(5) {
            4 => drop(self.emit(Uop::CountTurn, &[], self.world.counter)),
            0 => drop(self.emit(Uop::ObjectIs, &[a, b], 0)),
            1 => drop(self.emit(Uop::LoadType, &[a], 0)),
            2 => {
                let other = self.random.pick(&self.world.objects);
                let same = self.known[a.index()].is_some_and(|k| k == other);
                self.emit(
                    if same { Uop::GuardIs } else { Uop::GuardIsNot },
                    &[a],
                    other,
                );
            }
            _ => drop(self.emit(Uop::GuardSame, &[a, a], 0)),
        }
    }

    fn find_slot(&mut self, wanted: fn(SlotKind) -> bool) -> Option<ValueId> {
        let found: Vec<usize> = (0..self.variables.len())
            .filter(|&s| {
                wanted(self.world.slots[s]) && matches!(self.variables[s], Variable::Object(_))
            })
            .collect();
        if found.is_empty() {
            return None;
        }
        match self.variables[self.random.pick(&found)] {
            Variable::Object(value) => Some(value),
            _ => None,
        }
    }

    fn sequence(&mut self) {
        let x = self.int();
        if let Some(list) = self.find_slot(|k| k == SlotKind::List) {
            let length = self.emit(Uop::ListLen, &[list], 0);
            let items = self.emit(Uop::ListItems, &[list], 0);
            let index = self.emit(Uop::IntAndImm, &[x], 7);
            self.emit(Uop::GuardIntBelow, &[index, length], 0);
            self.elements.push((items, index));
        }
        if let Some(tuple) = self.find_slot(|k| k == SlotKind::Tuple) {
            let item = if self.random.one_in(2) {
                self.emit(
                    Uop::TupleItemImm,
                    &[tuple],
                    u64::from(self.random.clone().below(8)),
                )
            } else {
                let index = self.emit(Uop::IntAndImm, &[x], 7);
                self.emit(Uop::TupleItem, &[tuple, index], 0)
            };
            self.emit(Uop::GuardType, &[item], self.world.types[0]);
            self.emit(Uop::UnboxInt, &[item], 0);
        }
    }

    fn element(&mut self) {
        if self.elements.is_empty() {
            return;
        }
        let (items, index) = self.random.pick(&self.elements.clone());
        if self.random.one_in(3) {
            self.float_element(items, index);
        } else if self.random.one_in(2) {
            let item = self.emit(Uop::ItemAt, &[items, index], 0);
            self.emit(Uop::GuardType, &[item], self.world.types[0]);
            self.emit(Uop::UnboxInt, &[item], 0);
        } else {
            let a = self.int();
            let new = self.emit(Uop::BoxInt, &[a], 0);
            self.forget(new);
            let old = self.emit(Uop::ListExchange, &[items, index, new], 0);
            self.owned.push(old);
        }
    }

    fn zero(&mut self) -> ValueId {
        let zero = Inst::new(Uop::ConstInt, &[], 0, SnapshotId::NONE);
        self.push(zero, Some(0))
    }

    /// A float is put into a list and changed there, with another owner or without; then an int takes its place.
    fn float_element(&mut self, items: ValueId, index: ValueId) {
        let (a, b, c) = (self.float(), self.float(), self.int());
        let at_address = self.random.one_in(3);
        let index = if at_address { self.zero() } else { index };
        let float = self.emit(Uop::BoxFloat, &[a], 0);
        self.forget(float);
        let old = self.emit(Uop::ListExchange, &[items, index, float], 0);
        self.owned.push(old);
        let shared = self.random.one_in(2);
        if shared {
            self.emit(Uop::IncRef, &[float], 0);
        }
        if at_address {
            self.emit(Uop::ViaSetFloat, &[items, b], 0);
        } else {
            self.emit(Uop::ListSetFloat, &[items, index, b], 0);
        }
        let item = self.emit(Uop::ItemAt, &[items, index], 0);
        self.emit(Uop::UnboxFloat, &[item], 0);
        if shared {
            self.emit(Uop::UnboxFloat, &[float], 0);
            self.emit(Uop::DecRefPlain, &[float], 0);
        }
        let int = self.emit(Uop::BoxInt, &[c], 0);
        self.forget(int);
        let old = self.emit(Uop::ListExchange, &[items, index, int], 0);
        self.owned.push(old);
    }

    fn iterator(&mut self) {
        if let Some(iterator) = self.find_slot(|k| k == SlotKind::RangeIterator) {
            let offset = [
                layout::RANGE_ITER_START,
                layout::RANGE_ITER_STEP,
                layout::RANGE_ITER_LENGTH,
            ];
            let offset = self.random.pick(&offset) as u64;
            if self.random.one_in(3) {
                let value = self.int();
                self.emit(Uop::IterStore, &[iterator, value], offset);
            } else {
                self.emit(Uop::IterLoad, &[iterator], offset);
            }
        }
    }

    fn housekeeping(&mut self) {
        match self.random.below(4) {
            0 => drop(self.emit(Uop::PollWord32, &[], 0)),
            1 => drop(self.emit(Uop::PollWord64, &[], 0)),
            2 => drop(self.emit(Uop::GuardValid, &[], self.world.valid_word)),
            _ => {
                let ip = 0x7f00_0000_0000 + u64::from(self.ip);
                self.emit(Uop::SetIp, &[], ip);
            }
        }
    }

    fn call(&mut self) {
        let which = self.random.below(5) as usize;
        if self.world.helpers[which].is_empty() {
            return;
        }
        let helper = self.random.pick(&self.world.helpers[which]);
        match which {
            0 => {
                let a = self.float();
                self.emit(Uop::LeafFloat1, &[a], helper);
            }
            1 => {
                let (a, b) = (self.float(), self.float());
                self.emit(Uop::LeafFloat2, &[a, b], helper);
            }
            2 => {
                let a = self.object();
                let result = self.emit(Uop::LeafObject1, &[a], helper);
                self.owned.push(result);
            }
            3 => {
                let fields = [self.int(), self.int(), self.int()];
                let iterator = self.emit(Uop::MakeRangeIterator, &fields, helper);
                self.owned.push(iterator);
                for offset in [
                    layout::RANGE_ITER_START,
                    layout::RANGE_ITER_STEP,
                    layout::RANGE_ITER_LENGTH,
                ] {
                    self.emit(Uop::IterLoad, &[iterator], offset as u64);
                }
            }
            _ => {
                let (a, b) = (self.object(), self.object());
                let result = self.emit(Uop::LeafObject2, &[a, b], helper);
                self.owned.push(result);
            }
        }
    }
}
