//! Published code.

use crate::assembler::{ExitLabel, Label, UNBOUND};
use crate::error::CodeError;
use crate::memory::{Block, CodeAddress, CodeMemory};

/// An exit of published code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExitCode {
    pub number: u32,
    /// The offset of its stub, or [`UNBOUND`].
    pub stub: u32,
}

/// A jump to an exit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub exit: u32,
    /// The offset of its relative hole in its buffer, or, once the trace is placed, in the trace.
    pub offset: u32,
    pub cold: bool,
}

/// The published code of a trace. It is not freed by dropping this: see [`CodeMemory::free`].
#[derive(Debug)]
pub struct TraceCode {
    pub(crate) block: Block,
    pub(crate) base: usize,
    pub(crate) hot_size: u32,
    pub(crate) code_size: u32,
    pub(crate) labels: Box<[u32]>,
    pub(crate) exits: Box<[ExitCode]>,
    pub(crate) sites: Box<[Site]>,
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
    /// Bytes of its lists, which are not part of the code.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.labels) + size_of_val(&*self.exits) + size_of_val(&*self.sites)
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
