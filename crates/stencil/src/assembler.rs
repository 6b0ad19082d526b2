//! Copies stencils one after the other and patches their holes.
//!
//! The code grows in two buffers, hot and cold, that are reused from trace to trace. What depends on where the code will be
//! (jumps from one buffer to the other, to exits, to the runtime) is kept as a list of fixups until [`Assembler::finish`] has
//! the block. Errors are kept too: the first one comes out of `finish`.

use serigraph_uops::{Immediate, Uop, layout};

use crate::error::CodeError;
use crate::memory::{Block, CodeAddress, CodeMemory};
use crate::patch;
use crate::register::{Fp, Gp, Register};
use crate::stencil::{
    CallTarget, Code, DataSymbol, Hole, HoleValue, OUTPUT, Stencil, StencilTable, Width,
};
use crate::tables::machine;

/// A place in the hot code that is or will be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(u32);

/// A way out of the trace: an index into the exits of its [`TraceCode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitLabel(u32);

impl ExitLabel {
    /// The how-manieth exit of the trace it is.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a fixup refers to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Hot(u32),
    Cold(u32),
    Label(u32),
    Call(CallTarget),
    Helper(u64),
    Data(DataSymbol),
    Constant(u8),
    Pool(u32),
    Address(CodeAddress),
}

/// A hole that waits for addresses.
#[derive(Clone, Copy, Debug)]
struct Fixup {
    /// Offset in its buffer.
    at: u32,
    cold: bool,
    width: Width,
    addend: i32,
    target: Target,
}

/// Makes the code of one trace after the other.
#[derive(Debug)]
pub struct Assembler {
    table: &'static StencilTable,
    hot: Vec<u8>,
    cold: Vec<u8>,
    pool: Vec<u64>,
    fixups: Vec<Fixup>,
    sites: Vec<Site>,
    /// Offsets in the hot code, or [`UNBOUND`].
    labels: Vec<u32>,
    /// The number of each exit.
    exits: Vec<u32>,
    alignment: usize,
    /// Where the last stencil begins.
    last_start: u32,
    error: Option<CodeError>,
}

const UNBOUND: u32 = u32::MAX;
/// The least alignment of a trace.
const TRACE_ALIGNMENT: usize = 16;
/// The alignment of a loop's head: a cache line.
const LOOP_ALIGNMENT: usize = 64;
/// The size of an exit stub: `mov eax, imm32; jmp rel32`.
const STUB_SIZE: usize = 10;

/// The recommended no-operations of 1 to 9 bytes.
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

impl Assembler {
    /// An assembler that copies from this table.
    pub fn new(table: &'static StencilTable) -> Assembler {
        Assembler {
            table,
            hot: Vec::new(),
            cold: Vec::new(),
            pool: Vec::new(),
            fixups: Vec::new(),
            sites: Vec::new(),
            labels: Vec::new(),
            exits: Vec::new(),
            alignment: TRACE_ALIGNMENT,
            last_start: 0,
            error: None,
        }
    }

