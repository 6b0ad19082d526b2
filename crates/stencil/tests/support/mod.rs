//! Runs single stencils with every register set, and shows what is in the registers after.

#![allow(dead_code, reason = "each test uses a part of it")]

use serigraph_stencil::{
    Activation, Assembler, BigInt, CodeMemory, Context, ExitLabel, Fp, Gp, PollWord, Register,
    RuntimeSymbols, StencilTable, enter,
};
use serigraph_uops::layout;

/// The exit taken at the end of the tested code.
pub const END: u64 = 1;
/// The exit of the tested uop.
pub const GUARD: u64 = 2;

/// The contents of all value registers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Registers {
    pub gp: [u64; Gp::COUNT],
    pub fp: [u64; Fp::COUNT],
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Left {
    pub exit: u64,
    pub registers: Registers,
    /// The room for frames, and where it was.
    pub frames: [u64; layout::FRAME_WORDS],
    pub frames_at: usize,
}

impl Registers {
    pub fn get(&self, register: Register) -> u64 {
        match (register.gp(), register.fp()) {
            (Some(gp), _) => self.gp[gp.index()],
            (_, Some(fp)) => self.fp[fp.index()],
            _ => panic!("no register"),
        }
    }
    pub fn set(&mut self, register: Register, bits: u64) {
        match (register.gp(), register.fp()) {
            (Some(gp), _) => self.gp[gp.index()] = bits,
            (_, Some(fp)) => self.fp[fp.index()] = bits,
            _ => panic!("no register"),
        }
    }
}

/// A small deterministic generator (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
    pub fn registers(&mut self) -> Registers {
        Registers {
            gp: std::array::from_fn(|_| self.next()),
            fp: std::array::from_fn(|_| self.next()),
        }
    }
}

pub fn gp(index: u8) -> Register {
    Gp::new(index).into()
}
pub fn fp(index: u8) -> Register {
    Fp::new(index).into()
}

/// The tables that this processor can run.
pub fn tables() -> Vec<&'static StencilTable> {
    let best = StencilTable::select();
    StencilTable::all()
        .into_iter()
        .filter(|t| t.features == "SSE2" || std::ptr::eq(*t, best))
        .collect()
}

/// Objects that the fake runtime handed out or took back, per thread.
pub mod calls {
    use std::cell::RefCell;

    thread_local! {
        pub static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }
    pub fn log(text: String) {
        LOG.with_borrow_mut(|log| log.push(text));
    }
    pub fn take() -> Vec<String> {
        LOG.take()
    }
}

/// Fills the registers that a C function may change, as a nasty C function would.
fn clobber() {
    // SAFETY: changes only what the calling convention gives away.
    unsafe {
        std::arch::asm!(
            "mov rax, -1",
            "mov rcx, rax",
            "mov rdx, rax",
            "mov rsi, rax",
            "mov rdi, rax",
            "mov r8, rax",
            "mov r9, rax",
            "mov r10, rax",
            "mov r11, rax",
            "movq xmm0, rax",
            "movq xmm1, rax",
            "movq xmm2, rax",
            "movq xmm3, rax",
            "movq xmm4, rax",
            "movq xmm5, rax",
            "movq xmm6, rax",
            "movq xmm7, rax",
            "movq xmm8, rax",
            "movq xmm15, rax",
            clobber_abi("C"),
        );
    }
}

fn aligned() -> bool {
    let local = 0u128;
    std::hint::black_box(&raw const local as usize).is_multiple_of(16)
}

extern "C" fn box_int(value: i64) -> usize {
    calls::log(format!("box_int {value} {}", aligned()));
    clobber();
    if value == 666 { 0 } else { 0x1000 }
}
extern "C" fn box_float(value: f64) -> usize {
    calls::log(format!("box_float {value} {}", aligned()));
    clobber();
    if value == 666.0 { 0 } else { 0x2000 }
}
extern "C" fn unbox_big_int(object: usize) -> BigInt {
    // SAFETY: the tests' ints have a second word of digits.
    let digits = unsafe { *((object + 24) as *const u64) };
    clobber();
    BigInt {
        value: digits as i64,
        fits: (digits != 666) as u64,
    }
}
extern "C" fn dealloc(object: usize, activation: *const Activation) {
    // SAFETY: the thunk passes the activation.
    let user = unsafe { (*activation).frame };
    calls::log(format!(
        "dealloc {object:#x} {} {}",
        !user.is_null(),
        aligned()
    ));
    clobber();
}
extern "C" fn vectorcall(callable: usize, args: *const u64, count: u64, names: usize) -> usize {
    let given = count & !(1 << 63);
    // SAFETY: the tests put that many arguments there.
    let sum: u64 = (0..given).map(|i| unsafe { *args.add(i as usize) }).sum();
    calls::log(format!(
        "vectorcall {callable} {given} {sum} {} {names}",
        count >> 63
    ));
    clobber();
    if callable == 666 { 0 } else { 0x3000 }
}

