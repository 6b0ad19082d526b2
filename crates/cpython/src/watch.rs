//! Watchers: being told when code objects come and go, and when dicts, functions and types change.
//!
//! The interpreter has 8 slots of each kind; Serigraph takes one of each. Callbacks run in the middle of the change, under
//! the GIL; they must not run Python code or raise.

use std::ffi::c_int;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::{self, PyObject};
use crate::runtime::api;

/// What happened to a code object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeEvent {
    /// It has been made, not yet run.
    Create,
    /// It is being deallocated.
    Destroy,
}

/// What happens to a watched dict; the callback runs before the change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DictEvent {
    /// A key comes in.
    Added,
    /// A key gets another value.
    Modified,
    /// A key goes.
    Deleted,
    /// The dict takes over the contents of another.
    Cloned,
    /// All keys go.
    Cleared,
    /// The dict goes.
    Deallocated,
}

/// What happens to a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionEvent {
    /// It has been made.
    Create,
    /// It is being deallocated.
    Destroy,
    /// `__code__` gets another value.
    ModifyCode,
    /// `__defaults__` gets another value.
    ModifyDefaults,
    /// `__kwdefaults__` gets another value.
    ModifyKwdefaults,
}

/// Told of every code object: event, code.
pub type CodeCallback = fn(CodeEvent, *mut PyObject);
/// Told of watched dicts: event, dict, key and new value (null where there is none).
pub type DictCallback = fn(DictEvent, *mut PyObject, *mut PyObject, *mut PyObject);
/// Told of every function: event, function, new value (null where there is none).
pub type FunctionCallback = fn(FunctionEvent, *mut PyObject, *mut PyObject);
/// Told once that a watched type, or a base of it, has changed (its version tag is void); again only after the type has got a
/// version tag again.
pub type TypeCallback = fn(*mut PyObject);

/// A watcher could not be added or used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchError {
    /// All 8 slots of this kind are taken.
    NoSlot,
    /// This process has one already.
    AlreadyAdded,
    /// The object is not of the kind that is watched, or the interpreter refuses it.
    Refused,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WatchError::NoSlot => "all watcher slots of this interpreter are taken by other tools",
            WatchError::AlreadyAdded => "the watcher has been added already",
            WatchError::Refused => "the interpreter refuses to watch the object",
        })
    }
}

impl std::error::Error for WatchError {}

/// Where the callback of one kind is; null = none.
struct Registered<F>(AtomicPtr<()>, PhantomData<F>);

impl<F: Copy> Registered<F> {
    const fn new() -> Self {
        Registered(AtomicPtr::new(std::ptr::null_mut()), PhantomData)
    }

    fn get(&self) -> Option<F> {
        let address = self.0.load(Ordering::Acquire);
        // SAFETY: what is stored, if anything, is an `F`, which is a function pointer.
        (!address.is_null()).then(|| unsafe { mem::transmute_copy::<*mut (), F>(&address) })
    }

    fn set(&self, callback: Option<*mut ()>) {
        self.0
            .store(callback.unwrap_or(std::ptr::null_mut()), Ordering::Release);
    }
}

macro_rules! watcher {
    ($(#[$doc:meta])* $name:ident, $callback:ty, $store:ident, $entry:ident, $add:ident, $clear:ident) => {
        static $store: Registered<$callback> = Registered::new();

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            id: c_int,
        }

        impl $name {
            /// Takes a slot. The GIL must be held, in the main interpreter.
            pub fn add(callback: $callback) -> Result<Self, WatchError> {
                if $store.get().is_some() {
                    return Err(WatchError::AlreadyAdded);
                }
                // SAFETY: the callback has the C signature the interpreter wants, and lives for ever.
                let id = unsafe { (api().$add)($entry) };
                if id < 0 {
                    // SAFETY: the GIL is held.
                    unsafe { ffi::PyErr_Clear() };
                    return Err(WatchError::NoSlot);
                }
                $store.set(Some(callback as *mut ()));
                Ok($name { id })
            }

            /// Gives the slot back. The GIL must be held.
            pub fn remove(self) {
                // SAFETY: the slot is ours.
                unsafe {
                    if (api().$clear)(self.id) < 0 {
                        ffi::PyErr_Clear();
                    }
                }
                $store.set(None);
            }
        }
    };
}

