//! Why a recording stopped, a trace was not made, was left, or was thrown away: one list, with a text for people.

macro_rules! reasons {
    ($( $variant:ident $name:literal $text:literal; )*) => {
        /// A named reason. Each has a counter in the statistics.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $( #[doc = $text] $variant ),* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[ $( Reason::$variant ),* ];
            /// The name used in statistics and logs.
            pub const fn name(self) -> &'static str {
                match self { $( Reason::$variant => $name ),* }
            }
            /// What it means, for people.
            pub const fn text(self) -> &'static str {
                match self { $( Reason::$variant => $text ),* }
            }
        }
    };
}

reasons! {
    // A recording ended without a trace.
    UnsupportedOpcode "unsupported-opcode" "the trace met an instruction that cannot be recorded yet";
    UnsupportedOperands "unsupported-operands" "the instruction was given operands of a kind that cannot be recorded yet";
    ExceptionRaised "exception-raised" "an exception was raised while recording";
    InsideHandler "inside-exception-handler" "the loop is inside an except or finally handler";
    TraceTooLong "trace-too-long" "the recording grew past its limit before the loop came round";
    TooManyValues "too-many-values" "the trace needs more live values than there are spill slots";
    LeftTheFrame "left-the-frame" "the frame of the loop returned before the loop came round";
    LoopInCallee "loop-in-callee" "an inlined function contains a loop of its own";
    EscapeInCallee "escape-in-callee" "an inlined function iterates over something whose code could look at its frame";
    CallsCostMore "calls-cost-more" "the loop does little but call Python functions that cannot be inlined, which the interpreter calls more cheaply";
    CallTooDeep "call-too-deep" "functions called inside one another past the inlining limit";
    RecursiveCall "recursive-call" "a function called itself";
    CalleeChanged "callee-changed" "the function called is not the one seen before";
    NotLooping "not-looping" "the recording came to no loop that it could link to";
    TypesUnstable "types-unstable" "a variable changes its type from one iteration to the next in a way that cannot be carried";
    UnheldConstant "unheld-constant" "an object that the trace would name can neither be kept alive by it nor tell of its death";
    WorldChanged "world-changed" "tools, code or assumptions changed while a call-out ran during recording";
    GeneratorFrame "generator-frame" "the frame belongs to a generator or coroutine";
    BadCode "bad-code" "the code object's bytecode is not what a compiler produces";
    NestedRecording "nested-recording" "another recording is active on this thread";
    TooManyTraces "too-many-traces" "this loop has reached its limit of traces";
    CodeMemoryFull "code-memory-full" "the limit on code memory is reached";
    OutOfMemory "out-of-memory" "the operating system refused memory or a protection change";
    VerifierFailed "verifier-failed" "the trace was not well formed; please report this";
    NotSelected "not-selected" "the trace is not selected by SERIGRAPH_ONLY";

    // A hot loop was not entered.
    ToolsActive "tools-active" "a debugger, profiler or tracer watches this code";
    EntryTypes "entry-types" "the variables did not have the types that the trace expects";
    EntryGlobals "entry-globals" "the code ran with other globals or builtins than those that the trace was made for";
    FrameObject "frame-object" "a frame object of the running frame exists, through which its variables may change at any call";
    NestedTooDeep "nested-too-deep" "too many traces are already on the C stack";
    NotMainInterpreter "not-main-interpreter" "the thread belongs to a sub-interpreter";

    // A trace was left.
    GuardFailed "guard-failed" "a value or type was not as recorded, or a branch went the other way";
    LoopEnded "loop-ended" "the loop's iterator or condition ended it";
    ErrorExit "error" "an operation raised an exception";
    PollExit "poll" "a signal, another thread, or the garbage collector wants a turn";
    InvalidExit "invalidated" "an assumption of the trace no longer holds";
    TraceEnd "trace-end" "the recorded path ended at an instruction that is left to the interpreter";

    // A trace was thrown away.
    GlobalChanged "global-changed" "a global or builtin that was taken as constant changed";
    FunctionChanged "function-changed" "a function that was inlined was changed";
    TypeChanged "type-changed" "a class that was relied on was changed";
    CodeDestroyed "code-destroyed" "the code object died";
    Disabled "disabled" "Serigraph was switched off";
    MemoryTraced "memory-traced" "tracemalloc was started, which wants each allocation with its line: the program runs in the interpreter until it is stopped";
    RecursionLimit "recursion-limit" "a lower recursion limit was set while machine code ran";
    Evicted "evicted" "the trace had to make room for others";
    NotPaying "not-paying" "the trace was left again too soon, or its loop was seldom entered, so the interpreter is faster";
}