    /// The table it copies from.
    pub fn table(&self) -> &'static StencilTable {
        self.table
    }

    /// Forgets everything; the buffers keep their capacity.
    pub fn clear(&mut self) {
        self.hot.clear();
        self.cold.clear();
        self.pool.clear();
        self.fixups.clear();
        self.sites.clear();
        self.labels.clear();
        self.exits.clear();
        self.alignment = TRACE_ALIGNMENT;
        self.error = None;
    }

    fn fail(&mut self, error: CodeError) {
        self.error.get_or_insert(error);
    }

    /// The offset of the next hot byte (from the start of the trace).
    #[inline]
    pub fn position(&self) -> u32 {
        self.hot.len() as u32
    }

    /// Appends a uop. `inputs` has as many registers as the uop has inputs; `output` is [`Register::NONE`] if it has no result;
    /// `immediate` holds the bits as in the IR; `exit` is where it leaves to, if it can.
    #[inline]
    pub fn uop(
        &mut self,
        uop: Uop,
        inputs: &[Register],
        output: Register,
        immediate: u64,
        exit: Option<ExitLabel>,
    ) {
        let table = self.table;
        let mut stencil = table.stencil(uop);
        let constraints = &stencil.constraints;
        let mut numbers = [0; 4];
        let mut fits = constraints.output == output.class();
        for (index, wanted) in constraints.inputs.iter().enumerate() {
            let given = inputs.get(index).copied().unwrap_or(Register::NONE);
            fits &= given.class() == *wanted;
            numbers[index] = given.hardware();
        }
        numbers[OUTPUT] = output.hardware();
        if !fits {
            return self.fail(CodeError::Operand(uop));
        }
        match uop {
            Uop::ConstInt | Uop::ConstObject => {
                return self.constant_number(numbers[OUTPUT], immediate);
            }
            Uop::ConstFloat => return self.constant_fp_number(numbers[OUTPUT], immediate),
            _ => {}
        }
        if stencil.hot.size == 0 {
            return self.fail(CodeError::NoStencil(uop));
        }
        if constraints.has_exit && exit.is_none() {
            return self.fail(CodeError::NoExit(uop));
        }
        let value = match uop.info().immediate {
            Immediate::Slot => indexed(layout::FRAME_LOCALS, immediate),
            Immediate::Int32 if uop == Uop::TupleItemImm => indexed(layout::TUPLE_ITEMS, immediate),
            Immediate::ArgIndex if immediate < layout::ARGS as u64 => {
                layout::ACTIVATION_ARGS as u64 + immediate * 8
            }
            Immediate::ArgCount if immediate < layout::ARGS as u64 => {
                immediate | layout::VECTORCALL_ARGUMENTS_OFFSET
            }
            Immediate::ArgIndex | Immediate::ArgCount => {
                return self.fail(CodeError::Immediate(uop, immediate));
            }
            _ => immediate,
        };
        if stencil.small != u16::MAX && value <= i32::MAX as u64 {
            stencil = &table.stencils[stencil.small as usize];
        }
        if stencil.tied != u16::MAX
            && let Some(on_top) = tied_input(inputs, output, constraints.restores)
        {
            numbers.swap(0, on_top);
            stencil = &table.stencils[stencil.tied as usize];
        }
        let exit = exit.unwrap_or(ExitLabel(u32::MAX));
        if self.copy(stencil, &numbers, value, exit).is_err() {
            self.fail(CodeError::Immediate(uop, immediate));
        }
    }

    /// Copies a stencil and patches what is known; the rest become fixups.
    fn copy(
        &mut self,
        stencil: &'static Stencil,
        numbers: &[u8; 4],
        immediate: u64,
        exit: ExitLabel,
    ) -> Result<(), patch::OutOfRange> {
        let hot_start = self.hot.len();
        let cold_start = self.cold.len();
        self.last_start = hot_start as u32;
        append(&mut self.hot, &stencil.hot, numbers);
        if stencil.cold.size > 0 {
            append(&mut self.cold, &stencil.cold, numbers);
        }
        for hole in stencil.holes {
            let (buffer, start) = match hole.cold {
                false => (&mut self.hot, hot_start),
                true => (&mut self.cold, cold_start),
            };
            let at = start + hole.offset as usize;
            let target = match hole.value {
                HoleValue::Immediate => {
                    patch_immediate(buffer, at, hole, immediate)?;
                    continue;
                }
                HoleValue::DivisorMagic => {
                    patch_immediate(buffer, at, hole, divisor(immediate)?.0)?;
                    continue;
                }
                HoleValue::DivisorShift => {
                    patch_immediate(buffer, at, hole, divisor(immediate)?.1)?;
                    continue;
                }
                HoleValue::Exit => {
                    self.sites.push(Site {
                        exit: exit.0,
                        offset: at as u32,
                        cold: hole.cold,
                    });
                    continue;
                }
                HoleValue::Hot(offset) => Target::Hot(hot_start as u32 + offset as u32),
                HoleValue::Cold(offset) => Target::Cold(cold_start as u32 + offset as u32),
                HoleValue::Helper => Target::Helper(immediate),
                HoleValue::Call(target) => Target::Call(target),
                HoleValue::Data(symbol) => Target::Data(symbol),
                HoleValue::Constant(index) => Target::Constant(index),
                HoleValue::Pool => {
                    let index = self
                        .pool
                        .iter()
                        .position(|&c| c == immediate)
                        .unwrap_or_else(|| {
                            self.pool.push(immediate);
                            self.pool.len() - 1
                        });
                    Target::Pool(index as u32)
                }
            };
            self.fixups.push(Fixup {
                at: at as u32,
                cold: hole.cold,
                width: hole.width,
                addend: hole.addend,
                target,
            });
        }
        Ok(())
    }

    /// Copies a machine stencil; its immediate has been checked.
    fn machine(&mut self, index: usize, input: u8, output: u8, immediate: u64) {
        let copied = self.copy(
            &self.table.stencils[index],
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

    fn constant_number(&mut self, to: u8, bits: u64) {
        let form = match bits {
            0 => machine::CONST_ZERO,
            _ if u32::try_from(bits).is_ok() => machine::CONST_U32,
            _ if i32::try_from(bits as i64).is_ok() => machine::CONST_I32,
            _ => machine::CONST_64,
        };
        self.machine(form, 0, to, bits);
    }
    fn constant_fp_number(&mut self, to: u8, bits: u64) {
        let form = if bits == 0 {
            machine::CONST_FP_ZERO
        } else {
            machine::CONST_FP
        };
        self.machine(form, 0, to, bits);
    }

    /// A label that is not bound yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }
    /// Binds a label to the next hot byte.
    pub fn bind(&mut self, label: Label) {
        self.labels[label.0 as usize] = self.position();
    }
    /// Aligns the next hot byte for the head of a loop.
    pub fn align_loop(&mut self) {
        self.alignment = LOOP_ALIGNMENT;
        let mut padding = self.hot.len().next_multiple_of(LOOP_ALIGNMENT) - self.hot.len();
        while padding > 0 {
            let nop = NOPS[padding.min(NOPS.len()) - 1];
            self.hot.extend_from_slice(nop);
            padding -= nop.len();
        }
    }
    /// A new exit: leaving there gives `number` to the exit handler.
    pub fn exit(&mut self, number: u32) -> ExitLabel {
        self.exits.push(number);
        ExitLabel(self.exits.len() as u32 - 1)
    }
    /// Appends a jump to a label.
    pub fn jump(&mut self, label: Label) {
        self.jump_target(Target::Label(label.0));
    }
    /// Appends the back edge of a loop. If the code ends with a conditional jump to an exit, that one is turned round: it becomes
    /// the back edge, and the jump to the exit comes after it, where it is seldom reached.
    pub fn jump_back(&mut self, label: Label) {
        let end = self.hot.len();
        let Some(&site) = self
            .sites
            .last()
            .filter(|s| !s.cold && s.offset as usize + 4 == end)
        else {
            return self.jump(label);
        };
        let start = self.last_start as usize;
        if start + 6 > end
            || self.hot[end - 6] != 0x0f
            || self.hot[end - 5] & 0xf0 != 0x80
            || self.may_reach_end(start, end)
        {
            return self.jump(label);
        }
        self.hot[end - 5] ^= 1;
        self.sites.pop();
        self.fixups.push(Fixup {
            at: site.offset,
            cold: false,
            width: Width::Relative32,
            addend: -4,
            target: Target::Label(label.0),
        });
        self.jump_exit(ExitLabel(site.exit));
    }
    /// Whether anything but the last instruction might go on at the end of the last stencil. (Any bytes that could be a
    /// jump there count as one.)
    fn may_reach_end(&self, start: usize, end: usize) -> bool {
        let holes = |f: &Fixup| matches!(f.target, Target::Hot(to) if to as usize == end);
        let mut jumps = (start..end - 6).filter(|&at| {
            let byte = |i: usize| self.hot[at + i];
            let short = at as isize + 2 + byte(1) as i8 as isize;
            let near = |size: usize| {
                let offset = (1..=4)
                    .rev()
                    .fold(0, |o, i| o << 8 | i32::from(byte(size - 5 + i)));
                at as isize + size as isize + offset as isize
            };
            match byte(0) {
                0x70..=0x7f | 0xe0..=0xe3 | 0xeb => short == end as isize,
                0x0f if at + 6 <= end => near(6) == end as isize,
                0xe9 => near(5) == end as isize,
                _ => false,
            }
        });
        self.labels.contains(&(end as u32))
            || self.fixups.iter().any(holes)
            || jumps.next().is_some()
    }
    /// Appends a jump to an exit. It can be linked like a guard's.
    pub fn jump_exit(&mut self, exit: ExitLabel) {
        let at = self.jump_opcode();
        self.sites.push(Site {
            exit: exit.0,
            offset: at,
            cold: false,
        });
    }
    /// Appends a jump to published code.
    pub fn jump_to(&mut self, address: CodeAddress) {
        self.jump_target(Target::Address(address));
    }
    fn jump_target(&mut self, target: Target) {
        let at = self.jump_opcode();
        self.fixups.push(Fixup {
            at,
            cold: false,
            width: Width::Relative32,
            addend: -4,
            target,
        });
    }
    /// Appends a jump to nowhere and returns the offset of its hole.
    fn jump_opcode(&mut self) -> u32 {
        self.hot.extend_from_slice(&[0xe9, 0, 0, 0, 0]);
        self.position() - 4
    }

    /// Publishes the trace. Afterwards the assembler is empty.
    ///
    /// Only for the thread that holds the host's lock, while no other thread executes code of this memory.
    pub fn finish(&mut self, memory: &mut CodeMemory) -> Result<TraceCode, CodeError> {
        let result = self.place(memory);
        self.clear();
        result
    }

    fn place(&mut self, memory: &mut CodeMemory) -> Result<TraceCode, CodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let hot_size = self.hot.len();
        let cold_base = hot_size.next_multiple_of(TRACE_ALIGNMENT);
        let mut stubs = vec![UNBOUND; self.exits.len()];
        for site in &mut self.sites {
            if std::mem::take(&mut site.cold) {
                site.offset += cold_base as u32;
            }
            let stub = &mut stubs[site.exit as usize];
            if *stub == UNBOUND {
                *stub = (cold_base + self.cold.len()) as u32;
                let number = self.exits[site.exit as usize].to_le_bytes();
                self.cold.push(0xb8);
                self.cold.extend_from_slice(&number);
                self.cold.extend_from_slice(&[0xe9, 0, 0, 0, 0]);
            }
        }
        // Exits are mostly made in the order of their uops: then this finds the sites in order already.
        self.sites.sort_by_key(|site| site.exit);
        let pool_base = (cold_base + self.cold.len()).next_multiple_of(8);
        let size = pool_base + 8 * self.pool.len();
        self.hot.resize(cold_base, 0xcc);
        self.hot.extend_from_slice(&self.cold);
        self.hot.resize(pool_base, 0xcc);
        for constant in &self.pool {
            self.hot.extend_from_slice(&constant.to_le_bytes());
        }

        let block = memory.allocate(size, self.alignment)?;
        let published = self
            .resolve(memory, block, cold_base, pool_base, &stubs)
            .and_then(|()| {
                memory.publish(block, &self.hot)?;
                Ok(())
            });
        if let Err(error) = published {
            memory.free(block);
            return Err(error);
        }
        let exits = self
            .exits
            .iter()
            .zip(&stubs)
            .map(|(&number, &stub)| ExitCode { number, stub })
            .collect();
        Ok(TraceCode {
            block,
            base: memory.block_address(block).get(),
            hot_size: hot_size as u32,
            code_size: pool_base as u32,
            labels: self.labels.as_slice().into(),
            exits,
            sites: self.sites.as_slice().into(),
        })
    }

    /// Fills all holes, now that the addresses are known.
    fn resolve(
        &mut self,
        memory: &CodeMemory,
        block: Block,
        cold_base: usize,
        pool_base: usize,
        stubs: &[u32],
    ) -> Result<(), CodeError> {
        let base = memory.block_address(block).get();
        for fixup in &self.fixups {
            let target = match fixup.target {
                Target::Hot(offset) => base + offset as usize,
                Target::Cold(offset) => base + cold_base + offset as usize,
                Target::Label(label) => match self.labels[label as usize] {
                    UNBOUND => return Err(CodeError::UnboundLabel),
                    offset => base + offset as usize,
                },
                Target::Call(target) => memory.call_target(target),
                Target::Helper(number) => memory.helper(number)?,
                Target::Data(symbol) => memory.data(symbol),
                Target::Constant(index) => memory.constant(index),
                Target::Pool(index) => base + pool_base + 8 * index as usize,
                Target::Address(address) => address.get(),
            };
            let at = fixup.at as usize + if fixup.cold { cold_base } else { 0 };
            let value = (target as u64).wrapping_add(fixup.addend as i64 as u64);
            match fixup.width {
                Width::Relative32 => {
                    patch::patch_relative_32(&mut self.hot, at, base + at, target, fixup.addend)
                }
                Width::Absolute64 => {
                    patch::patch_64(&mut self.hot, at, value);
                    Ok(())
                }
                Width::Signed32 => patch::patch_32s(&mut self.hot, at, value),
                Width::Unsigned32 => patch::patch_32u(&mut self.hot, at, value),
                Width::Absolute8 => patch::patch_8u(&mut self.hot, at, value),
            }
            .map_err(|_| CodeError::Distance)?;
        }
        for site in &self.sites {
            let at = site.offset as usize;
            let stub = base + stubs[site.exit as usize] as usize;
            patch::patch_relative_32(&mut self.hot, at, base + at, stub, -4)
                .map_err(|_| CodeError::Distance)?;
        }
        let leave = memory.call_target(CallTarget::Leave);
        for &stub in stubs.iter().filter(|&&stub| stub != UNBOUND) {
            let at = stub as usize + STUB_SIZE - 4;
            patch::patch_relative_32(&mut self.hot, at, base + at, leave, -4)
                .map_err(|_| CodeError::Distance)?;
        }
        Ok(())
    }
}

