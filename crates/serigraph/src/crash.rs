//! Crash reports: when the process dies of a fault while machine code runs, or a function that machine code called, what is
//! printed says so, with the trace, its line, and how to do without it.
//!
//! The handlers stand behind or before those of `faulthandler`: they print, put back what was there before, and let the fault
//! happen again. A fault elsewhere passes without a word.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::fmt::{self, Write};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::executor::{Compiled, Kind};
use crate::state::{self, State};

/// The signals of a fault, and what they are called.
const SIGNALS: [(c_int, &str); 4] = [
    (libc::SIGSEGV, "segmentation fault"),
    (libc::SIGBUS, "bus error"),
    (libc::SIGILL, "illegal instruction"),
    (libc::SIGFPE, "arithmetic fault"),
];

/// What handled the signals before.
static mut BEFORE: [mem::MaybeUninit<libc::sigaction>; 4] =
    [const { mem::MaybeUninit::uninit() }; 4];
static INSTALLED: [AtomicBool; 4] = [const { AtomicBool::new(false) }; 4];

thread_local! {
    /// An address on the stack right above the innermost activation of this thread; 0 outside machine code.
    static ENTRY: Cell<usize> = const { Cell::new(0) };
}

/// Notes that machine code is entered by the caller; the result is for [`left`].
#[inline]
pub fn entered() -> usize {
    let marker = 0_u8;
    ENTRY.replace(std::hint::black_box(&raw const marker).addr())
}

/// Machine code has been left.
#[inline]
pub fn left(before: usize) {
    ENTRY.set(before);
}

/// Sets the handlers. A system that refuses leaves things as they are.
pub fn install() {
    for (index, &(signal, _)) in SIGNALS.iter().enumerate() {
        if INSTALLED[index].load(Ordering::Relaxed) {
            continue;
        }
        // SAFETY: a zeroed structure is a valid `sigaction`; the handler only does what a signal handler may do. What was there is
        // kept before ours can run, as both are one call.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            let before = (&raw mut BEFORE).cast::<libc::sigaction>().add(index);
            if libc::sigaction(signal, &action, before) == 0 {
                INSTALLED[index].store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Puts back what was there, where nobody else has come after.
pub fn remove() {
    for (index, &(signal, _)) in SIGNALS.iter().enumerate() {
        // SAFETY: queries, and sets what was there.
        unsafe {
            let mut now: libc::sigaction = mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &mut now) == 0
                && now.sa_sigaction == on_fault as *const () as usize
            {
                put_back(index, signal);
            }
        }
    }
}

/// # Safety
/// `index` is that of the signal.
unsafe fn put_back(index: usize, signal: c_int) {
    if INSTALLED[index].swap(false, Ordering::Relaxed) {
        // SAFETY: filled when the handler was set.
        unsafe {
            let before = (&raw const BEFORE).cast::<libc::sigaction>().add(index);
            libc::sigaction(signal, before, ptr::null_mut());
        }
    }
}

/// The handler.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(index) = SIGNALS.iter().position(|&(s, _)| s == signal) else {
        return;
    };
    // SAFETY: first of all, so that a fault in here is the end. The kernel passes what the flags asked for.
    unsafe {
        put_back(index, signal);
        let code = (*info).si_code;
        // A real fault, or one that `faulthandler` raises again after its own report.
        if code > 0 || code == libc::SI_TKILL {
            let pc = (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize]
                as usize;
            if let Some(state) = state::for_crash_report() {
                report(state, SIGNALS[index].1, pc, code == libc::SI_TKILL);
            }
        }
        if code <= 0 {
            // It does not come again by itself.
            libc::raise(signal);
        }
    }
}

/// Prints which trace was running, if one was.
///
/// # Safety
/// In a signal handler of the thread that runs.
unsafe fn report(state: &State, what: &str, pc: usize, raised_again: bool) {
    let mut line = Line::default();
    let found = find(state, pc)
        // SAFETY: by the caller's promise.
        .or_else(|| unsafe { raised_again.then(|| outer_handler(state)).flatten() })
        .map(|found| (found, "in"))
        // SAFETY: by the caller's promise.
        .or_else(|| unsafe { caller(state) }.map(|found| (found, "in a function called by")));
    let Some(((trace, offset), how)) = found else {
        return;
    };
    let kind = match trace.kind {
        Kind::Root => "root",
        Kind::Side { .. } => "side",
    };
    let id = trace.id;
    let (file, number) = (&trace.place.0, trace.place.1);
    // The buffer swallows what is too much.
    let _ = write!(
        line,
        "serigraph: {what} {how} machine code: {kind} trace {id}, made at {file}:{number}, offset {offset:#x}\n\
         serigraph: SERIGRAPH_ONLY=",
    );
    let _ = match id {
        0 => write!(line, "1-999999"),
        1 => write!(line, "0,2-999999"),
        _ => write!(line, "0-{},{}-999999", id - 1, id + 1),
    };
    let _ = writeln!(
        line,
        " leaves this trace out; `serigraph --off`, or SERIGRAPH=0, runs the program without Serigraph"
    );
    // SAFETY: writes the buffer.
    unsafe { libc::write(2, line.bytes.as_ptr().cast(), line.length) };
}

/// The trace an address is in, and where in it.
fn find(state: &State, address: usize) -> Option<(&Compiled, usize)> {
    let memory = state.memory.as_ref()?;
    if !memory.contains(address) {
        return None;
    }
    state.traces.all().find_map(|executor| {
        let compiled = &*executor.compiled;
        let block = compiled.machine.code.block();
        let start = memory.block_address(block).get();
        (start..start + block.size())
            .contains(&address)
            .then(|| (compiled, address - start))
    })
}

/// Looks for an interrupted program counter in what a handler before us has on its stack.
///
/// # Safety
/// In a signal handler.
unsafe fn outer_handler(state: &State) -> Option<(&Compiled, usize)> {
    const MOST: usize = 1 << 13;
    let marker = 0_usize;
    let start = (&raw const marker).addr();
    // SAFETY: a query; the words read are on the stack above this function, within its bounds where they are known.
    unsafe {
        let mut stack: libc::stack_t = mem::zeroed();
        let known = libc::sigaltstack(ptr::null(), &mut stack) == 0
            && stack.ss_flags & libc::SS_ONSTACK != 0;
        let end = match known {
            true => (stack.ss_sp.addr() + stack.ss_size).min(start + MOST),
            false => start + MOST / 2,
        };
        words(start, end)
            .find_map(|address| find(state, ptr::with_exposed_provenance::<usize>(address).read()))
    }
}

/// The trace whose call has not come back: its return address lies below its activation.
///
/// # Safety
/// In the thread that runs.
unsafe fn caller(state: &State) -> Option<(&Compiled, usize)> {
    const MOST: usize = 1 << 13;
    let entry = ENTRY.try_with(Cell::get).ok().filter(|&entry| entry != 0)? & !7;
    words(entry.saturating_sub(MOST), entry)
        .rev()
        .find_map(|address| {
            // SAFETY: the stack of this thread, right below an entry into machine code, of which as much was in use.
            let word = unsafe { ptr::with_exposed_provenance::<usize>(address).read() };
            find(state, word)
        })
}

/// The addresses of aligned words in a range.
fn words(start: usize, end: usize) -> impl DoubleEndedIterator<Item = usize> {
    (start.next_multiple_of(8)..end & !7).step_by(8)
}

/// A text of bounded length, without allocation.
struct Line {
    bytes: [u8; 1024],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; 1024],
            length: 0,
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.length;
        let taken = text.len().min(room);
        self.bytes[self.length..self.length + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        Ok(())
    }
}
