//! Making functions, and entering `with` blocks.

use serigraph_cpython::layout;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;

/// What a function gets when it is made, by the bits of 3.12's `MAKE_FUNCTION`, which are 3.13's `SET_FUNCTION_ATTRIBUTE`.
const DEFAULTS: u32 = 1;
const KEYWORD_DEFAULTS: u32 = 2;
const CLOSURE: u32 = 8;

impl Recorder<'_> {
    /// Of the code on top; in 3.12 what else it gets is below.
    pub(super) fn make_function(&mut self, oparg: u32) -> Result<(), Stop> {
        let parts: &[u32] = match self.minor {
            Minor::V312 => &[DEFAULTS, KEYWORD_DEFAULTS, CLOSURE],
            Minor::V313 => &[],
        };
        if self.minor == Minor::V312 && oparg & !(DEFAULTS | KEYWORD_DEFAULTS | CLOSURE) != 0 {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let code = self.peek(0)?;
        let globals = self.frames[self.innermost()].globals;
        let globals = self.kept_constant(globals)?;
        let kinds = self.releases::<1>()?;
        let function = self.leaf(Uop::LeafObject2, Helper::NewFunction, &[code, globals])?;
        self.fact_mut(function).not_null = true;
        self.made_functions.push(self.bits(function));
        self.pop_release(&kinds)?;
        // The last of them is on top.
        for part in parts.iter().rev().filter(|&&part| oparg & part != 0) {
            let value = self.pop()?;
            self.give_part(function, *part, value)?;
        }
        self.push(function);
        self.next()
    }

    /// 3.13: the function is on top, what it gets is below.
    pub(super) fn set_function_attribute(&mut self, oparg: u32) -> Result<(), Stop> {
        if ![DEFAULTS, KEYWORD_DEFAULTS, CLOSURE].contains(&oparg) {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let function = self.pop()?;
        let value = self.pop()?;
        self.give_part(function, oparg, value)?;
        self.push(function);
        self.next()
    }

    /// Gives a new function one of its attributes, with its reference.
    fn give_part(&mut self, function: ValueId, part: u32, value: ValueId) -> Result<(), Stop> {
        let fields = &layout().function;
        let offset = match part {
            DEFAULTS => fields.defaults,
            KEYWORD_DEFAULTS => fields.kwdefaults,
            _ => fields.closure,
        };
        self.own(value)?;
        let nothing = self.constant(0)?;
        self.emit(Uop::StoreObject, &[function, value, nothing], offset as u64)?;
        self.epoch += 1;
        Ok(())
    }

    /// `BEFORE_WITH`: the bound `__exit__` and what `__enter__` gives, in place of the manager.
    pub(super) fn before_with(&mut self) -> Result<(), Stop> {
        let manager = self.peek(0)?;
        let both = self.escaping(Uop::CallObject1, Helper::Enter, &[manager])?;
        let kinds: Vec<Release> = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        for item in self.new_items(both, 2)? {
            self.push(item);
        }
        self.next()
    }
}
