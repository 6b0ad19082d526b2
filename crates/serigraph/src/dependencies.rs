//! What traces take for constant, and which traces have to go when it changes.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use serigraph_trace::ir::vec_bytes;

use crate::header::{AddressHasher, ByAddress, TraceId};
use crate::metadata::table_bytes;

/// A set of addresses.
pub type AddressSet = HashSet<usize, BuildHasherDefault<AddressHasher>>;

/// The keys of one watched dict.
#[derive(Debug, Default)]
struct Keys {
    /// The traces that rely on a key's value, by the address of the key.
    traces: ByAddress<Vec<TraceId>>,
    /// The traces that name the dict, or the class that it is of, and have to go when it is emptied or dies.
    life: Vec<TraceId>,
    /// It is the dict of a class.
    is_of_class: bool,
    /// Keys whose value has changed while a trace relied on it, or was about to: not taken for constant again.
    volatile: AddressSet,
}

/// Tables from what is watched to traces. Plain data: who fills them keeps the interpreter's watchers in step.
#[derive(Debug)]
pub struct Dependencies {
    dicts: ByAddress<Keys>,
    /// The traces that name a function, and rely on its code and defaults; or that name a code object.
    objects: ByAddress<Vec<TraceId>>,
}

impl Dependencies {
    /// Empty tables.
    pub const fn new() -> Dependencies {
        Dependencies {
            dicts: HashMap::with_hasher(BuildHasherDefault::new()),
            objects: HashMap::with_hasher(BuildHasherDefault::new()),
        }
    }

    /// A trace relies on a key of a dict. True if the dict was not watched yet.
    pub fn add_key(&mut self, dict: usize, key: usize, trace: TraceId) -> bool {
        let mut is_new = false;
        let keys = self.dicts.entry(dict).or_insert_with(|| {
            is_new = true;
            Keys::default()
        });
        let traces = keys.traces.entry(key).or_default();
        if !traces.contains(&trace) {
            traces.push(trace);
        }
        is_new
    }

    /// A trace names a dict, or the class that it is of. True if the dict was not watched yet.
    pub fn add_dict(&mut self, dict: usize, is_of_class: bool, trace: TraceId) -> bool {
        let mut is_new = false;
        let keys = self.dicts.entry(dict).or_insert_with(|| {
            is_new = true;
            Keys::default()
        });
        keys.is_of_class |= is_of_class;
        if !keys.life.contains(&trace) {
            keys.life.push(trace);
        }
        is_new
    }

    /// Whether a dict is that of a class.
    pub fn is_of_class(&self, dict: usize) -> bool {
        self.dicts.get(&dict).is_some_and(|keys| keys.is_of_class)
    }

    /// A trace names a function, and relies on its code and defaults; or it names a code object.
    pub fn add_object(&mut self, object: usize, trace: TraceId) {
        let traces = self.objects.entry(object).or_default();
        if !traces.contains(&trace) {
            traces.push(trace);
        }
    }

    /// A key of a dict changes: the traces that relied on it. The key is given by its address; `same` tells whether one of
    /// another address is equal to it (for keys that are not interned).
    pub fn key_changed(
        &mut self,
        dict: usize,
        key: usize,
        same: Option<&dyn Fn(usize) -> bool>,
    ) -> Vec<TraceId> {
        let Some(keys) = self.dicts.get_mut(&dict) else {
            return Vec::new();
        };
        let known = if keys.traces.contains_key(&key) {
            Some(key)
        } else {
            same.and_then(|same| keys.traces.keys().copied().find(|&k| same(k)))
        };
        let Some(known) = known else {
            return Vec::new();
        };
        let traces = keys.traces.remove(&known).unwrap_or_default();
        keys.volatile.insert(known);
        traces
    }

    /// A dict changes as a whole (cleared, cloned into, or dead): the traces that relied on anything in it, or named it.
    pub fn dict_changed(&mut self, dict: usize, is_dead: bool) -> Vec<TraceId> {
        let Some(keys) = self.dicts.get_mut(&dict) else {
            return Vec::new();
        };
        let mut traces: Vec<TraceId> = keys.traces.drain().flat_map(|(_, traces)| traces).collect();
        traces.append(&mut keys.life);
        if is_dead {
            self.dicts.remove(&dict);
        }
        traces
    }

