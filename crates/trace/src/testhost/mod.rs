//! A host without a Python, for tests of the passes, the evaluator and the machine code: objects, one frame, and a few C
//! functions, with exact reference counts, so that every leak and every double free is found.
//!
//! The evaluator works on it through [`Host`]. Machine code works on the same memory; the C functions that it calls
//! ([`functions`]) find the host through a thread-local pointer, set while [`TestHost::with_current`] runs.

pub mod functions;
mod heap;

pub use heap::{Heap, Type};

use crate::eval::{Host, Outcome, Stop};
use crate::exit::{BoxKind, Exits, PlanFrame, Restorer, Scratch, restore};
use crate::ir::{Trace, ValueId};
use functions::Helper;
use serigraph_uops::layout;
use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<*mut TestHost> = const { Cell::new(std::ptr::null_mut()) };
}

/// The host.
pub struct TestHost {
    /// Its objects.
    pub heap: Heap,
    frame: u64,
    slots: u32,
    poll_word: u64,
    args: u64,
    /// How often the evaluator's polls succeed yet; `None`: always.
    pub polls: Option<u64>,
    /// An exception is set.
    pub raised: bool,
    exit_ip: u32,
    exit_top: u32,
    /// Inlined frames that an exit has built, outermost first.
    inlined: Vec<InlinedFrame>,
    /// The room for frames of inlined functions that stand.
    frame_words: Vec<u64>,
    /// How many stand.
    standing: u64,
}

#[derive(Debug)]
struct InlinedFrame {
    ip: u32,
    top: u32,
    code: u64,
    return_ip: u32,
    function: u64,
    slots: Vec<u64>,
}

impl TestHost {
    /// A host with a frame of that many slots, all null.
    pub fn new(slots: u32) -> TestHost {
        let mut heap = Heap::new();
        let frame = heap.memory(layout::FRAME_LOCALS / 8 + slots as usize);
        let poll_word = heap.memory(3);
        let args = heap.memory(layout::ARGS);
        let inlined = Vec::new();
        TestHost {
            heap,
            frame,
            slots,
            poll_word,
            args,
            polls: None,
            raised: false,
            exit_ip: 0,
            exit_top: 0,
            inlined,
            frame_words: vec![0; layout::FRAME_WORDS],
            standing: 0,
        }
    }

    /// Puts an object into a slot that is null; the slot takes over the reference.
    pub fn set_slot(&mut self, slot: u32, object: u64) {
        self.heap.store64(self.slot_address(slot), object);
    }
    /// What a slot holds.
    pub fn slot(&self, slot: u32) -> u64 {
        self.heap.load64(self.slot_address(slot))
    }
    fn slot_address(&self, slot: u32) -> u64 {
        crate::eval::slot_address(self.frame, slot.into())
    }
    /// The address of the poll word (its expected value is 0).
    pub fn poll_word(&self) -> u64 {
        self.poll_word
    }
    /// A zero word, where machine code looks for the head of the list of free floats.
    pub fn zero_word(&self) -> u64 {
        self.poll_word + 8
    }
    /// A word that may be counted up.
    pub fn counter(&self) -> u64 {
        self.poll_word + 16
    }

    /// Runs machine code or C functions on this host.
    pub fn with_current<R>(&mut self, run: impl FnOnce() -> R) -> R {
        struct Reset(*mut TestHost);
        impl Drop for Reset {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let reset = Reset(CURRENT.replace(self));
        let result = run();
        drop(reset);
        result
    }

    /// Leaves as the outcome of an evaluation says: restores the frame. Does nothing if the trace did not end at an exit.
    pub fn leave(&mut self, trace: &Trace, exits: &Exits, outcome: &Outcome) {
        let at = match outcome.stop {
            Stop::Exit { at, .. } => at,
            Stop::End => ValueId(trace.insts.len() as u32),
        };
        let Some(&(_, plan)) = exits.exits.iter().find(|(exit, _)| *exit == at) else {
            return;
        };
        let mut restorer = self.leaving(|value: ValueId| outcome.values[value.index()]);
        restore(
            exits.plans.plan(plan),
            &mut restorer,
            &mut Scratch::default(),
        );
    }

    /// Where the last exit left: the instruction and the stack top.
    pub fn position(&self) -> (u32, u32) {
        (self.exit_ip, self.exit_top)
    }
    /// Says where a program stands that was left otherwise.
    pub fn set_position(&mut self, ip: u32, top: u32) {
        (self.exit_ip, self.exit_top) = (ip, top);
    }

    /// A restorer for plans whose values are read by a function: for exits of machine code.
    pub fn leaving<V: Copy, F: FnMut(V) -> u64>(&mut self, values: F) -> Leaving<'_, V, F> {
        Leaving {
            host: self,
            values,
            value: std::marker::PhantomData,
        }
    }

