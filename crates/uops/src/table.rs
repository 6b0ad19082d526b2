//! THE table. To add a uop: add a line here, a body in `bodies/` (unless it is `pseudo`), and its meaning in the evaluator.

use crate::info::{Effects, Exit, Immediate, Kind, Ownership, UopInfo};

macro_rules! kind_option {
    () => {
        None
    };
    ($kind:ident) => {
        Some(Kind::$kind)
    };
}

/// Each line: `Variant "name" (input: Kind, ...) -> Kind [Immediate] {attribute: value, ...} "doc";`
/// Attributes (all optional): `exit: Guard|Error`, `reads: ..`, `writes: ..` (unions of effect classes), `owned: true`
/// (the result is a new reference), `consumes: mask`, `gains: mask`, `calls: true`, `pseudo: true` (no stencil).
macro_rules! uops {
    ($( $variant:ident $name:literal ( $($input:ident : $ikind:ident),* ) $(-> $okind:ident)? $([$imm:ident])?
        $({ $($attr:ident : $value:expr),* $(,)? })? $doc:literal; )*) => {
        /// A micro-operation. Its properties are in [`Uop::info`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Uop { $( #[doc = $doc] $variant ),* }

        impl Uop {
            /// Every uop, in the order of the table.
            pub const ALL: &'static [Uop] = &[ $( Uop::$variant ),* ];

            const INFO: &'static [UopInfo] = &[ $( {
                #[allow(unused_mut, reason = "most uops have no attributes")]
                let mut info = UopInfo {
                    name: $name,
                    input_names: &[ $( stringify!($input) ),* ],
                    inputs: &[ $( Kind::$ikind ),* ],
                    output: kind_option!($($okind)?),
                    immediate: Immediate::None,
                    exit: Exit::Never,
                    reads: Effects::NONE,
                    writes: Effects::NONE,
                    ownership: Ownership { output_owned: false, consumes: 0, gains: 0 },
                    calls: false,
                    has_stencil: true,
                    doc: $doc,
                };
                $( info.immediate = Immediate::$imm; )?
                $( $( uops!(@set info $attr $value); )* )?
                info
            } ),* ];
        }
    };
    (@set $info:ident exit $v:expr) => { { use Exit::*; $info.exit = $v; } };
    (@set $info:ident reads $v:expr) => { $info.reads = $v; };
    (@set $info:ident writes $v:expr) => { $info.writes = $v; };
    (@set $info:ident owned $v:expr) => { $info.ownership.output_owned = $v; };
    (@set $info:ident consumes $v:expr) => { $info.ownership.consumes = $v; };
    (@set $info:ident gains $v:expr) => { $info.ownership.gains = $v; };
    (@set $info:ident calls $v:expr) => { $info.calls = $v; };
    (@set $info:ident pseudo $v:expr) => { $info.has_stencil = !$v; };
}

const FRAME: Effects = Effects::FRAME;
const FRAME_IP: Effects = Effects::FRAME_IP;
const SHAPE: Effects = Effects::LIST_SHAPE;
const ITEMS: Effects = Effects::LIST_ITEMS;
const ITER: Effects = Effects::ITERATOR;
const HEAP: Effects = Effects::HEAP;
const COUNTS: Effects = Effects::COUNTS;
const VALIDITY: Effects = Effects::VALIDITY;
const ARGS: Effects = Effects::ARGS;
const FLOAT_BOX: Effects = Effects::FLOAT_BOX;
const FRAMES: Effects = Effects::FRAMES;
const TURNS: Effects = Effects::TURNS;
const ALL: Effects = Effects::ALL;
/// What a C function on the explicit list may touch: objects and counts, but no frame and no Python code.
const LEAF: Effects = Effects(SHAPE.0 | ITEMS.0 | ITER.0 | HEAP.0 | COUNTS.0);

