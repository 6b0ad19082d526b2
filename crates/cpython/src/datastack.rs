//! A new chunk for a thread's data stack, as the interpreter makes one when a frame does not fit (`push_chunk` in
//! `Python/pystate.c`, which is not exported). When the frame at its start is popped, the interpreter frees it.

use std::ffi::c_void;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::runtime::api;
use crate::threads::Thread;

/// `_PyStackChunk`: the frames follow.
#[repr(C)]
struct Chunk {
    previous: *mut Chunk,
    size: usize,
    /// Words in use, while another chunk is on top.
    top: usize,
}

/// `PyObjectArenaAllocator` (`Include/cpython/objimpl.h`).
#[repr(C)]
struct Arenas {
    context: *mut c_void,
    allocate: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

/// `DATA_STACK_CHUNK_SIZE`.
const SIZE: usize = 16 * 1024;
/// `MINIMUM_OVERHEAD`, in bytes.
const OVERHEAD: usize = 1000 * mem::size_of::<usize>();

/// A chunk for when the system has no memory: the frames of an exit have to stand.
static SPARE: AtomicPtr<Chunk> = AtomicPtr::new(ptr::null_mut());

fn allocate(size: usize) -> *mut Chunk {
    let mut arenas = MaybeUninit::<Arenas>::uninit();
    // SAFETY: fills the structure; the allocator is called as the interpreter calls it, under the GIL.
    unsafe {
        (api().arena_allocator)(arenas.as_mut_ptr().cast());
        let arenas = arenas.assume_init();
        let chunk = (arenas.allocate)(arenas.context, size).cast::<Chunk>();
        if !chunk.is_null() {
            (*chunk).size = size;
        }
        chunk
    }
}

/// Lays a chunk by. The GIL is held.
pub fn lay_by() {
    if SPARE.load(Ordering::Relaxed).is_null() {
        SPARE.store(allocate(SIZE), Ordering::Relaxed);
    }
}

/// Begins a new chunk with room for `bytes` and more; the result is where the next frame goes. `None`: there is no memory, or the
/// stack is not as we know it. The GIL is held by `thread`, which is the running one.
pub(crate) fn push_chunk(thread: Thread, bytes: usize) -> Option<*mut u8> {
    let header = mem::size_of::<Chunk>();
    let current = thread.datastack_chunk().cast::<Chunk>();
    if current.is_null() {
        return None;
    }
    // SAFETY: the thread's current chunk; what it says of itself is compared before anything is written.
    unsafe {
        let end = current.addr() + (*current).size;
        let first = current.addr() + header;
        let top = thread.datastack_top().addr();
        if end != thread.datastack_limit().addr() || !(first..=end).contains(&top) {
            return None;
        }
        let mut size = SIZE;
        while size < bytes + OVERHEAD {
            size *= 2;
        }
        let mut chunk = allocate(size);
        if chunk.is_null() && size == SIZE {
            chunk = SPARE.swap(ptr::null_mut(), Ordering::Relaxed);
        }
        if chunk.is_null() {
            return None;
        }
        (*chunk).previous = current;
        (*chunk).top = 0;
        (*current).top = (top - first) / mem::size_of::<usize>();
        let start = chunk.cast::<u8>().add(header);
        thread.set_datastack(chunk.cast(), start, chunk.cast::<u8>().add(size));
        Some(start)
    }
}