/// Writes a value that does not depend on any address.
#[inline]
fn patch_immediate(
    buffer: &mut [u8],
    at: usize,
    hole: &Hole,
    value: u64,
) -> Result<(), patch::OutOfRange> {
    let value = value.wrapping_add(hole.addend as i64 as u64);
    match hole.width {
        Width::Signed32 => patch::patch_32s(buffer, at, value),
        Width::Unsigned32 => patch::patch_32u(buffer, at, value),
        Width::Absolute8 => patch::patch_8u(buffer, at, value),
        Width::Absolute64 | Width::Relative32 => {
            patch::patch_64(buffer, at, value);
            Ok(())
        }
    }
}

/// The multiplier and the shift that divide numbers below 2**63 by `divisor` (see the body of `int_floordiv_imm`).
fn divisor(divisor: u64) -> Result<(u64, u64), patch::OutOfRange> {
    if !(2..1 << 31).contains(&divisor) {
        return Err(patch::OutOfRange);
    }
    let bits = 64 - (divisor - 1).leading_zeros();
    let magic = (1u128 << (63 + bits)).div_ceil(divisor.into());
    u64::try_from(magic)
        .map(|magic| (magic, u64::from(bits) - 1))
        .map_err(|_| patch::OutOfRange)
}

/// The input in whose register the result is, if the stencil that works in place will do.
#[inline]
fn tied_input(inputs: &[Register], output: Register, restores: u8) -> Option<usize> {
    let on_top = inputs.iter().position(|&input| input == output)?;
    let alone = inputs[on_top + 1..].iter().all(|&input| input != output);
    (alone && restores >> on_top & 1 == 1).then_some(on_top)
}

