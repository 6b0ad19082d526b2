//! Memory for machine code.
//!
//! One private anonymous reservation, at an address the kernel chooses at random, so that all code is within reach of 32-bit
//! jumps. No page is ever writable and executable at once: publishing a trace makes the pages it touches writable, copies
//! the finished code, and makes them executable. A page may already hold other traces, whose callers return into it
//! later; so publishing, linking and freeing are for the thread that holds the host's lock (the GIL), while no other thread
//! executes code of this memory. The memory is private: after a fork, parent and child are independent.
//!
//! Each call stub and each trace begins at a multiple of 16. A trace is one block: hot code, cold code, exit stubs, constants.

use std::ptr::NonNull;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::error::CodeError;
use crate::int_pool::{self, IntPool};
use crate::patch;
use crate::runtime::RuntimeSymbols;
use crate::shim;
use crate::stencil::{CallTarget, DataSymbol};
use crate::tables::CONSTANTS;

/// The address of machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct CodeAddress(usize);

impl CodeAddress {
    pub(crate) const fn new(address: usize) -> CodeAddress {
        CodeAddress(address)
    }
    /// As a number.
    #[inline]
    pub const fn get(self) -> usize {
        self.0
    }
}

/// A part of a [`CodeMemory`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    offset: u32,
    size: u32,
}

impl Block {
    /// Its size in bytes.
    pub fn size(self) -> usize {
        self.size as usize
    }
}

/// Writes that share one pair of protection changes, as ranges of pages.
#[derive(Clone, Copy, Debug)]
struct Together {
    /// What will be written besides the first write.
    also: (usize, usize),
    /// What is writable, from the first write on.
    open: Option<(usize, usize)>,
}

const PAGE: usize = 4096;
/// The distance between call stubs, and the least alignment of a trace.
const UNIT: usize = 16;
/// More would not be within reach of 32-bit jumps.
const MAX_LIMIT: usize = 1 << 30;

/// What stands in for a missing free list: always empty.
static NO_FREE_LIST: u64 = 0;

/// Executable memory of bounded size, and the call stubs that traces share.
#[derive(Debug)]
pub struct CodeMemory {
    base: NonNull<u8>,
    reserved: usize,
    /// Ranges that are free, by offset; no two touch.
    free: Vec<Block>,
    used: usize,
    usable: bool,
    /// See [`CodeMemory::together`].
    together: Option<Together>,
    calls: [usize; CallTarget::COUNT],
    helpers: Vec<usize>,
    data: [usize; 4],
    constants: usize,
    /// Owned; a pointer since machine code changes it.
    pool: NonNull<IntPool>,
}

// SAFETY: the memory is owned by this value and all access to it goes through its methods.
unsafe impl Send for CodeMemory {}

impl CodeMemory {
    /// Reserves memory for at most `limit` bytes of code (rounded up to pages) and makes the stubs through which traces call the
    /// runtime and the helpers. Helper numbers are indices into `helpers`.
    pub fn new(
        limit: usize,
        runtime: &RuntimeSymbols,
        helpers: &[usize],
    ) -> Result<CodeMemory, CodeError> {
        let stubs = (CallTarget::COUNT + helpers.len() + CONSTANTS.len() + 3) * UNIT;
        let reserved = limit
            .clamp(PAGE, MAX_LIMIT)
            .max(stubs)
            .next_multiple_of(PAGE);
        // SAFETY: a new anonymous mapping touches no existing memory.
        let base = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                reserved,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(CodeError::Reserve)?;
        let base =
            NonNull::new(base.cast::<u8>()).ok_or(CodeError::Reserve(rustix::io::Errno::NOMEM))?;
        let or_empty = |address| {
            if address == 0 {
                &raw const NO_FREE_LIST as usize
            } else {
                address
            }
        };
        let mut memory = CodeMemory {
            base,
            reserved,
            free: vec![Block {
                offset: 0,
                size: reserved as u32,
            }],
            used: 0,
            usable: true,
            together: None,
            calls: [0; CallTarget::COUNT],
            helpers: Vec::with_capacity(helpers.len()),
            data: [
                runtime.small_ints,
                runtime.float_type,
                or_empty(runtime.float_free_list),
                or_empty(runtime.float_free_count),
            ],
            constants: 0,
            pool: NonNull::from(Box::leak(Box::new(IntPool::new(runtime)))),
        };
        memory.make_stubs(runtime, helpers)?;
        Ok(memory)
    }