    /// Whether a trace may rely on a function or code object.
    #[inline]
    pub fn has_object(&self, object: usize) -> bool {
        self.objects.contains_key(&object)
    }

    /// A function is changed, or a function or code object dies: the traces that relied on it.
    pub fn object_changed(&mut self, object: usize) -> Vec<TraceId> {
        self.objects.remove(&object).unwrap_or_default()
    }

    /// Whether a key has changed before, so that its value is no constant.
    pub fn is_volatile(&self, dict: usize, key: usize) -> bool {
        self.dicts
            .get(&dict)
            .is_some_and(|keys| keys.volatile.contains(&key))
    }

    /// Forgets a trace that is no more.
    pub fn forget(&mut self, trace: TraceId) {
        for keys in self.dicts.values_mut() {
            keys.life.retain(|&t| t != trace);
            keys.traces.retain(|_, traces| {
                traces.retain(|&t| t != trace);
                !traces.is_empty()
            });
        }
        self.objects.retain(|_, traces| {
            traces.retain(|&t| t != trace);
            !traces.is_empty()
        });
    }

    /// Bytes of the tables, as far as they have room.
    pub fn heap_bytes(&self) -> usize {
        let lists = |table: &ByAddress<Vec<TraceId>>| {
            table_bytes(table) + table.values().map(vec_bytes).sum::<usize>()
        };
        let keys = |keys: &Keys| {
            let volatile = keys.volatile.capacity() * (size_of::<usize>() + 1);
            lists(&keys.traces) + vec_bytes(&keys.life) + volatile
        };
        table_bytes(&self.dicts)
            + self.dicts.values().map(keys).sum::<usize>()
            + lists(&self.objects)
    }

    /// Empties the tables; gives the dicts that were watched.
    pub fn clear(&mut self) -> Vec<usize> {
        self.objects.clear();
        self.dicts.drain().map(|(dict, _)| dict).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_gives_its_traces_once_and_is_volatile() {
        let mut tables = Dependencies::new();
        assert!(tables.add_key(16, 32, 1));
        assert!(!tables.add_key(16, 32, 2));
        assert!(!tables.add_key(16, 48, 3));
        assert_eq!(tables.key_changed(16, 32, None), [1, 2]);
        assert!(tables.key_changed(16, 32, None).is_empty());
        assert!(tables.is_volatile(16, 32) && !tables.is_volatile(16, 48));
        assert_eq!(tables.dict_changed(16, false), [3]);
        assert!(tables.is_volatile(16, 32));
        tables.dict_changed(16, true);
        assert!(!tables.is_volatile(16, 32));
    }

    #[test]
    fn a_key_does_not_concern_those_that_name_the_dict() {
        let mut tables = Dependencies::new();
        assert!(tables.add_dict(16, false, 1));
        assert!(!tables.add_dict(16, true, 2));
        assert!(tables.is_of_class(16) && !tables.is_of_class(32));
        tables.forget(2);
        assert!(tables.key_changed(16, 32, None).is_empty());
        assert_eq!(tables.dict_changed(16, false), [1]);
        assert!(!tables.add_dict(16, false, 3));
        assert_eq!(tables.dict_changed(16, true), [3]);
        assert!(tables.dict_changed(16, true).is_empty());
    }

    #[test]
    fn an_equal_key_elsewhere_is_found() {
        let mut tables = Dependencies::new();
        tables.add_key(16, 32, 1);
        assert!(tables.key_changed(16, 64, None).is_empty());
        assert_eq!(tables.key_changed(16, 64, Some(&|k| k == 32)), [1]);
    }

    #[test]
    fn what_is_relied_on_takes_room() {
        let mut tables = Dependencies::new();
        assert_eq!(tables.heap_bytes(), 0);
        tables.add_object(80, 1);
        let objects = tables.heap_bytes();
        assert!(objects >= size_of::<(usize, Vec<TraceId>)>() + size_of::<TraceId>());
        tables.add_key(16, 32, 1);
        assert!(tables.heap_bytes() >= objects + size_of::<(usize, Keys)>());
    }

    #[test]
    fn forgotten_traces_are_not_reported() {
        let mut tables = Dependencies::new();
        tables.add_key(16, 32, 1);
        tables.add_object(80, 1);
        tables.add_object(80, 2);
        tables.forget(1);
        assert!(tables.key_changed(16, 32, None).is_empty());
        assert_eq!(tables.object_changed(80), [2]);
    }
}