macro_rules! watch_objects {
    ($name:ident, $watch:ident, $unwatch:ident) => {
        impl $name {
            /// Starts watching one object.
            ///
            /// # Safety
            /// `object` is a valid object and the GIL is held.
            pub unsafe fn watch(&self, object: *mut PyObject) -> Result<(), WatchError> {
                // SAFETY: by the caller's promise; the interpreter checks the kind.
                checked(unsafe { (api().$watch)(self.id, object) })
            }

            /// Stops watching one object.
            ///
            /// # Safety
            /// As [`Self::watch`].
            pub unsafe fn unwatch(&self, object: *mut PyObject) -> Result<(), WatchError> {
                // SAFETY: by the caller's promise; the interpreter checks the kind.
                checked(unsafe { (api().$unwatch)(self.id, object) })
            }
        }
    };
}

watcher! {
    /// The watcher of all code objects.
    CodeWatcher, CodeCallback, CODE, code_entry, code_add_watcher, code_clear_watcher
}
watcher! {
    /// The watcher of dicts. Watching costs 10 ns per store to the dict, nothing per load.
    DictWatcher, DictCallback, DICT, dict_entry, dict_add_watcher, dict_clear_watcher
}
watcher! {
    /// The watcher of all functions. Costs 7 ns per function made.
    FunctionWatcher, FunctionCallback, FUNCTION, function_entry, function_add_watcher, function_clear_watcher
}
watcher! {
    /// The watcher of types.
    TypeWatcher, TypeCallback, TYPE, type_entry, type_add_watcher, type_clear_watcher
}
watch_objects!(DictWatcher, dict_watch, dict_unwatch);
watch_objects!(TypeWatcher, type_watch, type_unwatch);

fn checked(result: c_int) -> Result<(), WatchError> {
    if result >= 0 {
        return Ok(());
    }
    // SAFETY: the GIL is held by the caller of the public functions.
    unsafe { ffi::PyErr_Clear() };
    Err(WatchError::Refused)
}

unsafe extern "C" fn code_entry(event: c_int, code: *mut PyObject) -> c_int {
    // `PyCodeEvent` in Include/cpython/code.h.
    let event = if event == 0 {
        CodeEvent::Create
    } else {
        CodeEvent::Destroy
    };
    if let Some(callback) = CODE.get() {
        callback(event, code);
    }
    0
}

unsafe extern "C" fn dict_entry(
    event: c_int,
    dict: *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // `PyDict_WatchEvent` in Include/cpython/dictobject.h.
    let event = match event {
        0 => DictEvent::Added,
        1 => DictEvent::Modified,
        2 => DictEvent::Deleted,
        3 => DictEvent::Cloned,
        4 => DictEvent::Cleared,
        _ => DictEvent::Deallocated,
    };
    if let Some(callback) = DICT.get() {
        callback(event, dict, key, value);
    }
    0
}

unsafe extern "C" fn function_entry(
    event: c_int,
    function: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // `PyFunction_WatchEvent` in Include/cpython/funcobject.h.
    let event = match event {
        0 => FunctionEvent::Create,
        1 => FunctionEvent::Destroy,
        2 => FunctionEvent::ModifyCode,
        3 => FunctionEvent::ModifyDefaults,
        _ => FunctionEvent::ModifyKwdefaults,
    };
    if let Some(callback) = FUNCTION.get() {
        callback(event, function, value);
    }
    0
}

unsafe extern "C" fn type_entry(type_object: *mut PyObject) -> c_int {
    if let Some(callback) = TYPE.get() {
        callback(type_object);
    }
    0
}