    /// The state after an exit as text: instruction, slots below the top with all objects and their reference counts,
    /// inlined frames, the log, an exception, errors.
    pub fn describe(&mut self) -> String {
        let mut seen = Vec::new();
        let mut text = format!("f0 ip={} top={}\n", self.exit_ip, self.exit_top);
        for slot in 0..self.exit_top.min(self.slots) {
            text += &format!(
                "  {slot} = {}\n",
                self.heap.describe(self.slot(slot), &mut seen)
            );
        }
        for frame in &self.inlined {
            let function = self.heap.describe(frame.function, &mut seen);
            let InlinedFrame {
                ip,
                top,
                code,
                return_ip,
                ..
            } = frame;
            text += &format!(
                "inlined ip={ip} top={top} code={code:#x} return={return_ip} function={function}\n"
            );
            for (slot, object) in frame.slots.iter().enumerate() {
                text += &format!("  {slot} = {}\n", self.heap.describe(*object, &mut seen));
            }
        }
        for line in &self.heap.log {
            text += &format!("log: {line}\n");
        }
        if self.raised {
            text += "an exception is set\n";
        }
        for error in &self.heap.errors {
            text += &format!("ERROR: {error}\n");
        }
        text
    }

    /// Releases everything that the frame (below the top of the last exit) and the inlined frames hold; what is alive
    /// after that has leaked. Gives what went wrong at any time.
    pub fn finish(&mut self) -> Vec<String> {
        let mut held: Vec<u64> = (0..self.exit_top.min(self.slots))
            .map(|slot| self.slot(slot))
            .collect();
        for frame in std::mem::take(&mut self.inlined) {
            held.push(frame.function);
            held.extend(frame.slots);
        }
        for object in held.into_iter().filter(|o| *o != 0) {
            self.heap.decref(object);
        }
        let mut leaked: Vec<String> = self
            .heap
            .alive()
            .map(|(_, is)| format!("a {is:?} has leaked"))
            .collect();
        leaked.sort();
        self.heap.errors.extend(leaked);
        self.heap.check_freed();
        std::mem::take(&mut self.heap.errors)
    }
}