/// Appends code and patches its register fields.
#[inline(always)]
fn append(buffer: &mut Vec<u8>, code: &Code, numbers: &[u8; 4]) {
    let start = buffer.len();
    buffer.reserve(Code::MAX_SIZE);
    debug_assert!(code.padded.len() <= Code::MAX_SIZE);
    // SAFETY: there is room for the padded code, whose size is at most `MAX_SIZE`; the code's size is at most the padded
    // size, and its fields are inside it. The build makes the table so, and a test checks it.
    unsafe {
        let to = buffer.as_mut_ptr().add(start);
        for (index, chunk) in code.padded.as_chunks::<16>().0.iter().enumerate() {
            to.add(16 * index)
                .cast::<[u8; 16]>()
                .write_unaligned(*chunk);
        }
        patch::patch_registers(to, code.registers, numbers);
        buffer.set_len(start + code.size as usize);
    }
}

/// The offset of an element of a table of words.
fn indexed(first: usize, index: u64) -> u64 {
    (first as u64).wrapping_add(index.wrapping_mul(8))
}

fn number(register: impl Into<Register>) -> u8 {
    register.into().hardware()
}

/// An exit of published code.
#[derive(Clone, Copy, Debug)]
struct ExitCode {
    number: u32,
    stub: u32,
}