pub extern "C" fn helper_objects(a: u64, b: u64, c: u64) -> u64 {
    clobber();
    a + 10 * b + 100 * c
}
pub extern "C" fn helper_object_1(a: u64) -> u64 {
    clobber();
    a * 7
}
pub extern "C" fn helper_object_2(a: u64, b: u64) -> u64 {
    clobber();
    a + 10 * b
}
pub extern "C" fn helper_status_1(a: u64) -> i32 {
    clobber();
    a as i32
}
pub extern "C" fn helper_status_2(a: u64, b: u64) -> i32 {
    clobber();
    a as i32 - b as i32
}
pub extern "C" fn helper_status_3(a: u64, b: u64, c: u64) -> i32 {
    clobber();
    a as i32 - b as i32 + c as i32
}
pub extern "C" fn helper_args(args: *const u64) -> u64 {
    clobber();
    // SAFETY: the tests put two arguments there.
    unsafe { *args + 10 * *args.add(1) }
}
pub extern "C" fn helper_float_1(a: f64) -> f64 {
    clobber();
    a * 3.0
}
pub extern "C" fn helper_float_2(a: f64, b: f64) -> f64 {
    clobber();
    a - b
}

/// The helpers by number.
pub fn helpers() -> Vec<usize> {
    vec![
        helper_object_1 as *const () as usize,
        helper_object_2 as *const () as usize,
        helper_objects as *const () as usize,
        helper_status_1 as *const () as usize,
        helper_status_2 as *const () as usize,
        helper_status_3 as *const () as usize,
        helper_args as *const () as usize,
        helper_float_1 as *const () as usize,
        helper_float_2 as *const () as usize,
    ]
}

pub const SMALL_INTS: usize = 0x7000_0000_0000;
pub const FLOAT_TYPE: usize = 0x1234_5678_9abc;

pub fn symbols() -> RuntimeSymbols {
    RuntimeSymbols {
        box_int: box_int as *const () as usize,
        box_float: box_float as *const () as usize,
        unbox_big_int: unbox_big_int as *const () as usize,
        dealloc: dealloc as *const () as usize,
        vectorcall: vectorcall as *const () as usize,
        small_ints: SMALL_INTS,
        int_type: 0,
        float_type: FLOAT_TYPE,
        float_free_list: 0,
        float_free_count: 0,
    }
}

/// Where test code runs.
pub struct Machine {
    pub memory: CodeMemory,
    pub assembler: Assembler,
    pub frame: Box<[u64; 32]>,
    pub poll32: Box<u32>,
    pub poll64: Box<u64>,
    /// Which frame is the current one, and how many calls may be nested yet.
    pub thread: Box<(*mut u8, i32)>,
}

impl Machine {
    pub fn new(table: &'static StencilTable) -> Machine {
        Machine::with(table, &symbols())
    }
    pub fn with(table: &'static StencilTable, symbols: &RuntimeSymbols) -> Machine {
        Machine {
            memory: CodeMemory::new(1 << 20, symbols, &helpers()).unwrap(),
            assembler: Assembler::new(table),
            frame: Box::new([0; 32]),
            poll32: Box::new(32),
            poll64: Box::new(64),
            thread: Box::new((std::ptr::null_mut(), 0)),
        }
    }

    /// Sets all registers, runs what `build` appends (given the exit to use), and leaves.
    pub fn run(
        &mut self,
        registers: &Registers,
        build: impl FnOnce(&mut Assembler, ExitLabel),
    ) -> Left {
        let assembler = &mut self.assembler;
        let guard = assembler.exit(GUARD as u32);
        let end = assembler.exit(END as u32);
        for (index, &bits) in registers.fp.iter().enumerate() {
            assembler.constant_fp(Fp::new(index as u8), bits);
        }
        for (index, &bits) in registers.gp.iter().enumerate() {
            assembler.constant_gp(Gp::new(index as u8), bits);
        }
        build(assembler, guard);
        assembler.jump_exit(end);
        let code = assembler.finish(&mut self.memory).unwrap();
        let polls = [
            PollWord {
                word: (&raw const *self.poll32).cast(),
                expected: 32,
            },
            PollWord {
                word: (&raw const *self.poll64).cast(),
                expected: 64,
            },
        ];
        let frame = self.frame.as_mut_ptr().cast();
        let context = Context {
            current_frame: &raw mut self.thread.0,
            recursion: &raw mut self.thread.1,
            ..Context::new(polls)
        };
        // SAFETY: the tests' uops touch the tests' memory only.
        let left = unsafe {
            enter(code.entry(), frame, &context, |activation| Left {
                exit: activation.exit,
                registers: Registers {
                    gp: std::array::from_fn(|i| activation.gp[i]),
                    fp: activation.fp.map(f64::to_bits),
                },
                frames: activation.frames,
                frames_at: (&raw const activation.frames).addr(),
            })
        };
        self.memory.free(code.block());
        left
    }
}