    /// Fills the first block: constants, then a stub for each function.
    fn make_stubs(&mut self, runtime: &RuntimeSymbols, helpers: &[usize]) -> Result<(), CodeError> {
        let mut code: Vec<u8> = Vec::new();
        self.constants = self.address(0);
        for constant in CONSTANTS {
            code.extend_from_slice(constant);
        }
        let save_all = self.address(code.len());
        jump_stub(&mut code, shim::save_all_call as *const () as usize);
        let mut calls = [0; CallTarget::COUNT];
        calls[CallTarget::Vectorcall as usize] = self.call_stub(&mut code, runtime.vectorcall);
        calls[CallTarget::Leave as usize] =
            self.call_stub(&mut code, shim::leave_trace as *const () as usize);
        let pool = self.pool.as_ptr().expose_provenance();
        let box_int = self.call_stub(&mut code, int_pool::box_int as *const () as usize);
        let dealloc = self.call_stub(&mut code, int_pool::dealloc as *const () as usize);
        for (target, argument, function) in [
            (CallTarget::BoxIntThunk, pool, box_int),
            (CallTarget::BoxFloatThunk, runtime.box_float, save_all),
            (
                CallTarget::UnboxBigIntThunk,
                runtime.unbox_big_int,
                save_all,
            ),
            (CallTarget::DeallocThunk, pool, dealloc),
        ] {
            let address = self.address(code.len());
            calls[target as usize] = address;
            thunk(&mut code, argument, function, address)?;
        }
        self.calls = calls;
        for &helper in helpers {
            let stub = self.call_stub(&mut code, helper);
            self.helpers.push(stub);
        }
        let block = self.allocate(code.len(), UNIT)?;
        self.publish(block, &code)
    }

    /// The address to call for a function: its own if all of this memory can reach it, or else that of a new stub.
    fn call_stub(&self, code: &mut Vec<u8>, function: usize) -> usize {
        let start = self.address(0);
        let reach = i32::MAX as usize - PAGE;
        if start.abs_diff(function) < reach && (start + self.reserved).abs_diff(function) < reach {
            return function;
        }
        let stub = self.address(code.len());
        jump_stub(code, function);
        stub
    }

    fn address(&self, offset: usize) -> usize {
        self.base.as_ptr() as usize + offset
    }

    /// Takes out one of the dead ints that machine code has kept, for the host to free its memory. Only for the thread that
    /// holds the host's lock.
    pub fn take_dead_int(&mut self) -> Option<usize> {
        // SAFETY: the pool is this value's; machine code changes it only while it runs.
        unsafe { self.pool.as_mut() }.take()
    }

