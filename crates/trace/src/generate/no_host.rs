//! The host of computations that touch nothing.

use crate::eval::Host;

/// For computations on raw values: no memory, no functions.
pub(super) struct NoHost;

impl Host for NoHost {
    fn load64(&self, _: u64) -> u64 {
        0
    }
    fn load32(&self, _: u64) -> u32 {
        0
    }
    fn store64(&mut self, _: u64, _: u64) {}
    fn frame(&self) -> u64 {
        0
    }
    fn poll(&mut self) -> bool {
        true
    }
    fn incref(&mut self, _: u64) {}
    fn decref(&mut self, _: u64) {}
    fn box_int(&mut self, _: i64) -> u64 {
        0
    }
    fn box_float(&mut self, _: f64) -> u64 {
        0
    }
    fn call_float1(&mut self, _: u64, a: f64) -> f64 {
        a
    }
    fn call_float2(&mut self, _: u64, a: f64, _: f64) -> f64 {
        a
    }
    fn call_object(&mut self, _: u64, _: &[u64]) -> u64 {
        0
    }
    fn call_words(&mut self, _: u64, _: [u64; 3]) -> u64 {
        0
    }
    fn call_status(&mut self, _: u64, _: &[u64]) -> i32 {
        0
    }
    fn set_frame_word(&mut self, _: u64, _: u64) {}
    fn frame_word(&self, _: u64) -> u64 {
        0
    }
    fn push_frame(&mut self, _: u64) {}
    fn pop_frames(&mut self, _: u64) {}
    fn push_arg(&mut self, _: u64, _: u64) {}
    fn call_args(&mut self, _: u64) -> u64 {
        0
    }
    fn vectorcall(&mut self, _: u64, _: u64) -> u64 {
        0
    }
}
