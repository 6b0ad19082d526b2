//! Copies stencils one after the other and patches their holes.
//!
//! The code grows in two buffers, hot and cold, that are reused from trace to trace. What depends on where the code will be
//! (jumps from one buffer to the other, to exits, to the runtime) is kept as a list of fixups until [`Assembler::finish`] has
//! the block. Errors are kept too: the first one comes out of `finish`.

use serigraph_uops::Uop;

use crate::error::CodeError;
use crate::memory::{Block, CodeAddress, CodeMemory};
use crate::register::Register;
use crate::stencil::{
    CallTarget, Code, DataSymbol, HoleValue, OUTPUT, Stencil, StencilTable, Width,
};
use crate::trace_code::{ExitCode, Site, TraceCode};
use crate::{immediate, patch};

/// A place in the hot code that is or will be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(pub(crate) u32);

/// A way out of the trace: an index into the exits of its [`TraceCode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitLabel(pub(crate) u32);

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
    /// Where the hot code ended after the last stencil that ends with a conditional jump to its exit.
    exit_end: u32,
    error: Option<CodeError>,
}

/// The offset of a label that is not bound, or of a stub that is not made.
pub(crate) const UNBOUND: u32 = u32::MAX;
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
            exit_end: UNBOUND,
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
        self.exit_end = UNBOUND;
        self.error = None;
    }

    pub(crate) fn fail(&mut self, error: CodeError) {
        self.error.get_or_insert(error);
    }

    /// The offset of the next hot byte (from the start of the trace).
    #[inline]
    pub fn position(&self) -> u32 {
        self.hot.len() as u32
    }

    /// Appends a uop. `inputs` has as many registers as the uop has inputs, or [`Register::NONE`] after them; `output` is
    /// [`Register::NONE`] if it has no result; `immediate` holds the bits as in the IR; `exit` is where it leaves to, if it can.
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
        let mut fits = output.is(constraints.output);
        for (index, wanted) in constraints.inputs.iter().enumerate() {
            let given = inputs.get(index).copied().unwrap_or(Register::NONE);
            fits &= given.is(*wanted);
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
        let Ok(value) = immediate::value(uop, immediate) else {
            return self.fail(CodeError::Immediate(uop, immediate));
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
    pub(crate) fn copy(
        &mut self,
        stencil: &'static Stencil,
        numbers: &[u8; 4],
        immediate: u64,
        exit: ExitLabel,
    ) -> Result<(), patch::OutOfRange> {
        let hot_start = self.hot.len();
        let cold_start = self.cold.len();
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
                    immediate::patch(buffer, at, hole, immediate)?;
                    continue;
                }
                HoleValue::DivisorMagic => {
                    immediate::patch(buffer, at, hole, immediate::divisor(immediate)?.0)?;
                    continue;
                }
                HoleValue::DivisorShift => {
                    immediate::patch(buffer, at, hole, immediate::divisor(immediate)?.1)?;
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
        if stencil.ends_with_exit {
            self.exit_end = self.position();
        }
        Ok(())
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
    /// New exits, one for each number.
    pub fn exits(
        &mut self,
        numbers: std::ops::Range<u32>,
    ) -> impl Iterator<Item = ExitLabel> + use<> {
        let first = self.exits.len() as u32;
        self.exits.extend(numbers);
        (first..self.exits.len() as u32).map(ExitLabel)
    }
    /// Appends a jump to a label.
    pub fn jump(&mut self, label: Label) {
        self.jump_target(Target::Label(label.0));
    }
    /// Appends the back edge of a loop. If the code ends with a conditional jump to an exit, that one is turned round: it becomes
    /// the back edge, and the jump to the exit comes after it, where it is seldom reached.
    pub fn jump_back(&mut self, label: Label) {
        let end = self.position();
        let is_last = |site: &Site| !site.cold && site.offset + 4 == end;
        let turnable = self.exit_end == end && !self.labels.contains(&end);
        let Some(index) = self.sites.iter().rposition(is_last).filter(|_| turnable) else {
            return self.jump(label);
        };
        let site = self.sites.remove(index);
        // The lowest bit of the opcode of a conditional jump, `0f 80+condition`, inverts its condition.
        self.hot[site.offset as usize - 1] ^= 1;
        self.fixups.push(Fixup {
            at: site.offset,
            cold: false,
            width: Width::Relative32,
            addend: -4,
            target: Target::Label(label.0),
        });
        self.jump_exit(ExitLabel(site.exit));
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
                let [a, b, c, d] = self.exits[site.exit as usize].to_le_bytes();
                let code: [u8; STUB_SIZE] = [0xb8, a, b, c, d, 0xe9, 0, 0, 0, 0];
                self.cold.extend_from_slice(&code);
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