    /// The most bytes of code it can hold.
    pub fn limit(&self) -> usize {
        self.reserved
    }
    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }
    /// Whether code of this memory may be entered: false once the system has refused to make pages executable again.
    pub fn is_usable(&self) -> bool {
        self.usable
    }
    /// Whether an address is in this memory (for a profiler, or a fault handler).
    pub fn contains(&self, address: usize) -> bool {
        (self.address(0)..self.address(self.reserved)).contains(&address)
    }
    /// Where a block is.
    pub fn block_address(&self, block: Block) -> CodeAddress {
        CodeAddress(self.address(block.offset as usize))
    }
    /// The code of a block.
    pub fn code(&self, block: Block) -> &[u8] {
        // SAFETY: blocks are handed out only once their pages are published, which are readable from then on; the bytes change
        // only through methods that take `&mut self`.
        unsafe {
            std::slice::from_raw_parts(self.base.as_ptr().add(block.offset as usize), block.size())
        }
    }

    /// What a call or jump to this address reaches, for people: a function of the runtime, or a helper with its number.
    pub fn name_of(&self, address: usize) -> Option<String> {
        let target = CallTarget::ALL
            .iter()
            .find(|&&target| self.call_target(target) == address);
        let helper = || self.helpers.iter().position(|&helper| helper == address);
        target
            .map(|target| target.name().to_string())
            .or_else(|| helper().map(|n| format!("helper_{n}")))
    }

    pub(crate) fn call_target(&self, target: CallTarget) -> usize {
        self.calls[target as usize]
    }
    pub(crate) fn helper(&self, number: u64) -> Result<usize, CodeError> {
        usize::try_from(number)
            .ok()
            .and_then(|n| self.helpers.get(n))
            .copied()
            .ok_or(CodeError::Helper(number))
    }
    pub(crate) fn data(&self, symbol: DataSymbol) -> usize {
        self.data[symbol as usize]
    }
    pub(crate) fn constant(&self, index: u8) -> usize {
        self.constants + UNIT * index as usize
    }

    /// Takes the first free range that is large enough. The alignment is a power of 2 up to a page.
    pub(crate) fn allocate(&mut self, size: usize, alignment: usize) -> Result<Block, CodeError> {
        if !self.usable {
            return Err(CodeError::Unusable);
        }
        let wanted = size.max(1).next_multiple_of(UNIT);
        for (index, range) in self.free.iter().copied().enumerate() {
            let offset = (range.offset as usize).next_multiple_of(alignment);
            let end = (range.offset + range.size) as usize;
            if offset + wanted > end {
                continue;
            }
            let before = Block {
                offset: range.offset,
                size: offset as u32 - range.offset,
            };
            let after = Block {
                offset: (offset + wanted) as u32,
                size: (end - offset - wanted) as u32,
            };
            let kept = [before, after].into_iter().filter(|b| b.size > 0);
            self.free.splice(index..=index, kept);
            self.used += wanted;
            return Ok(Block {
                offset: offset as u32,
                size: wanted as u32,
            });
        }
        Err(CodeError::Full(wanted))
    }

    /// Gives a block back. Nothing may execute it, jump or return into it any more.
    pub fn free(&mut self, block: Block) {
        self.used -= block.size();
        let index = self
            .free
            .partition_point(|range| range.offset < block.offset);
        self.free.insert(index, block);
        self.join(index);
        if index > 0 {
            self.join(index - 1);
        }
    }

    /// Joins the free range at `index` with the next one if they touch.
    fn join(&mut self, index: usize) {
        if let [first, second, ..] = self.free[index..]
            && first.offset + first.size == second.offset
        {
            self.free[index].size += second.size;
            self.free.remove(index + 1);
        }
    }

    /// Copies finished code into its block.
    pub(crate) fn publish(&mut self, block: Block, code: &[u8]) -> Result<(), CodeError> {
        debug_assert!(code.len() <= block.size());
        let offset = block.offset as usize;
        self.write(offset, offset + code.len(), |bytes| {
            bytes.copy_from_slice(code)
        })
    }

    /// Makes relative jumps go to `target`; the holes are at these offsets from the start of the block, in ascending order.
    /// One pair of protection changes.
    pub(crate) fn retarget(
        &mut self,
        block: Block,
        holes: impl Iterator<Item = u32> + Clone,
        target: CodeAddress,
    ) -> Result<(), CodeError> {
        let (Some(first), Some(last)) = (holes.clone().min(), holes.clone().max()) else {
            return Ok(());
        };
        let start = block.offset as usize + first as usize;
        let address = self.address(start);
        if !self.contains(target.get()) {
            return Err(CodeError::Distance);
        }
        let mut result = Ok(());
        self.write(start, block.offset as usize + last as usize + 4, |bytes| {
            for hole in holes {
                let at = (hole - first) as usize;
                result = result.and(patch::patch_relative_32(
                    bytes,
                    at,
                    address + at,
                    target.get(),
                    -4,
                ));
            }
        })?;
        result.map_err(|_| CodeError::Distance)
    }

    /// Does what `f` does, with one pair of protection changes for the first write and one to `also`, wherever the two are: all pages
    /// from the one to the other are changed. They are executable again when this returns.
    pub fn together<R>(
        &mut self,
        also: Block,
        f: impl FnOnce(&mut CodeMemory) -> Result<R, CodeError>,
    ) -> Result<R, CodeError> {
        self.together = Some(Together {
            also: pages_of(also.offset as usize, (also.offset + also.size) as usize),
            open: None,
        });
        let result = f(self);
        match self.together.take().and_then(|together| together.open) {
            Some(pages) => self.seal(pages).and(result),
            None => result,
        }
    }

    /// The one door to the bytes: makes the pages of a range writable, changes them, and makes them executable.
    fn write(
        &mut self,
        start: usize,
        end: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<(), CodeError> {
        if !self.usable {
            return Err(CodeError::Unusable);
        }
        let mut pages = pages_of(start, end);
        match &mut self.together {
            Some(Together {
                open: Some(open), ..
            }) if open.0 <= pages.0 && pages.1 <= open.1 => {}
            Some(together) => {
                let (first, last) = together.open.unwrap_or(together.also);
                pages = (pages.0.min(first), pages.1.max(last));
                // Also if it is refused: a part may be writable.
                together.open = Some(pages);
                self.unseal(pages)?;
            }
            None => self.unseal(pages)?,
        }
        // SAFETY: the range is inside pages that are writable, and `&mut self` excludes other references.
        change(unsafe {
            std::slice::from_raw_parts_mut(self.base.as_ptr().add(start), end - start)
        });
        match self.together {
            Some(_) => Ok(()),
            None => self.seal(pages),
        }
    }

    /// Makes pages writable. They may hold code that is in use, so a system that would not make them executable again has to say so
    /// first, while they still are.
    fn unseal(&mut self, (start, end): (usize, usize)) -> Result<(), CodeError> {
        self.seal((start, end))?;
        // SAFETY: the pages are inside the reservation and belong to this value; that no thread executes them now is the contract
        // of the callers' callers.
        unsafe {
            let pages = self.base.as_ptr().add(start).cast();
            mprotect(
                pages,
                end - start,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        }
        .map_err(CodeError::Unseal)
    }

    /// Makes pages executable.
    fn seal(&mut self, (start, end): (usize, usize)) -> Result<(), CodeError> {
        // SAFETY: the pages are inside the reservation and belong to this value.
        unsafe {
            let pages = self.base.as_ptr().add(start).cast();
            mprotect(
                pages,
                end - start,
                MprotectFlags::READ | MprotectFlags::EXEC,
            )
        }
        .map_err(|errno| {
            self.usable = false;
            CodeError::Seal(errno)
        })
    }
}

/// The pages of a range: the start of the first and the end of the last.
fn pages_of(start: usize, end: usize) -> (usize, usize) {
    (start / PAGE * PAGE, end.next_multiple_of(PAGE))
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: the reservation is this value's own; whoever drops it has no code running in it. A refusal leaks the
        // reservation, which harms nobody.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.reserved) };
        // SAFETY: it was leaked from a box by `new`, and no code is left that knows it.
        drop(unsafe { Box::from_raw(self.pool.as_ptr()) });
    }
}

/// `jmp [rip + 2]`, padding, and the address.
fn jump_stub(code: &mut Vec<u8>, function: usize) {
    code.extend_from_slice(&[0xff, 0x25, 2, 0, 0, 0, 0x66, 0x90]);
    code.extend_from_slice(&(function as u64).to_le_bytes());
}

/// `mov rax, argument; jmp function`, padded. The thunk will be at `address`.
fn thunk(
    code: &mut Vec<u8>,
    argument: usize,
    function: usize,
    address: usize,
) -> Result<(), CodeError> {
    let mut bytes = [0xcc; UNIT];
    bytes[..2].copy_from_slice(&[0x48, 0xb8]);
    patch::patch_64(&mut bytes, 2, argument as u64);
    bytes[10] = 0xe9;
    patch::patch_relative_32(&mut bytes, 11, address + 11, function, -4)
        .map_err(|_| CodeError::Distance)?;
    code.extend_from_slice(&bytes);
    Ok(())
}
