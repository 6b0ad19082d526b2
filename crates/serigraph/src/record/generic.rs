//! Attributes, and every other instruction that is one call of the C API.

use serigraph_cpython::bytecode::Opcode;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use serigraph_cpython::layout;

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object::{self, Attribute, Kept};

/// An attribute of an instance.
enum Found {
    /// A function of the class, to be called with the instance.
    Method(ValueId),
    /// Any value, borrowed.
    Value(ValueId),
}

impl Recorder<'_> {
    // --- LOAD_ATTR.

    pub(super) fn load_attr(&mut self, oparg: u32) -> Result<(), Stop> {
        let name = object::address(self.frames[self.innermost()].code.name_at(oparg >> 1));
        let is_method = oparg & 1 != 0;
        let owner = self.peek(0)?;
        if let Some(value) = self.module_attribute(owner, name)? {
            let kinds = self.releases::<1>()?;
            self.take_reference(value)?;
            self.pop_release(&kinds)?;
            return self.push_attribute(value, is_method);
        }
        if is_method && let Some(method) = self.builtin_method(owner, name)? {
            // The owner's reference goes to the call as self.
            let owner = self.pop()?;
            self.push_callable(method, owner)?;
            return self.next();
        }
        if let Some(attribute) = self.instance_attribute(owner, name, is_method)? {
            return self.push_instance_attribute(attribute, is_method);
        }
        if is_method && self.is_python_method(owner, name) {
            // The interpreter calls it without a detour through C.
            return Err(self.unsupported());
        }
        let key = self.constant(name)?;
        let value = self.escaping(Uop::CallObject2, Helper::GetAttribute, &[owner, key])?;
        self.fact_mut(value).not_null = true;
        let kinds = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        self.push_attribute(value, is_method)
    }

    /// Pushes an attribute (with its reference), for a call together with a null.
    fn push_attribute(&mut self, value: ValueId, is_method: bool) -> Result<(), Stop> {
        if is_method {
            let null = self.constant(0)?;
            self.push_callable_owned(value, null);
        } else {
            self.push(value);
        }
        self.next()
    }

    /// An attribute of a constant module, from its dict.
    fn module_attribute(&mut self, owner: ValueId, name: u64) -> Result<Option<ValueId>, Stop> {
        let module = self.bits(owner);
        if !self.fact(owner).constant || !object::is_module(module) {
            return Ok(None);
        }
        let exact = object::type_address(module);
        let inherited = object::type_lookup(exact, name);
        if inherited != 0 && object::is_data_descriptor(inherited) {
            return Ok(None);
        }
        let dict = object::module_dict(module);
        match object::find_entry(dict, name) {
            Ok(Some(entry)) => self.dict_value(dict, name, entry).map(Some),
            _ => Ok(None),
        }
    }

    /// A method of a built-in type that cannot change: the guard on the type is all it takes.
    fn builtin_method(&mut self, owner: ValueId, name: u64) -> Result<Option<ValueId>, Stop> {
        let exact = self.type_of(owner);
        let t = &self.types;
        let is_container = [
            t.list,
            t.tuple,
            t.dict,
            t.set,
            t.frozenset,
            t.str,
            t.bytes,
            t.int,
            t.float,
        ]
        .contains(&exact);
        if !is_container || !object::has_generic_getattr(exact) || object::dict_offset(exact) != 0 {
            return Ok(None);
        }
        let method = object::type_lookup(exact, name);
        if method == 0 || object::type_address(method) != self.types.method_descriptor {
            return Ok(None);
        }
        self.guard_type(owner, exact)?;
        self.kept_constant(method).map(Some)
    }

    /// Whether the attribute is a function of the owner's class.
    fn is_python_method(&self, owner: ValueId, name: u64) -> bool {
        let class = self.type_of(owner);
        if self.types.is_known(class) || !object::has_generic_getattr(class) {
            return false;
        }
        let found = object::type_lookup(class, name);
        found != 0 && object::type_address(found) == self.types.function
    }

    /// An attribute of an instance of a Python class that keeps its attributes in the instance: a value there, or a function
    /// or plain value of the class. Guarded by the version of the class.
    fn instance_attribute(
        &mut self,
        owner: ValueId,
        name: u64,
        is_method: bool,
    ) -> Result<Option<Found>, Stop> {
        let class = self.type_of(owner);
        if self.types.is_known(class) {
            return Ok(None);
        }
        let instance = self.bits(owner);
        let Some(attribute) = object::attribute(class, name) else {
            return Ok(None);
        };
        let is_function = attribute.in_class != 0
            && object::type_address(attribute.in_class) == self.types.function;
        let in_instance = match attribute.kept {
            Kept::Inline { .. } if !object::has_inline_values(instance) => return Ok(None),
            Kept::Inline {
                index: Ok(index), ..
            } if object::inline_value(instance, index) != 0 => Some(index),
            // It may be set in other instances.
            Kept::Inline { index: Ok(_), .. } => return Ok(None),
            _ => None,
        };
        let is_plain = attribute.in_class != 0 && !object::is_descriptor(attribute.in_class);
        if in_instance.is_none() && !(is_function && is_method) && !is_plain {
            return Ok(None);
        }
        self.guard_class(owner, class, attribute.version)?;
        if let Kept::Inline { keys, index } = attribute.kept {
            self.guard_inline_values(owner)?;
            if let Err(count) = index {
                // No instance has an attribute of that name.
                let keys = self.constant_address(keys)?;
                let names =
                    self.emit(Uop::LoadInt, &[keys], layout().dict_keys.entry_count as u64)?;
                let expected = self.const_int(count as i64)?;
                self.emit(Uop::GuardIntEq, &[names, expected], 0)?;
            }
        }
        if let Some(index) = in_instance {
            let offset = layout().instance.first_value as u64 + 8 * index;
            let value = self.emit(Uop::LoadObject, &[owner], offset)?;
            self.guard_not_null(value)?;
            return Ok(Some(Found::Value(value)));
        }
        let value = self.kept_constant(attribute.in_class)?;
        Ok(Some(if is_function {
            Found::Method(value)
        } else {
            Found::Value(value)
        }))
    }

    /// Guards that an object is an instance of this class, and that the class is as it was.
    fn guard_class(&mut self, owner: ValueId, class: u64, version: u32) -> Result<(), Stop> {
        self.keep(class);
        self.guard_type(owner, class)?;
        let class = self.constant(class)?;
        let tag = self.emit(
            Uop::LoadInt32,
            &[class],
            layout().type_object.version_tag as u64,
        )?;
        let expected = self.const_int(version.into())?;
        self.emit(Uop::GuardIntEq, &[tag, expected], 0)?;
        Ok(())
    }

    /// Guards that the attributes in an instance are its attributes: a byte, the last of four.
    fn guard_inline_values(&mut self, owner: ValueId) -> Result<(), Stop> {
        let head = self.emit(
            Uop::LoadInt32,
            &[owner],
            layout().instance.inline_values as u64,
        )?;
        let shift = self.const_int(24)?;
        let valid = self.emit(Uop::IntShr, &[head, shift], 0)?;
        self.emit(Uop::GuardTrue, &[valid], 0)?;
        Ok(())
    }

    /// An address that is no object, for loads from fields at it.
    fn constant_address(&mut self, address: u64) -> Result<ValueId, Stop> {
        let value = self.emit(Uop::ConstObject, &[], address)?;
        let fact = self.fact_mut(value);
        (fact.constant, fact.immortal, fact.not_null) = (true, true, true);
        Ok(value)
    }

    fn push_instance_attribute(&mut self, found: Found, is_method: bool) -> Result<(), Stop> {
        match found {
            Found::Method(function) => {
                let owner = self.pop()?;
                self.push_callable(function, owner)?;
                self.next()
            }
            Found::Value(value) => {
                let kinds = self.releases::<1>()?;
                self.take_reference(value)?;
                self.pop_release(&kinds)?;
                self.push_attribute(value, is_method)
            }
        }
    }

    /// Sets an attribute that an instance keeps in itself and that has a value.
    fn store_attr(&mut self, name: u64) -> Result<(), Stop> {
        let [value, owner] = self.operands::<2>()?;
        if let Some((index, old)) = self.instance_place(owner, name)? {
            let old_kind = self.release_kind(old, (usize::MAX, 0, 0))?;
            let [owner_kind] = self.releases::<1>()?;
            let place = self.constant(object::small_int(index as i32))?;
            let key = self.constant(name)?;
            self.push_args_and_null(&[owner, place, value, key])?;
            let displaced = self.emit(Uop::LeafArgs, &[], Helper::ExchangeValue.number())?;
            // The instance holds the value now.
            let value_kind = if self.fact(value).immortal {
                Release::Nothing
            } else {
                Release::Plain
            };
            self.release(
                displaced,
                if old_kind == Release::Escaping {
                    old_kind
                } else {
                    Release::Plain
                },
            )?;
            self.pop_release(&[value_kind, owner_kind])?;
            return self.next();
        }
        let key = self.constant(name)?;
        self.escaping(Uop::CallStatus3, Helper::SetAttribute, &[owner, key, value])?;
        self.drop_after_escape(2)
    }

    /// Where an instance keeps an attribute, guarded, and what is there.
    fn instance_place(
        &mut self,
        owner: ValueId,
        name: u64,
    ) -> Result<Option<(u64, ValueId)>, Stop> {
        let class = self.type_of(owner);
        if self.types.is_known(class) || !object::has_generic_setattr(class) {
            return Ok(None);
        }
        let instance = self.bits(owner);
        let Some(Attribute {
            version,
            kept: Kept::Inline {
                index: Ok(index), ..
            },
            ..
        }) = object::attribute(class, name)
        else {
            return Ok(None);
        };
        let is_simple = index <= 256
            && object::has_inline_values(instance)
            && !object::has_dict_object(instance)
            && object::inline_value(instance, index) != 0;
        if !is_simple {
            return Ok(None);
        }
        self.guard_class(owner, class, version)?;
        self.guard_inline_values(owner)?;
        let old = self.emit(
            Uop::LoadObject,
            &[owner],
            layout().instance.first_value as u64 + 8 * index,
        )?;
        self.guard_not_null(old)?;
        Ok(Some((index, old)))
    }

    // --- Calls of the C API that may run any code.

    pub(super) fn generic(&mut self, opcode: Opcode, oparg: u32) -> Result<(), Stop> {
        let name = |recorder: &Self, index: u32| {
            object::address(recorder.frames[recorder.innermost()].code.name_at(index))
        };
        match opcode {
            Opcode::StoreAttr => {
                let name = name(self, oparg);
                self.store_attr(name)
            }
            Opcode::DeleteAttr => {
                let [owner] = self.operands::<1>()?;
                let key = self.constant(name(self, oparg))?;
                self.escaping(Uop::CallStatus2, Helper::DeleteAttribute, &[owner, key])?;
                self.drop_after_escape(1)
            }
            Opcode::DeleteSubscr => {
                let [container, index] = self.operands::<2>()?;
                self.escaping(Uop::CallStatus2, Helper::DeleteItem, &[container, index])?;
                self.drop_after_escape(2)
            }
            Opcode::BinarySlice => self.binary_slice(),
            Opcode::StoreSlice => {
                let operands = self.operands::<4>()?;
                self.before_escape()?;
                self.push_args_and_null(&operands)?;
                self.emit(Uop::CallArgs, &[], Helper::SetSlice.number())?;
                self.drop_none_after_escape(4)
            }
            Opcode::LoadSuperAttr => self.load_super_attr(oparg),
            _ => Err(self.abort(Reason::UnsupportedOpcode)),
        }
    }

    /// Ends an instruction that has run unknown code and leaves nothing for its top `n` operands.
    fn drop_after_escape(&mut self, n: u32) -> Result<(), Stop> {
        let kinds = self.releases_after_escape(n)?;
        self.pop_release(&kinds)?;
        self.next()
    }

    /// The same, where the helper has answered `None`, which is immortal and need not be released.
    fn drop_none_after_escape(&mut self, n: u32) -> Result<(), Stop> {
        let answer = ValueId(self.trace.insts.len() as u32 - 1);
        self.emit(Uop::DecRefPlain, &[answer], 0)?;
        self.drop_after_escape(n)
    }

    fn binary_slice(&mut self) -> Result<(), Stop> {
        let [container, start, stop] = self.operands::<3>()?;
        let t = &self.types;
        let exact = self.type_of(container);
        let plain_bound = |b: u64| b == t.int || b == t.none;
        let bounds = [self.type_of(start), self.type_of(stop)];
        let is_leaf = [t.str, t.list, t.tuple, t.bytes].contains(&exact)
            && bounds.iter().all(|&b| plain_bound(b));
        if is_leaf {
            self.guard_type(container, exact)?;
            self.guard_type(start, bounds[0])?;
            self.guard_type(stop, bounds[1])?;
            let kinds = self.releases::<3>()?;
            self.push_args_and_null(&[container, start, stop])?;
            let result = self.emit(Uop::LeafArgs, &[], Helper::GetSlicePlain.number())?;
            self.fact_mut(result).not_null = true;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let result = self.escaping(
            Uop::CallObject3,
            Helper::GetSlice,
            &[container, start, stop],
        )?;
        let kinds = self.releases_after_escape(3)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    fn load_super_attr(&mut self, oparg: u32) -> Result<(), Stop> {
        let [global, class, own] = self.operands::<3>()?;
        let name = object::address(self.frames[self.innermost()].code.name_at(oparg >> 2));
        let key = self.constant(name)?;
        let explicit = self.constant(if oparg & 2 != 0 {
            object::boolean(true)
        } else {
            object::none()
        })?;
        self.before_escape()?;
        self.push_args_and_null(&[global, class, own, key, explicit])?;
        let value = self.emit(Uop::CallArgs, &[], Helper::SuperAttribute.number())?;
        let kinds = self.releases_after_escape(3)?;
        self.pop_release(&kinds)?;
        self.push_attribute(value, oparg & 1 != 0)
    }

    // --- Small ones.

    pub(super) fn simple(&mut self, opcode: Opcode) -> Result<(), Stop> {
        match opcode {
            Opcode::LoadAssertionError => {
                // An assertion is about to fail.
                Err(self.abort(Reason::ExceptionRaised))
            }
            Opcode::GetLen => {
                let value = self.peek(0)?;
                let Some(raw) = self.plain_length(value)? else {
                    return Err(self.unsupported());
                };
                let result = self.box_int(raw)?;
                self.push(result);
                self.next()
            }
            _ => {
                let value = self.peek(0)?;
                let exact = self.type_of(value);
                if !self.types.is_known(exact) {
                    return Err(self.unsupported());
                }
                self.guard_type(value, exact)?;
                let t = &self.types;
                let matches = match opcode {
                    Opcode::MatchSequence => {
                        exact == t.list || exact == t.tuple || exact == t.range
                    }
                    _ => exact == t.dict,
                };
                let answer = self.constant(object::boolean(matches))?;
                self.push_borrowed(answer)?;
                self.next()
            }
        }
    }

    /// The raw length of an object of a built-in type.
    pub(super) fn plain_length(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        let exact = self.type_of(value);
        let length = if exact == self.types.list {
            self.guard_type(value, exact)?;
            self.emit(Uop::ListLen, &[value], 0)?
        } else if exact == self.types.tuple {
            self.guard_type(value, exact)?;
            self.emit(Uop::TupleLen, &[value], 0)?
        } else if let Some(offset) = self.types.length_offset(exact) {
            self.guard_type(value, exact)?;
            self.emit(Uop::LoadInt, &[value], offset)?
        } else {
            return Ok(None);
        };
        Ok(Some(length))
    }

    pub(super) fn call_intrinsic_1(&mut self, oparg: u32) -> Result<(), Stop> {
        const UNARY_POSITIVE: u32 = 5;
        const LIST_TO_TUPLE: u32 = 6;
        let [value] = self.operands::<1>()?;
        match oparg {
            UNARY_POSITIVE => {
                let exact = self.type_of(value);
                if exact == self.types.int || exact == self.types.float {
                    // `+x` is x.
                    self.guard_type(value, exact)?;
                    return self.next();
                }
                self.unary_escaping(Helper::Positive)
            }
            LIST_TO_TUPLE => {
                self.guard_type(value, self.types.list)?;
                let kinds: [Release; 1] = self.releases::<1>()?;
                let tuple = self.leaf(Uop::LeafObject1, Helper::ListToTuple, &[value])?;
                self.fact_mut(tuple).exact_type = self.types.tuple;
                self.pop_release(&kinds)?;
                self.push(tuple);
                self.next()
            }
            _ => Err(self.abort(Reason::UnsupportedOpcode)),
        }
    }
}