uops! {
    // Structure.
    Param "param" () -> Object {pseudo: true} "A value the parent trace hands over at the side exit where this trace starts (its kind is the trace's to say).";
    Phi "phi" (initial: Object) -> Object {pseudo: true} "A value carried round the loop: `initial` at the first entry, the back edge's argument after (its kind is the trace's to say).";
    LoopStart "loop" () {pseudo: true} "The target of the back edge; phis follow it.";
    Nop "nop" () {pseudo: true} "Nothing; what a pass leaves where it removed a uop.";

    // Constants.
    ConstInt "const_int" () -> Int [Word64] "A raw integer constant.";
    ConstFloat "const_float" () -> Float [Float64] "A raw double constant.";
    ConstObject "const_object" () -> Object [Pointer] "A constant object (kept alive by the trace), or null.";

    // Integers. Those with a guard leave when the result does not fit 64 bits.
    IntAdd "int_add" (a: Int, b: Int) -> Int {exit: Guard} "a + b.";
    IntSub "int_sub" (a: Int, b: Int) -> Int {exit: Guard} "a - b.";
    IntMul "int_mul" (a: Int, b: Int) -> Int {exit: Guard} "a * b.";
    IntAddImm "int_add_imm" (a: Int) -> Int [Int32] {exit: Guard} "a + imm.";
    IntMulImm "int_mul_imm" (a: Int) -> Int [Int32] {exit: Guard} "a * imm.";
    IntNeg "int_neg" (a: Int) -> Int {exit: Guard} "-a.";
    IntFloorDiv "int_floordiv" (a: Int, b: Int) -> Int {exit: Guard} "a // b as Python rounds; leaves if b is 0 or the result overflows.";
    IntMod "int_mod" (a: Int, b: Int) -> Int {exit: Guard} "a % b with the sign of b; leaves if b is 0 or (a, b) is (MIN, -1).";
    IntFloorDivImm "int_floordiv_imm" (a: Int) -> Int [Int32] "a // imm as Python rounds; imm >= 2.";
    IntModImm "int_mod_imm" (a: Int) -> Int [Int32] "a % imm with Python's sign; imm >= 2.";
    IntAddWrap "int_add_wrap" (a: Int, b: Int) -> Int "a + b modulo 2^64, where overflow cannot happen or does not matter.";
    IntSubWrap "int_sub_wrap" (a: Int, b: Int) -> Int "a - b modulo 2^64.";
    IntAddWrapImm "int_add_wrap_imm" (a: Int) -> Int [Int32] "a + imm modulo 2^64.";
    IntAnd "int_and" (a: Int, b: Int) -> Int "a & b.";
    IntOr "int_or" (a: Int, b: Int) -> Int "a | b.";
    IntXor "int_xor" (a: Int, b: Int) -> Int "a ^ b.";
    IntAndImm "int_and_imm" (a: Int) -> Int [Int32] "a & imm (sign-extended).";
    IntInvert "int_invert" (a: Int) -> Int "~a.";
    IntShl "int_shl" (a: Int, b: Int) -> Int {exit: Guard} "a << b; leaves if b is not in 0..63 or bits are lost.";
    IntShr "int_shr" (a: Int, b: Int) -> Int {exit: Guard} "a >> b, arithmetic, any b >= 0; leaves if b is negative.";
    IntShlImm "int_shl_imm" (a: Int) -> Int [Int32] {exit: Guard} "a << imm (0..62); leaves if bits are lost.";
    IntShrImm "int_shr_imm" (a: Int) -> Int [Int32] "a >> imm (0..63), arithmetic.";
    IntLt "int_lt" (a: Int, b: Int) -> Int "1 if a < b, else 0.";
    IntLe "int_le" (a: Int, b: Int) -> Int "1 if a <= b, else 0.";
    IntEq "int_eq" (a: Int, b: Int) -> Int "1 if a == b, else 0.";
    IntNe "int_ne" (a: Int, b: Int) -> Int "1 if a != b, else 0.";
    RangeLength "range_length" (start: Int, stop: Int, step: Int) -> Int {exit: Guard} "How many numbers range(start, stop, step) has; leaves if start or stop do not fit 63 bits, or step is 0 or does not fit 32.";
    IntToFloat "int_to_float" (a: Int) -> Float "The nearest double, as CPython's int.__float__ rounds.";
    IntTrueDiv "int_truediv" (a: Int, b: Int) -> Float {exit: Guard} "a / b; leaves if b is 0 or either does not fit 53 bits.";

    // Guards on raw values: go on if the relation holds.
    GuardIntLt "guard_int_lt" (a: Int, b: Int) {exit: Guard} "Goes on if a < b.";
    GuardIntLe "guard_int_le" (a: Int, b: Int) {exit: Guard} "Goes on if a <= b.";
    GuardIntEq "guard_int_eq" (a: Int, b: Int) {exit: Guard} "Goes on if a == b.";
    GuardIntNe "guard_int_ne" (a: Int, b: Int) {exit: Guard} "Goes on if a != b.";
    GuardIntBelow "guard_int_below" (a: Int, b: Int) {exit: Guard} "Goes on if a < b unsigned: the bounds check.";
    GuardIntLtImm "guard_int_lt_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a < imm.";
    GuardIntLeImm "guard_int_le_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a <= imm.";
    GuardIntGtImm "guard_int_gt_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a > imm.";
    GuardIntGeImm "guard_int_ge_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a >= imm.";
    GuardIntEqImm "guard_int_eq_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a == imm.";
    GuardIntNeImm "guard_int_ne_imm" (a: Int) [Int32] {exit: Guard} "Goes on if a != imm.";
    GuardTrue "guard_true" (a: Int) {exit: Guard} "Goes on if a is not 0.";
    GuardFalse "guard_false" (a: Int) {exit: Guard} "Goes on if a is 0.";

    // Floats.
    FloatAdd "float_add" (a: Float, b: Float) -> Float "a + b.";
    FloatSub "float_sub" (a: Float, b: Float) -> Float "a - b.";
    FloatMul "float_mul" (a: Float, b: Float) -> Float "a * b.";
    FloatDiv "float_div" (a: Float, b: Float) -> Float {exit: Guard} "a / b; leaves if b is 0.";
    FloatNeg "float_neg" (a: Float) -> Float "-a.";
    FloatAbs "float_abs" (a: Float) -> Float "abs(a).";
    FloatSqrt "float_sqrt" (a: Float) -> Float "The square root; the caller has guarded a >= 0.";
    FloatToInt "float_to_int" (a: Float) -> Int {exit: Guard} "a truncated towards zero; leaves if it does not fit 64 bits or is NaN.";
    FloatLt "float_lt" (a: Float, b: Float) -> Int "1 if a < b, else 0.";
    FloatLe "float_le" (a: Float, b: Float) -> Int "1 if a <= b, else 0.";
    FloatEq "float_eq" (a: Float, b: Float) -> Int "1 if a == b, else 0.";
    FloatNe "float_ne" (a: Float, b: Float) -> Int "1 if a != b (true for NaN), else 0.";
    GuardFloatLt "guard_float_lt" (a: Float, b: Float) {exit: Guard} "Goes on if a < b.";
    GuardFloatLe "guard_float_le" (a: Float, b: Float) {exit: Guard} "Goes on if a <= b.";
    GuardFloatEq "guard_float_eq" (a: Float, b: Float) {exit: Guard} "Goes on if a == b.";
    GuardFloatNotLt "guard_float_not_lt" (a: Float, b: Float) {exit: Guard} "Goes on if not a < b (also for NaN).";
    GuardFloatNotLe "guard_float_not_le" (a: Float, b: Float) {exit: Guard} "Goes on if not a <= b (also for NaN).";
    GuardFloatNe "guard_float_ne" (a: Float, b: Float) {exit: Guard} "Goes on if a != b (also for NaN).";
    LeafFloat1 "leaf_float_1" (a: Float) -> Float [Helper] {calls: true} "A pure C function double -> double that cannot fail.";
    LeafFloat2 "leaf_float_2" (a: Float, b: Float) -> Float [Helper] {calls: true} "A pure C function of two doubles that cannot fail.";

    // Objects: what they are.
    GuardType "guard_type" (o: Object) [Pointer] {exit: Guard} "Goes on if o's type is exactly imm (o is not null).";
    GuardIs "guard_is" (o: Object) [Pointer] {exit: Guard} "Goes on if o is the object imm (or null, if imm is).";
    GuardIsNot "guard_is_not" (o: Object) [Pointer] {exit: Guard} "Goes on if o is not the object imm (null: not null).";
    GuardSame "guard_same" (a: Object, b: Object) {exit: Guard} "Goes on if a and b are one object.";
    ObjectIs "object_is" (a: Object, b: Object) -> Int "1 if a and b are one object, else 0.";
    GuardUnshared "guard_unshared" (o: Object) {exit: Guard, reads: COUNTS} "Goes on if o's reference count is 1.";
    GuardShared "guard_shared" (o: Object) {exit: Guard, reads: COUNTS} "Goes on if o's 32-bit reference count is above 1, unsigned (so also if o is immortal): releasing one reference frees nothing.";
    LoadType "load_type" (o: Object) -> Object {reads: HEAP} "o's type, borrowed.";

    // Boxing.
    UnboxInt "unbox_int" (o: Object) -> Int {exit: Guard} "The value of an exact int; leaves if it does not fit 64 bits.";
    UnboxFloat "unbox_float" (o: Object) -> Float {reads: FLOAT_BOX} "The value of an exact float.";
    UnboxBool "unbox_bool" (o: Object) -> Int "1 for True, 0 for False; o is one of them.";
    BoxInt "box_int" (a: Int) -> Object {exit: Error, owned: true} "The int object of a value (from those kept; calls C out of line only).";
    BoxFloat "box_float" (a: Float) -> Object {exit: Error, owned: true} "A new float object (from the free list; calls C out of line only).";
    BoxBool "box_bool" (a: Int) -> Object [Pointer] "True or False for 1 or 0, borrowed (immortal); imm is the address of the table {False, True}.";

    // Reference counts.
    IncRef "incref" (o: Object) {writes: COUNTS, gains: 1} "One more reference to o.";
    DecRef "decref" (o: Object) {writes: ALL, reads: ALL, consumes: 1, exit: Never} "One reference less; may run a finaliser.";
    DecRefPlain "decref_plain" (o: Object) {writes: COUNTS, consumes: 1} "One reference less to an object whose death runs no code that could look (int, float, str, bool, None, range and its iterator).";
    XDecRef "xdecref" (o: Object) {writes: ALL, reads: ALL, consumes: 1} "As decref, for a value that may be null.";

    // The running frame.
    LoadSlot "load_slot" () -> Object [Slot] {reads: FRAME} "The content of a slot, borrowed from it (may be null).";
    TakeSlot "take_slot" () -> Object [Slot] {reads: FRAME, writes: FRAME, owned: true} "The content of a stack slot, whose reference the trace takes over; the slot is dead after.";
    StoreSlot "store_slot" (new: Object, old: Object) [Slot] {writes: FRAME, consumes: 1, gains: 2} "Puts new into a slot that holds old; the slot owns new, the trace owns old.";
    SyncSlot "sync_slot" (new: Object) [Slot] {writes: FRAME.union(COUNTS), reads: FRAME, consumes: 1} "Puts new into a slot whose stale content is a plain object or null, and releases that.";
    SetIp "set_ip" () [Word64] {writes: FRAME_IP} "Stores the address of the current instruction in the frame.";
    PollWord32 "poll_word32" () {exit: Guard, reads: VALIDITY} "Goes on if the 32-bit eval breaker word is as expected.";
    PollWord64 "poll_word64" () {exit: Guard, reads: VALIDITY} "Goes on if the 64-bit eval breaker word is as expected.";
    GuardNoFrameObject "guard_no_frame_object" () {exit: Guard, reads: VALIDITY} "Goes on if nobody has made a frame object of the running frame (8 bytes at FRAME_OBJECT in it are 0), so nobody can have changed its slots.";
    FrameSlot "frame_slot" (v: Object) [FrameWord] {writes: FRAMES} "Puts a borrowed reference (or null) into a slot of the frame of an inlined function, which stands or is about to.";
    PushFrame "push_frame" () [Pointer] {writes: FRAMES} "Makes the head of the frame of an inlined function from the image at imm; it is the current frame from now on, called by the one before. Its slots own no references while the trace runs.";
    GuardFrameUnseen "guard_frame_unseen" () [FrameWord] {exit: Guard, reads: FRAMES.union(VALIDITY)} "Goes on if nobody has made a frame object of a standing frame, or a dict of its locals, whose field for it is the word at imm. The exit goes on with the frames as they stand.";
    PopFrames "pop_frames" () [Int32] {writes: FRAMES} "The running frame is the current one again; the imm frames above it are no more.";
    GuardValid "guard_valid" () [Pointer] {exit: Guard, reads: VALIDITY} "Goes on if the 32-bit word at imm is 0: no assumption of the trace was broken.";

    CountTurn "count_turn" () [Pointer] {writes: TURNS} "Adds 1 to the 64-bit word at imm: the loop has made another turn.";

    // Lists and tuples.
    ListLen "list_len" (l: Object) -> Int {reads: SHAPE} "The length of a list.";
    ListItems "list_items" (l: Object) -> Int {reads: SHAPE} "The address of a list's first item.";
    ItemAt "item_at" (items: Int, i: Int) -> Object {reads: ITEMS} "The item, borrowed; bounds have been guarded.";
    ListExchange "list_exchange" (items: Int, i: Int, v: Object) -> Object {reads: ITEMS, writes: ITEMS, consumes: 4, owned: true} "Puts v at index i and returns the item that was there.";
    ListSetFloat "list_set_float" (items: Int, i: Int, a: Float) {exit: Error, reads: ITEMS.union(COUNTS), writes: ITEMS.union(COUNTS).union(FLOAT_BOX)} "Makes the float at index i, which is one, a: in its box if nobody but the list has that, else in a new one (calls C out of line only).";
    TupleLen "tuple_len" (t: Object) -> Int "The length of a tuple.";
    TupleItem "tuple_item" (t: Object, i: Int) -> Object "The item, borrowed; bounds have been guarded.";
    TupleItemImm "tuple_item_imm" (t: Object) -> Object [Int32] "Item number imm, borrowed; bounds have been guarded.";

    // Fields at an offset the host chooses.
    LoadObject "load_object" (o: Object) -> Object [Offset] {reads: HEAP} "An object field, borrowed (may be null).";
    LoadInt "load_int" (o: Object) -> Int [Offset] {reads: HEAP} "A 64-bit field.";
    LoadInt32 "load_int32" (o: Object) -> Int [Offset] {reads: HEAP} "An unsigned 32-bit field.";
    StoreObject "store_object" (o: Object, v: Object, old: Object) [Offset] {writes: HEAP, consumes: 2, gains: 4} "Overwrites an object field that holds old; it owns v from now on, and the trace old.";
    InstanceValues "instance_values" (o: Object) -> Int [Offset] {exit: Guard, reads: HEAP} "The address of the attributes of an instance that has no dict object: the word at imm, which is odd, and 1 more; leaves if it is not odd.";
    LoadVia "load_via" (values: Int) -> Object [Offset] {reads: HEAP} "The object at imm from an address, borrowed (may be null).";
    StoreVia "store_via" (values: Int, v: Object, old: Object) [Offset] {writes: HEAP, consumes: 2, gains: 4} "As store_object, at imm from an address.";
    FieldSetFloat "field_set_float" (o: Object, a: Float) [Offset] {exit: Error, reads: HEAP.union(COUNTS), writes: HEAP.union(COUNTS).union(FLOAT_BOX)} "Makes the float in an object field, which is one, a: as list_set_float.";
    ViaSetFloat "via_set_float" (values: Int, a: Float) [Offset] {exit: Error, reads: HEAP.union(COUNTS), writes: HEAP.union(COUNTS).union(FLOAT_BOX)} "As field_set_float, at imm from an address.";

    // Iterators.
    IterLoad "iter_load" (it: Object) -> Int [Offset] {reads: ITER} "A 64-bit field of an iterator (range: start, step, length; list and tuple: index).";
    IterStore "iter_store" (it: Object, v: Int) [Offset] {writes: ITER} "Sets such a field.";
    MakeRangeIterator "make_range_iterator" (start: Int, step: Int, length: Int) -> Object [Helper] {exit: Error, owned: true, calls: true} "A new range iterator with these fields, made by imm(start, step, length).";
    IterSequence "iter_sequence" (it: Object) -> Object [Offset] {reads: ITER} "The sequence a list or tuple iterator runs over, borrowed (null when exhausted).";

    // Calls of C functions. `call_*` may run anything; `leaf_*` are on the explicit list: no frames, no GIL, no Python code.
    CallObject1 "call_object_1" (a: Object) -> Object [Helper] {exit: Error, reads: ALL, writes: ALL, owned: true, calls: true} "imm(a), a new reference.";
    CallObject2 "call_object_2" (a: Object, b: Object) -> Object [Helper] {exit: Error, reads: ALL, writes: ALL, owned: true, calls: true} "imm(a, b), a new reference.";
    CallObject3 "call_object_3" (a: Object, b: Object, c: Object) -> Object [Helper] {exit: Error, reads: ALL, writes: ALL, owned: true, calls: true} "imm(a, b, c), a new reference.";
    CallStatus1 "call_status_1" (a: Object) -> Int [Helper] {exit: Error, reads: ALL, writes: ALL, calls: true} "imm(a), a C int; negative is an exception.";
    CallStatus2 "call_status_2" (a: Object, b: Object) -> Int [Helper] {exit: Error, reads: ALL, writes: ALL, calls: true} "imm(a, b), a C int; negative is an exception.";
    CallStatus3 "call_status_3" (a: Object, b: Object, c: Object) -> Int [Helper] {exit: Error, reads: ALL, writes: ALL, calls: true} "imm(a, b, c), a C int; negative is an exception.";
    LeafObject1 "leaf_object_1" (a: Object) -> Object [Helper] {exit: Error, reads: LEAF, writes: LEAF, owned: true, calls: true} "imm(a), a new reference.";
    LeafObject2 "leaf_object_2" (a: Object, b: Object) -> Object [Helper] {exit: Error, reads: LEAF, writes: LEAF, owned: true, calls: true} "imm(a, b), a new reference.";
    LeafStatus1 "leaf_status_1" (a: Object) -> Int [Helper] {exit: Error, reads: LEAF, writes: LEAF, calls: true} "imm(a), a C int; negative is an exception.";
    LeafStatus2 "leaf_status_2" (a: Object, b: Object) -> Int [Helper] {exit: Error, reads: LEAF, writes: LEAF, calls: true} "imm(a, b), a C int; negative is an exception.";
    LeafStatus3 "leaf_status_3" (a: Object, b: Object, c: Object) -> Int [Helper] {exit: Error, reads: LEAF, writes: LEAF, calls: true} "imm(a, b, c), a C int; negative is an exception.";
    PushArg "push_arg" (a: Object) [ArgIndex] {writes: ARGS} "Places a borrowed reference in the outgoing argument area.";
    GiveArg "give_arg" (a: Object) [ArgIndex] {writes: ARGS, consumes: 1} "Places a reference in the outgoing argument area, which the call takes over.";
    CallArgs "call_args" () -> Object [Helper] {exit: Error, reads: ALL, writes: ALL, owned: true, calls: true} "imm(address of the outgoing arguments), a new reference.";
    LeafArgs "leaf_args" () -> Object [Helper] {exit: Error, reads: LEAF.union(ARGS), writes: LEAF, owned: true, calls: true} "imm(address of the outgoing arguments), a new reference; on the explicit list.";
    Vectorcall "vectorcall" (callable: Object) -> Object [ArgCount] {exit: Error, reads: ALL, writes: ALL, owned: true, calls: true} "PyObject_Vectorcall(callable, the outgoing arguments from index 1 on, imm | ARGUMENTS_OFFSET, NULL).";
    LeafVectorcall "leaf_vectorcall" (callable: Object) -> Object [ArgCount] {exit: Error, reads: LEAF.union(ARGS), writes: LEAF, owned: true, calls: true} "As vectorcall, of a function on the explicit list.";
}

impl Uop {
    /// What the table says about it.
    #[inline]
    pub fn info(self) -> &'static UopInfo {
        &Self::INFO[self as usize]
    }
    /// Its name in the text form.
    #[inline]
    pub fn name(self) -> &'static str {
        self.info().name
    }
    /// The uop of that name.
    pub fn from_name(name: &str) -> Option<Uop> {
        Self::ALL.iter().copied().find(|uop| uop.name() == name)
    }
}
