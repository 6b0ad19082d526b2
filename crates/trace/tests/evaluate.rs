//! Evaluation on the test host, and what exits restore.

use serigraph_trace::eval::{Outcome, Stop, run};
use serigraph_trace::exit::plan_exits;
use serigraph_trace::parse::parse;
use serigraph_trace::testhost::{TestHost, Type, functions};
use serigraph_trace::verify::verify;

/// Evaluates a text, leaves, and gives the state; the host is checked for leaks.
fn leave(host: &mut TestHost, text: &str) -> (Outcome, String) {
    let trace = parse(text).unwrap_or_else(|e| panic!("{e}"));
    verify(&trace).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let exits = plan_exits(&trace).unwrap();
    let outcome = run(&trace, host, &[], 1000);
    host.raised = matches!(outcome.stop, Stop::Exit { raised: true, .. });
    host.leave(&trace, &exits, &outcome);
    let state = host.describe();
    assert_eq!(host.finish(), Vec::<String>::new(), "{text}");
    (outcome, state)
}

#[test]
fn a_loop_over_a_range_leaves_with_boxes() {
    let mut host = TestHost::new(4);
    let iterator = host.heap.range_iterator(0, 3, 100);
    let start = host.heap.int(1000);
    host.set_slot(0, start);
    host.set_slot(1, iterator);
    let range = host.heap.type_address(Type::RangeIterator);
    let int = host.heap.type_address(Type::Int);
    let text = format!(
        "trace root locals 1 top 2
  v0: object = load_slot 0
  v1: object = load_slot 1
  guard_type v0, {int:#x} @s0
  guard_type v1, {range:#x} @s0
  v4: int = unbox_int v0 @s0
  v5: int = iter_load v1, 16
  v6: int = iter_load v1, 32
  guard_true v6 @s0
  loop
  v9: int = phi v4
  v10: int = phi v5
  v11: int = phi v6
  v12: object = sunk box_int v9
  guard_int_gt_imm v11, 0 @s1
  v14: int = int_add_wrap_imm v10, 3
  v15: int = int_add_wrap_imm v11, -1
  v16: int = int_add v9, v10 @s2
end loop v16, v14, v15
params v9 int 0, v10 field 1+16, v11 field 1+32, v1 object 1
s0: [f0 ip=7 top=2 0=v0 1=v1]
s1: [f0 ip=7 top=2 0=v12 1=v1] store v1+16=v10, v1+32=v11 reason loop-ended
s2: [f0 ip=9 top=2 0=v12 1=v1] store v1+16=v14, v1+32=v15
"
    );
    let (outcome, state) = leave(&mut host, &text);
    assert_eq!(outcome.iterations, 100);
    assert_eq!(
        state,
        "f0 ip=7 top=2\n  0 = #0*1=15850\n  1 = #1*1=range(300, 3, 0)\n"
    );
}

#[test]
fn a_call_that_raises_leaves_before_its_instruction() {
    let mut host = TestHost::new(4);
    let (a, b) = (host.heap.noisy(1), host.heap.float(1.5));
    host.set_slot(0, a);
    host.set_slot(1, b);
    let text = format!(
        "trace root locals 2 top 2
  v0: object = load_slot 0
  v1: object = load_slot 1
  incref v0
  incref v1
  v4: object = call_object_2 v1, v1, {add} @s0
  v5: object = call_object_2 v4, v0, {add} @s1
  decref v0
  decref v1
  decref v4
  decref v5
end exit s2
s0: [f0 ip=3 top=4 0=v0 1=v1 2=v1 3=v0]
s1: [f0 ip=4 top=4 0=v0 1=v1 2=v4 3=v0] reason error
s2: [f0 ip=5 top=2 0=v0 1=v1]
",
        add = functions::ADD
    );
    let (_, state) = leave(&mut host, &text);
    let expected = "f0 ip=4 top=4\n  0 = #0*2=noisy 1\n  1 = #1*1=1.5\n  2 = #2*1=3.0\n  3 = #0\n\
        log: add(#0=1.5, #0=1.5)\nlog: add(#0=3.0, #0=noisy 1)\nan exception is set\n";
    assert_eq!(state, expected);
}

#[test]
fn what_a_store_displaces_dies_in_order() {
    let mut host = TestHost::new(2);
    let (a, b) = (host.heap.noisy(1), host.heap.noisy(2));
    let list = host.heap.list(&[a, b]);
    host.set_slot(0, list);
    let list_type = host.heap.type_address(Type::List);
    let none = host.heap.none();
    let text = format!(
        "trace root locals 1 top 1
  v0: object = load_slot 0
  guard_type v0, {list_type:#x} @s0
  v2: int = list_len v0
  v3: int = const_int 1
  guard_int_below v3, v2 @s0
  v5: int = list_items v0
  v6: object = const_object {none:#x}
  incref v6
  v8: object = list_exchange v5, v3, v6
  decref v8
  v10: object = const_object 0
  store_slot v10, v0, 0
  decref v0
end exit s1
s0: [f0 ip=3 top=1 0=v0]
s1: [f0 ip=4 top=1 0=v10]
"
    );
    let (_, state) = leave(&mut host, &text);
    assert_eq!(
        state,
        "f0 ip=4 top=1\n  0 = null\nlog: death of noisy 2\nlog: death of noisy 1\n"
    );
}

#[test]
fn a_leak_and_a_double_free_are_found() {
    let mut host = TestHost::new(1);
    host.heap.float(1.0);
    assert_eq!(host.finish(), ["a Float has leaked"]);
    let mut host = TestHost::new(1);
    let float = host.heap.float(1.0);
    host.heap.decref(float);
    host.heap.decref(float);
    assert_eq!(host.finish(), ["decref of what is no object"]);
}

#[test]
fn big_ints_unbox_as_long_as_they_fit() {
    use serigraph_trace::eval::unbox_int;
    let mut host = TestHost::new(1);
    for value in [
        0,
        1,
        -5,
        256,
        257,
        -1000,
        1 << 30,
        -(1 << 45),
        i64::MAX,
        i64::MIN,
        i64::MIN + 1,
    ] {
        let object = host.heap.int(value);
        assert_eq!(unbox_int(&host, object), Some(value));
    }
    for value in [
        i128::from(i64::MAX) + 1,
        i128::from(i64::MIN) - 1,
        1 << 89,
        1 << 100,
    ] {
        let object = host.heap.big_int(value);
        assert_eq!(unbox_int(&host, object), None, "{value}");
    }
}