/// A jump to an exit.
#[derive(Clone, Copy, Debug)]
struct Site {
    exit: u32,
    /// The offset of its relative hole in its buffer, or, once the trace is placed, in the trace.
    offset: u32,
    cold: bool,
}

/// The published code of a trace. It is not freed by dropping this: see [`CodeMemory::free`].
#[derive(Debug)]
pub struct TraceCode {
    block: Block,
    base: usize,
    hot_size: u32,
    code_size: u32,
    labels: Box<[u32]>,
    exits: Box<[ExitCode]>,
    sites: Box<[Site]>,
}

impl TraceCode {
    /// Its block.
    pub fn block(&self) -> Block {
        self.block
    }
    /// The address of its first instruction.
    pub fn entry(&self) -> CodeAddress {
        CodeAddress::new(self.base)
    }
    /// The address of a label of the assembler that made it; `None` if the label was not bound.
    pub fn label(&self, label: Label) -> Option<CodeAddress> {
        let offset = self
            .labels
            .get(label.0 as usize)
            .copied()
            .filter(|&o| o != UNBOUND)?;
        Some(CodeAddress::new(self.base + offset as usize))
    }
    /// Bytes of hot code.
    pub fn hot_size(&self) -> usize {
        self.hot_size as usize
    }
    /// Bytes of code, without the constants after it.
    pub fn code_size(&self) -> usize {
        self.code_size as usize
    }
    /// The numbers of the exits, in the order they were made.
    pub fn exit_numbers(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.exits.iter().map(|exit| exit.number)
    }
    /// Makes everything that leaves by an exit go to `target` instead, in the same state of the registers. Only for the
    /// thread that holds the host's lock, while no other thread executes code of this memory.
    pub fn link(
        &self,
        memory: &mut CodeMemory,
        exit: ExitLabel,
        target: CodeAddress,
    ) -> Result<(), CodeError> {
        memory.retarget(self.block, self.sites_of(exit), target)
    }
    /// Makes a linked exit leave again, under the same conditions.
    pub fn unlink(&self, memory: &mut CodeMemory, exit: ExitLabel) -> Result<(), CodeError> {
        match self.exits.get(exit.index()) {
            Some(code) if code.stub != UNBOUND => {
                let stub = CodeAddress::new(self.base + code.stub as usize);
                memory.retarget(self.block, self.sites_of(exit), stub)
            }
            _ => Ok(()),
        }
    }
    fn sites_of(&self, exit: ExitLabel) -> impl Iterator<Item = u32> + Clone + '_ {
        let first = self.sites.partition_point(|site| site.exit < exit.0);
        self.sites[first..]
            .iter()
            .take_while(move |site| site.exit == exit.0)
            .map(|site| site.offset)
    }
}