impl Host for TestHost {
    fn load64(&self, address: u64) -> u64 {
        self.heap.load64(address)
    }
    fn load32(&self, address: u64) -> u32 {
        (self.heap.load64(address & !7) >> (8 * (address & 4))) as u32
    }
    fn store64(&mut self, address: u64, value: u64) {
        self.heap.store64(address, value);
    }
    fn frame(&self) -> u64 {
        self.frame
    }
    fn poll(&mut self) -> bool {
        match &mut self.polls {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        self.heap.load64(self.poll_word) == 0
    }
    fn incref(&mut self, object: u64) {
        self.heap.incref(object);
    }
    fn decref(&mut self, object: u64) {
        self.heap.decref(object);
    }
    fn box_int(&mut self, value: i64) -> u64 {
        self.heap.int(value)
    }
    fn box_float(&mut self, value: f64) -> u64 {
        self.heap.float(value)
    }
    fn call_float1(&mut self, helper: u64, a: f64) -> f64 {
        match functions::helper(helper) {
            Some(Helper::Float1(f)) => f(a),
            _ => self.no_helper(helper) as f64,
        }
    }
    fn call_float2(&mut self, helper: u64, a: f64, b: f64) -> f64 {
        match functions::helper(helper) {
            Some(Helper::Float2(f)) => f(a, b),
            _ => self.no_helper(helper) as f64,
        }
    }
    fn call_object(&mut self, helper: u64, args: &[u64]) -> u64 {
        match (functions::helper(helper), args) {
            (Some(Helper::Object1(f)), &[a]) => self.with_current(|| f(a)),
            (Some(Helper::Object2(f)), &[a, b]) => self.with_current(|| f(a, b)),
            (Some(Helper::Object3(f)), &[a, b, c]) => self.with_current(|| f(a, b, c)),
            _ => self.no_helper(helper),
        }
    }
    fn call_words(&mut self, helper: u64, [a, b, c]: [u64; 3]) -> u64 {
        match functions::helper(helper) {
            Some(Helper::Words3(f)) => self.with_current(|| f(a, b, c)),
            _ => self.no_helper(helper),
        }
    }
    fn call_status(&mut self, helper: u64, args: &[u64]) -> i32 {
        match (functions::helper(helper), args) {
            (Some(Helper::Status1(f)), &[a]) => self.with_current(|| f(a)),
            (Some(Helper::Status2(f)), &[a, b]) => self.with_current(|| f(a, b)),
            (Some(Helper::Status3(f)), &[a, b, c]) => self.with_current(|| f(a, b, c)),
            _ => self.no_helper(helper) as i32,
        }
    }
    fn set_frame_word(&mut self, word: u64, bits: u64) {
        self.frame_words[word as usize] = bits;
    }
    fn frame_word(&self, word: u64) -> u64 {
        self.frame_words[word as usize]
    }
    fn push_frame(&mut self, _image: u64) {
        self.standing += 1;
    }
    fn pop_frames(&mut self, count: u64) {
        if self.standing != count {
            let text = format!("{count} frames popped of {}", self.standing);
            self.heap.errors.push(text);
        }
        self.standing = 0;
    }
    fn push_arg(&mut self, index: u64, object: u64) {
        self.heap.store64(self.args + 8 * index, object);
    }
    fn call_args(&mut self, helper: u64) -> u64 {
        let args = self.args;
        match functions::helper(helper) {
            Some(Helper::Args(f)) => self.with_current(|| f(args)),
            _ => self.no_helper(helper),
        }
    }
    fn vectorcall(&mut self, callable: u64, count: u64) -> u64 {
        let args = self.args + 8;
        let flag = layout::VECTORCALL_ARGUMENTS_OFFSET;
        self.with_current(|| functions::vectorcall(callable, args, count | flag, 0))
    }
}

impl TestHost {
    fn no_helper(&mut self, helper: u64) -> u64 {
        self.heap
            .errors
            .push(format!("there is no helper {helper} of that kind"));
        0
    }
}

/// A [`TestHost`] that an exit is carried out on.
pub struct Leaving<'a, V, F> {
    host: &'a mut TestHost,
    values: F,
    value: std::marker::PhantomData<V>,
}

impl<V: Copy, F: FnMut(V) -> u64> Restorer for Leaving<'_, V, F> {
    type Value = V;
    fn value(&mut self, value: V) -> u64 {
        (self.values)(value)
    }
    fn make(&mut self, made: BoxKind, bits: u64) -> u64 {
        match made {
            BoxKind::Int => self.host.heap.int(bits as i64),
            BoxKind::Float => self.host.heap.float(f64::from_bits(bits)),
            BoxKind::Bool(_) => self.host.heap.bool(bits != 0),
        }
    }
    fn incref(&mut self, object: u64, count: u32) {
        (0..count).for_each(|_| self.host.heap.incref(object));
    }
    fn decref(&mut self, object: u64, count: u32) {
        (0..count).for_each(|_| self.host.heap.decref(object));
    }
    fn frame(&mut self, frame: &PlanFrame<V>, function: u64) {
        let PlanFrame {
            ip,
            top,
            code,
            return_ip,
            ..
        } = *frame;
        if frame.frame.0 == 0 {
            (self.host.exit_ip, self.host.exit_top) = (ip, top);
        } else {
            let slots = vec![0; top as usize];
            self.host.inlined.push(InlinedFrame {
                ip,
                top,
                code,
                return_ip,
                function,
                slots,
            });
        }
    }
    fn write(&mut self, slot: u32, object: u64) -> u64 {
        match self.host.inlined.last_mut() {
            Some(frame) => std::mem::replace(&mut frame.slots[slot as usize], object),
            None => {
                let old = self.host.slot(slot);
                self.host.set_slot(slot, object);
                old
            }
        }
    }
    fn store(&mut self, object: u64, offset: u32, bits: u64) {
        self.host.heap.store64(object + u64::from(offset), bits);
    }
}
