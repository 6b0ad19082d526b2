//! Attributes: of instances, classes, modules and built-in objects.
//!
//! What a class says about an attribute is guarded by the version of the class. Where an instance keeps it depends on the
//! class and on the interpreter: in a slot, in the instance (3.13), or in a table that the word before the instance points to
//! (3.12).

use std::ffi::CStr;

use serigraph_cpython::bytecode::Opcode;
use serigraph_cpython::layout;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::Uop;

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::hold;
use crate::host::object::{self, Attribute, Kept};

/// An attribute that has been found.
enum Found {
    /// A function of the class (of Python or of C), to be called with the instance.
    Method(ValueId),
    /// Any value, borrowed.
    Value(ValueId),
}

/// The place of an attribute in an instance.
#[derive(Clone, Copy)]
struct Field {
    /// The instance, or the address of its attributes.
    base: ValueId,
    offset: u64,
    /// `base` is an address.
    is_via: bool,
}

impl Recorder<'_> {
    // --- LOAD_ATTR.

    pub(super) fn load_attr(&mut self, oparg: u32) -> Result<(), Stop> {
        let name = object::address(self.frames[self.innermost()].code.name_at(oparg >> 1));
        let is_method = oparg & 1 != 0;
        let owner = self.peek(0)?;
        let constant = match self.module_attribute(owner, name)? {
            Some(value) => Some(value),
            None => self.class_attribute(owner, name)?,
        };
        if let Some(value) = constant {
            return self.push_found(Found::Value(value), is_method);
        }
        if is_method && let Some(method) = self.builtin_method(owner, name)? {
            // The owner's reference goes to the call as self.
            return self.push_found(Found::Method(method), is_method);
        }
        if let Some(found) = self.instance_attribute(owner, name, is_method)? {
            return self.push_found(found, is_method);
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

    fn push_found(&mut self, found: Found, is_method: bool) -> Result<(), Stop> {
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

    /// Pushes an attribute (with its reference), for a call together with a null.
    pub(super) fn push_attribute(&mut self, value: ValueId, is_method: bool) -> Result<(), Stop> {
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
            Ok(Some(entry)) => {
                // A module's `__class__` can be set.
                self.guard_type(owner, exact)?;
                self.dict_value(dict, name, entry).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// An attribute of a constant class, as long as the class keeps its version: a plain value, a function, or what a static method
    /// holds.
    fn class_attribute(&mut self, owner: ValueId, name: u64) -> Result<Option<ValueId>, Stop> {
        let class = self.bits(owner);
        if !self.fact(owner).constant || !object::is_plain_class(class) {
            return Ok(None);
        }
        let Some((version, value)) = object::class_attribute(class, name) else {
            return Ok(None);
        };
        if !self.depend_on_class(class, name)? {
            return Ok(None);
        }
        self.guard_version(class, version)?;
        self.kept_constant(value).map(Some)
    }

    /// Relies on what a class, or a base of it, has under a name. The guard of the version tells that it is so still; who relies on it
    /// is told before the class lets go of it. False, with nothing done: it is a plain value that has changed before.
    pub(super) fn depend_on_class(&mut self, class: u64, name: u64) -> Result<bool, Stop> {
        let value = object::type_lookup(class, name);
        let dict = hold::class_holder(class, name, value).map_err(|()| self.unsupported())?;
        if dict == 0 {
            return Ok(true);
        }
        let is_volatile = self
            .world
            .is_volatile(object::pointer(dict), object::pointer(name));
        // A method that was replaced is hardly replaced all the time.
        if is_volatile && !object::is_descriptor(value) {
            return Ok(false);
        }
        self.keep(dict);
        self.depend_on_item(dict, name, value);
        Ok(true)
    }

    /// The same for a special method.
    pub(super) fn depend_on_special(&mut self, class: u64, name: &CStr) -> Result<(), Stop> {
        let Some(name) = object::interned(name) else {
            return Err(self.unsupported());
        };
        self.depend_on_class(class, object::address(name.as_ptr()))?;
        Ok(())
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

    /// An attribute of an instance of a Python class: a value that the instance keeps in itself, or a function or plain value of
    /// the class. Guarded by the version of the class.
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
        // What a call takes with the instance, without an object for the two.
        let is_function = attribute.in_class != 0
            && [self.types.function, self.types.method_descriptor]
                .contains(&object::type_address(attribute.in_class));
        let is_there = match attribute.kept {
            Kept::Values { .. } if !object::has_values(instance) => return Ok(None),
            Kept::Values {
                index: Ok(index), ..
            } if object::instance_value(instance, index) != 0 => true,
            // It may be set in other instances.
            Kept::Values { index: Ok(_), .. } => return Ok(None),
            Kept::Slot { offset } if object::word(instance, offset) == 0 => return Ok(None),
            Kept::Slot { .. } => true,
            _ => false,
        };
        let is_plain = attribute.in_class != 0 && !object::is_descriptor(attribute.in_class);
        if !(is_there || is_plain || (is_function && is_method)) {
            return Ok(None);
        }
        if !is_there && !self.depend_on_class(class, name)? {
            return Ok(None);
        }
        self.guard_class(owner, class, attribute.version)?;
        if is_there {
            let field = self.field(owner, attribute.kept)?;
            let value = self.load_field(field)?;
            self.guard_not_null(value)?;
            return Ok(Some(Found::Value(value)));
        }
        if let Kept::Values { keys, index } = attribute.kept {
            self.values(owner)?;
            if let Err(count) = index {
                // No instance has an attribute of that name.
                let keys = self.constant_address(keys)?;
                let names =
                    self.emit(Uop::LoadInt, &[keys], layout().dict_keys.entry_count as u64)?;
                let expected = self.const_int(count as i64)?;
                self.emit(Uop::GuardIntEq, &[names, expected], 0)?;
            }
        }
        let value = self.kept_constant(attribute.in_class)?;
        Ok(Some(if is_function {
            Found::Method(value)
        } else {
            Found::Value(value)
        }))
    }

    /// Guards that an object is an instance of this class, and that the class is as it was.
    pub(super) fn guard_class(
        &mut self,
        owner: ValueId,
        class: u64,
        version: u32,
    ) -> Result<(), Stop> {
        self.keep(class);
        self.guard_type(owner, class)?;
        self.guard_version(class, version)
    }

    /// Guards that a class is as it was.
    pub(super) fn guard_version(&mut self, class: u64, version: u32) -> Result<(), Stop> {
        self.keep(class);
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

    /// Guards that an instance keeps its attributes in itself or in its table. Gives the table's address, if there is one.
    fn values(&mut self, owner: ValueId) -> Result<Option<ValueId>, Stop> {
        if self.minor == Minor::V312 {
            let word = before(layout().instance.dict_or_values_before);
            return self.emit(Uop::InstanceValues, &[owner], word).map(Some);
        }
        // A byte, the last of four.
        let head = self.emit(
            Uop::LoadInt32,
            &[owner],
            layout().instance.inline_values as u64,
        )?;
        let shift = self.const_int(24)?;
        let valid = self.emit(Uop::IntShr, &[head, shift], 0)?;
        self.emit(Uop::GuardTrue, &[valid], 0)?;
        Ok(None)
    }

    /// The place of an attribute that instances have.
    fn field(&mut self, owner: ValueId, kept: Kept) -> Result<Field, Stop> {
        let (index, base) = match kept {
            Kept::Values {
                index: Ok(index), ..
            } => (index, self.values(owner)?),
            Kept::Slot { offset } => {
                return Ok(Field {
                    base: owner,
                    offset: offset as u64,
                    is_via: false,
                });
            }
            _ => return Err(self.unsupported()),
        };
        Ok(Field {
            base: base.unwrap_or(owner),
            offset: layout().instance.first_value as u64 + 8 * index,
            is_via: base.is_some(),
        })
    }

    fn load_field(&mut self, field: Field) -> Result<ValueId, Stop> {
        let uop = if field.is_via {
            Uop::LoadVia
        } else {
            Uop::LoadObject
        };
        self.emit(uop, &[field.base], field.offset)
    }

    /// An address that is no object, for loads from fields at it.
    fn constant_address(&mut self, address: u64) -> Result<ValueId, Stop> {
        let value = self.emit(Uop::ConstObject, &[], address)?;
        let fact = self.fact_mut(value);
        (fact.constant, fact.immortal, fact.not_null) = (true, true, true);
        Ok(value)
    }

    // --- STORE_ATTR and DELETE_ATTR.

    pub(super) fn store_attr(&mut self, oparg: u32) -> Result<(), Stop> {
        let name = object::address(self.frames[self.innermost()].code.name_at(oparg));
        let [value, owner] = self.operands::<2>()?;
        if let Some(kept) = self.instance_place(owner, name)? {
            return self.store_field(owner, kept, value, name);
        }
        let key = self.constant(name)?;
        self.escaping(Uop::CallStatus3, Helper::SetAttribute, &[owner, key, value])?;
        self.drop_after_escape(2)
    }

    /// Stores into the place that an instance has for an attribute.
    fn store_field(
        &mut self,
        owner: ValueId,
        kept: Kept,
        value: ValueId,
        name: u64,
    ) -> Result<(), Stop> {
        let field = self.field(owner, kept)?;
        if self.minor == Minor::V313 && matches!(kept, Kept::Values { .. }) {
            // A dict object would want to know of the store.
            let word = before(layout().instance.dict_or_values_before);
            let dict = self.emit(Uop::LoadInt, &[owner], word)?;
            self.emit(Uop::GuardFalse, &[dict], 0)?;
        }
        let old = self.load_field(field)?;
        let old_kind = self.release_kind(old, (usize::MAX, 0, 0))?;
        // The value's reference goes to the instance.
        let [owner_kind] = self.releases::<1>()?;
        self.refuse_same_object(owner, old)?;
        if let (
            Kept::Values {
                index: Ok(index), ..
            },
            0,
        ) = (kept, self.bits(old))
        {
            // The order in which attributes were set is kept too.
            let place = self.constant(object::small_int(index as i32))?;
            let key = self.constant(name)?;
            self.push_args_and_null(&[owner, place, value, key])?;
            let none = self.emit(Uop::LeafArgs, &[], Helper::AddValue.number())?;
            self.emit(Uop::DecRefPlain, &[none], 0)?;
            let value_kind = if self.fact(value).immortal {
                Release::Nothing
            } else {
                Release::Plain
            };
            self.pop_release(&[value_kind, owner_kind])?;
            return self.next();
        }
        let frame = self.innermost();
        let first = self.frames[frame].top - 2;
        self.take_from_memory(first)?;
        self.committed = true;
        let value = self.frames[frame].slots[first as usize].value;
        let owner = self.frames[frame].slots[first as usize + 1].value;
        self.own(value)?;
        self.frames[frame].top = first;
        let uop = if field.is_via {
            Uop::StoreVia
        } else {
            Uop::StoreObject
        };
        self.emit(uop, &[field.base, value, old], field.offset)?;
        self.epoch += 1;
        if self.bits(old) != 0 {
            let kind = match old_kind {
                // The instance's reference was a real one.
                Release::Nothing => Release::Plain,
                kind => kind,
            };
            self.release(old, kind)?;
        }
        self.release(owner, owner_kind)?;
        self.next()
    }

    /// Where an instance keeps an attribute that can be stored to, guarded.
    fn instance_place(&mut self, owner: ValueId, name: u64) -> Result<Option<Kept>, Stop> {
        let class = self.type_of(owner);
        if self.types.is_known(class) || !object::has_generic_setattr(class) {
            return Ok(None);
        }
        let instance = self.bits(owner);
        let Some(Attribute { version, kept, .. }) = object::attribute(class, name) else {
            return Ok(None);
        };
        let is_simple = match kept {
            Kept::Values {
                index: Ok(index), ..
            } => {
                index <= 256
                    && object::has_values(instance)
                    && (self.minor == Minor::V312 || !object::has_dict_object(instance))
            }
            Kept::Slot { .. } => true,
            _ => false,
        };
        if !is_simple {
            return Ok(None);
        }
        self.guard_class(owner, class, version)?;
        Ok(Some(kept))
    }

    pub(super) fn delete_attr(&mut self, oparg: u32) -> Result<(), Stop> {
        let name = object::address(self.frames[self.innermost()].code.name_at(oparg));
        let [owner] = self.operands::<1>()?;
        let key = self.constant(name)?;
        self.escaping(Uop::CallStatus2, Helper::DeleteAttribute, &[owner, key])?;
        self.drop_after_escape(1)
    }

    // --- super().

    pub(super) fn load_super_attr(&mut self, oparg: u32) -> Result<(), Stop> {
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

    pub(super) fn attribute(&mut self, opcode: Opcode, oparg: u32) -> Result<(), Stop> {
        match opcode {
            Opcode::LoadAttr => self.load_attr(oparg),
            Opcode::StoreAttr => self.store_attr(oparg),
            Opcode::DeleteAttr => self.delete_attr(oparg),
            _ => self.load_super_attr(oparg),
        }
    }
}

/// The offset of a word that stands so many bytes before an object.
fn before(bytes: usize) -> u64 {
    (bytes as u64).wrapping_neg()
}
