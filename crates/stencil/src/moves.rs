//! What is not a uop: moves, spills, reloads and constants, as the register allocator asks for them.

use serigraph_uops::layout;

use crate::assembler::{Assembler, ExitLabel};
use crate::error::CodeError;
use crate::register::{Fp, Gp, Register};
use crate::tables::machine;

impl Assembler {
    /// Copies a machine stencil; its immediate has been checked.
    fn machine(&mut self, index: usize, input: u8, output: u8, immediate: u64) {
        let copied = self.copy(
            &self.table().stencils[index],
            &[input, 0, 0, output],
            immediate,
            ExitLabel(u32::MAX),
        );
        debug_assert!(
            copied.is_ok(),
            "immediates of machine stencils are checked by their callers"
        );
    }

    /// Copies a general register.
    pub fn move_gp(&mut self, to: Gp, from: Gp) {
        if to != from {
            self.machine(machine::MOVE_GP, number(from), number(to), 0);
        }
    }
    /// Copies a float register.
    pub fn move_fp(&mut self, to: Fp, from: Fp) {
        if to != from {
            self.machine(machine::MOVE_FP, number(from), number(to), 0);
        }
    }
    /// Keeps a general register in the scratch register that [`Self::restore_gp`] reads. Only moves, spills and reloads leave it alone.
    pub fn save_gp(&mut self, from: Gp) {
        self.machine(machine::SAVE_GP, number(from), 0, 0);
    }
    /// Copies what [`Self::save_gp`] kept.
    pub fn restore_gp(&mut self, to: Gp) {
        self.machine(machine::RESTORE_GP, 0, number(to), 0);
    }
    /// Keeps a float register in the scratch register that [`Self::restore_fp`] reads. Only moves, spills and reloads leave it alone.
    pub fn save_fp(&mut self, from: Fp) {
        self.machine(machine::SAVE_FP, number(from), 0, 0);
    }
    /// Copies what [`Self::save_fp`] kept.
    pub fn restore_fp(&mut self, to: Fp) {
        self.machine(machine::RESTORE_FP, 0, number(to), 0);
    }
    /// Stores a general register in a spill slot.
    pub fn spill_gp(&mut self, slot: u32, from: Gp) {
        let offset = self.spill_offset(slot);
        self.machine(machine::SPILL_GP, number(from), 0, offset);
    }
    /// Loads a general register from a spill slot.
    pub fn reload_gp(&mut self, to: Gp, slot: u32) {
        let offset = self.spill_offset(slot);
        self.machine(machine::RELOAD_GP, 0, number(to), offset);
    }
    /// Stores a float register in a spill slot.
    pub fn spill_fp(&mut self, slot: u32, from: Fp) {
        let offset = self.spill_offset(slot);
        self.machine(machine::SPILL_FP, number(from), 0, offset);
    }
    /// Loads a float register from a spill slot.
    pub fn reload_fp(&mut self, to: Fp, slot: u32) {
        let offset = self.spill_offset(slot);
        self.machine(machine::RELOAD_FP, 0, number(to), offset);
    }
    /// Loads the scratch register that [`Self::restore_gp`] reads from a spill slot.
    pub fn reload_saved(&mut self, slot: u32) {
        let offset = self.spill_offset(slot);
        self.machine(machine::RELOAD_SAVED, 0, 0, offset);
    }
    /// Stores what [`Self::save_gp`] or [`Self::reload_saved`] kept in a spill slot.
    pub fn spill_saved(&mut self, slot: u32) {
        let offset = self.spill_offset(slot);
        self.machine(machine::SPILL_SAVED, 0, 0, offset);
    }

    fn spill_offset(&mut self, slot: u32) -> u64 {
        if slot as usize >= layout::SPILL_SLOTS {
            self.fail(CodeError::SpillSlot(slot));
            return 0;
        }
        layout::ACTIVATION_SPILLS as u64 + 8 * slot as u64
    }

    /// Puts a constant into a general register, in the shortest way. The flags are lost.
    pub fn constant_gp(&mut self, to: Gp, bits: u64) {
        self.constant_number(number(to), bits);
    }
    /// Puts the double of these bits into a float register.
    pub fn constant_fp(&mut self, to: Fp, bits: u64) {
        self.constant_fp_number(number(to), bits);
    }

    pub(crate) fn constant_number(&mut self, to: u8, bits: u64) {
        let form = match bits {
            0 => machine::CONST_ZERO,
            _ if u32::try_from(bits).is_ok() => machine::CONST_U32,
            _ if i32::try_from(bits as i64).is_ok() => machine::CONST_I32,
            _ => machine::CONST_64,
        };
        self.machine(form, 0, to, bits);
    }
    pub(crate) fn constant_fp_number(&mut self, to: u8, bits: u64) {
        let form = if bits == 0 {
            machine::CONST_FP_ZERO
        } else {
            machine::CONST_FP
        };
        self.machine(form, 0, to, bits);
    }
}

fn number(register: impl Into<Register>) -> u8 {
    register.into().hardware()
}
