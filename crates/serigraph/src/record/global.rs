//! Names of modules: globals, builtins, and module-level variables.
//!
//! A name that nobody is seen to change is a constant, on which the trace depends (the engine watches the dict). Any other is
//! loaded from its place in the dict's table, if the table still has the shape that it had, as `LOAD_GLOBAL_MODULE` does.

use serigraph_cpython::bytecode::Opcode;
use serigraph_cpython::layout;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::Release;
use super::request::Dependency;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object::{self, Entry};

impl Recorder<'_> {
    pub(super) fn load_global(&mut self, oparg: u32) -> Result<(), Stop> {
        let frame = &self.frames[self.innermost()];
        let (globals, builtins) = (frame.globals, frame.builtins);
        let name = object::address(frame.code.name_at(oparg >> 1));
        let value = self.global(globals, builtins, name)?;
        if oparg & 1 == 0 {
            self.push_borrowed(value)?;
            return self.next();
        }
        let null = self.constant(0)?;
        self.push_callable(value, null)?;
        self.next()
    }

    /// Pushes a callable and what goes with it (null or self), in the version's order. The callable is borrowed.
    pub(super) fn push_callable(&mut self, callable: ValueId, with: ValueId) -> Result<(), Stop> {
        self.take_reference(callable)?;
        self.push_callable_owned(callable, with);
        Ok(())
    }

    /// The same, of references that the trace owns.
    pub(super) fn push_callable_owned(&mut self, callable: ValueId, with: ValueId) {
        // 3.12 puts a null below, 3.13 above the callable; self is above it in both.
        if self.minor == Minor::V312 && self.bits(with) == 0 {
            self.push(with);
            self.push(callable);
        } else {
            self.push(callable);
            self.push(with);
        }
    }

    /// The value of a global or builtin, borrowed.
    fn global(&mut self, globals: u64, builtins: u64, name: u64) -> Result<ValueId, Stop> {
        let unsupported = |()| self.unsupported();
        if let Some(entry) = object::find_entry(globals, name).map_err(unsupported)? {
            return self.dict_value(globals, name, entry);
        }
        let Some(entry) = object::find_entry(builtins, name).map_err(|()| self.unsupported())?
        else {
            // The interpreter raises NameError.
            return Err(self.abort(Reason::ExceptionRaised));
        };
        if self
            .world
            .is_volatile(object::pointer(globals), object::pointer(name))
        {
            // Comes and goes in the globals.
            return Err(self.unsupported());
        }
        self.depend_on_item(globals, name, 0);
        self.dict_value(builtins, name, entry)
    }

    pub(super) fn depend_on_item(&mut self, dict: u64, key: u64, value: u64) {
        self.keep(key);
        let [dict, key, value] = [dict, key, value].map(object::pointer);
        self.depend(Dependency::Item { dict, key, value });
    }

    /// The value of a key that is there, borrowed: a constant, or loaded from its place.
    pub(super) fn dict_value(
        &mut self,
        dict: u64,
        key: u64,
        entry: Entry,
    ) -> Result<ValueId, Stop> {
        let is_volatile = self
            .world
            .is_volatile(object::pointer(dict), object::pointer(key))
            || self.is_stored_here(key);
        if !is_volatile {
            self.keep(dict);
            self.depend_on_item(dict, key, entry.value);
            return self.kept_constant(entry.value);
        }
        let value = self.load_entry(dict, key, entry)?;
        self.guard_not_null(value)?;
        Ok(value)
    }

    /// Whether the code of a frame of this recording stores to a name of that spelling: then it is no constant.
    fn is_stored_here(&self, name: u64) -> bool {
        self.frames.iter().any(|frame| {
            frame.units.instructions().iter().any(|instruction| {
                matches!(
                    instruction.opcode,
                    Opcode::StoreName
                        | Opcode::StoreGlobal
                        | Opcode::DeleteName
                        | Opcode::DeleteGlobal
                ) && object::address(frame.code.name_at(instruction.oparg)) == name
            })
        })
    }

    /// Loads the value of an entry (null if it has been deleted), after guarding that it is still in the same place.
    fn load_entry(&mut self, dict: u64, key: u64, entry: Entry) -> Result<ValueId, Stop> {
        self.keep(dict);
        self.keep(key);
        let dict = self.constant(dict)?;
        let keys = self.emit(Uop::LoadObject, &[dict], layout().dict.keys as u64)?;
        let word = self.emit(Uop::LoadInt32, &[keys], layout().dict_keys.log2_size as u64)?;
        let shape = self.emit(Uop::IntAndImm, &[word], object::SHAPE.into())?;
        let expected = self.const_int(entry.shape.into())?;
        self.emit(Uop::GuardIntEq, &[shape, expected], 0)?;
        let found = self.emit(Uop::LoadObject, &[keys], entry.offset)?;
        self.emit(Uop::GuardIs, &[found], key)?;
        self.emit(Uop::LoadObject, &[keys], entry.offset + 8)
    }

    /// In a module: as a global. Class bodies are left to the interpreter.
    pub(super) fn load_name(&mut self, oparg: u32) -> Result<(), Stop> {
        let frame = &self.frames[self.innermost()];
        let (globals, builtins, namespace) = (frame.globals, frame.builtins, frame.namespace);
        let name = object::address(frame.code.name_at(oparg));
        if namespace != globals {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let value = self.global(globals, builtins, name)?;
        self.push_borrowed(value)?;
        self.next()
    }

    pub(super) fn store_name(&mut self, opcode: Opcode, oparg: u32) -> Result<(), Stop> {
        let frame = &self.frames[self.innermost()];
        let (globals, namespace) = (frame.globals, frame.namespace);
        let name = object::address(frame.code.name_at(oparg));
        if opcode == Opcode::StoreName && namespace != globals {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let entry = object::find_entry(globals, name).map_err(|()| self.unsupported())?;
        let value = self.peek(0)?;
        // Storing releases what was there.
        let escapes = match entry {
            None => true,
            Some(entry) => {
                let exact = object::type_address(entry.value);
                if self.types.is_plain(exact) {
                    let old = self.load_entry(globals, name, entry)?;
                    self.guard_not_null(old)?;
                    self.guard_type(old, exact)?;
                    false
                } else {
                    true
                }
            }
        };
        self.keep(globals);
        self.keep(name);
        let dict = self.constant(globals)?;
        let key = self.constant(name)?;
        let args = [dict, key, value];
        if escapes {
            self.escaping(Uop::CallStatus3, Helper::StoreName, &args)?;
        } else {
            self.leaf(Uop::LeafStatus3, Helper::StoreName, &args)?;
        }
        // The dict holds it now.
        let kind = if self.fact(value).immortal {
            Release::Nothing
        } else {
            Release::Plain
        };
        self.pop_release(&[kind])?;
        self.next()
    }
}
