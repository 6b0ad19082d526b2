//! Uops on raw values: each in many placements, with every register filled, against the meaning in Rust.

mod support;

use std::cmp::Ordering::{Equal, Less};

use serigraph_stencil::{Class, Register, StencilTable};
use serigraph_uops::{Immediate, Uop};
use support::{END, GUARD, Machine, Random, fp, gp, tables};

/// What a uop must do: leave, or go on with these bits as its result (or with none).
#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    Leaves,
    GoesOn(Option<u64>),
}

fn int(value: Option<i64>) -> Outcome {
    value.map_or(Outcome::Leaves, |v| Outcome::GoesOn(Some(v as u64)))
}
fn float(value: f64) -> Outcome {
    Outcome::GoesOn(Some(value.to_bits()))
}
fn guard(holds: bool) -> Outcome {
    if holds {
        Outcome::GoesOn(None)
    } else {
        Outcome::Leaves
    }
}
fn floor_division(a: i64, b: i64) -> Option<(i64, i64)> {
    let (quotient, remainder) = (a.checked_div(b)?, a.checked_rem(b)?);
    let adjust = remainder != 0 && (remainder < 0) != (b < 0);
    Some(if adjust {
        (quotient - 1, remainder + b)
    } else {
        (quotient, remainder)
    })
}

/// The meaning of the uops on raw values; `None` for the others, which have tests of their own.
fn meaning(uop: Uop, bits: [u64; 3], imm: u64) -> Option<Outcome> {
    let (a, b, i) = (bits[0] as i64, bits[1] as i64, imm as i64);
    let (x, y) = (f64::from_bits(bits[0]), f64::from_bits(bits[1]));
    let truth = |value: bool| int(Some(value as i64));
    let fits53 = |v: i64| v.unsigned_abs() >> 53 == 0;
    Some(match uop {
        Uop::ConstInt | Uop::ConstObject | Uop::ConstFloat => Outcome::GoesOn(Some(imm)),
        Uop::IntAdd => int(a.checked_add(b)),
        Uop::IntSub => int(a.checked_sub(b)),
        Uop::IntMul => int(a.checked_mul(b)),
        Uop::IntAddImm => int(a.checked_add(i)),
        Uop::IntMulImm => int(a.checked_mul(i)),
        Uop::IntNeg => int(a.checked_neg()),
        Uop::IntFloorDiv => int(floor_division(a, b).map(|r| r.0)),
        Uop::IntMod => int(floor_division(a, b).map(|r| r.1)),
        Uop::IntFloorDivImm => int(floor_division(a, i).map(|r| r.0)),
        Uop::IntModImm => int(floor_division(a, i).map(|r| r.1)),
        Uop::IntAddWrap => int(Some(a.wrapping_add(b))),
        Uop::IntSubWrap => int(Some(a.wrapping_sub(b))),
        Uop::IntAddWrapImm => int(Some(a.wrapping_add(i))),
        Uop::IntAnd => int(Some(a & b)),
        Uop::IntOr => int(Some(a | b)),
        Uop::IntXor => int(Some(a ^ b)),
        Uop::IntAndImm => int(Some(a & i)),
        Uop::IntInvert => int(Some(!a)),
        Uop::IntShl => int((0..64).contains(&b).then(|| a << b).filter(|s| s >> b == a)),
        Uop::IntShr => int((b >= 0).then(|| a >> b.min(63))),
        Uop::IntShlImm => int(Some(a << (i & 63)).filter(|s| s >> (i & 63) == a)),
        Uop::IntShrImm => int(Some(a >> (i & 63))),
        Uop::IntLt => truth(a < b),
        Uop::IntLe => truth(a <= b),
        Uop::IntEq => truth(a == b),
        Uop::IntNe => truth(a != b),
        Uop::IntToFloat => float(a as f64),
        Uop::IntTrueDiv if b == 0 || !fits53(a) || !fits53(b) => Outcome::Leaves,
        Uop::IntTrueDiv => float(a as f64 / b as f64),
        Uop::GuardIntLt => guard(a < b),
        Uop::GuardIntLe => guard(a <= b),
        Uop::GuardIntEq | Uop::GuardSame => guard(a == b),
        Uop::GuardIntNe => guard(a != b),
        Uop::GuardIntBelow => guard((a as u64) < b as u64),
        Uop::GuardIntLtImm => guard(a < i),
        Uop::GuardIntLeImm => guard(a <= i),
        Uop::GuardIntGtImm => guard(a > i),
        Uop::GuardIntGeImm => guard(a >= i),
        Uop::GuardIntEqImm => guard(a == i),
        Uop::GuardIntNeImm => guard(a != i),
        Uop::GuardTrue => guard(a != 0),
        Uop::GuardFalse => guard(a == 0),
        Uop::GuardIs => guard(bits[0] == imm),
        Uop::GuardIsNot => guard(bits[0] != imm),
        Uop::ObjectIs => truth(a == b),
        Uop::FloatAdd => float(x + y),
        Uop::FloatSub => float(x - y),
        Uop::FloatMul => float(x * y),
        Uop::FloatDiv if y == 0.0 => Outcome::Leaves,
        Uop::FloatDiv => float(x / y),
        Uop::FloatNeg => float(-x),
        Uop::FloatAbs => float(x.abs()),
        Uop::FloatSqrt => float(x.sqrt()),
        Uop::FloatToInt => int((-9223372036854775808.0..9223372036854775808.0)
            .contains(&x)
            .then(|| x.trunc() as i64)),
        Uop::FloatLt => truth(x < y),
        Uop::FloatLe => truth(x <= y),
        Uop::FloatEq => truth(x == y),
        Uop::FloatNe => truth(x != y),
        Uop::GuardFloatLt => guard(x < y),
        Uop::GuardFloatLe => guard(x <= y),
        Uop::GuardFloatEq => guard(x == y),
        Uop::GuardFloatNotLt => guard(!matches!(x.partial_cmp(&y), Some(Less))),
        Uop::GuardFloatNotLe => guard(!matches!(x.partial_cmp(&y), Some(Less | Equal))),
        Uop::GuardFloatNe => guard(x != y),
        _ => return None,
    })
}

fn int_value(random: &mut Random) -> u64 {
    const NOTABLE: [i64; 18] = [
        0,
        1,
        -1,
        2,
        3,
        -3,
        7,
        63,
        64,
        100,
        -100,
        i32::MAX as i64,
        i32::MIN as i64,
        u32::MAX as i64,
        i64::MAX,
        i64::MIN,
        (1 << 53) - 1,
        1 << 53,
    ];
    match random.below(4) {
        0 => random.next(),
        1 => (random.next() as i64 >> 40) as u64,
        2 => random.below(70) as u64,
        _ => random.pick(&NOTABLE) as u64,
    }
}

fn float_value(random: &mut Random) -> u64 {
    const NOTABLE: [f64; 14] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.5,
        -2.5,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        -9223372036854775808.0,
        9223372036854775808.0,
    ];
    match random.below(3) {
        0 => (random.next() as i64 as f64 / 1e12).to_bits(),
        1 => (random.below(10) as f64).to_bits(),
        _ => random.pick(&NOTABLE).to_bits(),
    }
}

fn value(class: Class, random: &mut Random) -> u64 {
    match class {
        Class::Gp => int_value(random),
        Class::Fp => float_value(random),
    }
}

fn immediate(uop: Uop, first_input: u64, random: &mut Random) -> u64 {
    match (uop, uop.info().immediate) {
        (Uop::IntFloorDivImm | Uop::IntModImm, _) => match random.below(3) {
            0 => 2 + random.below(20) as u64,
            1 => (1 << (1 + random.below(29))) + random.below(3) as u64,
            _ => (random.next() >> 33).max(2),
        },
        (Uop::IntShlImm, _) => random.below(63) as u64,
        (Uop::IntShrImm, _) => random.below(64) as u64,
        (_, Immediate::Int32)
            if i32::try_from(first_input as i64).is_ok() && random.below(3) == 0 =>
        {
            first_input
        }
        (_, Immediate::Int32) => random.next() as i32 as u64,
        (_, Immediate::Float64) => float_value(random),
        (_, Immediate::Pointer) if random.below(2) == 0 => first_input,
        _ => int_value(random),
    }
}

fn register(class: Class, random: &mut Random) -> Register {
    match class {
        Class::Gp => gp(random.below(7) as u8),
        Class::Fp => fp(random.below(8) as u8),
    }
}

/// A random placement, and the result beside or on top of the inputs as the table allows.
fn placement(table: &StencilTable, uop: Uop, random: &mut Random) -> (Vec<Register>, Register) {
    let constraints = table.constraints(uop);
    let inputs: Vec<Register> = constraints
        .inputs
        .iter()
        .flatten()
        .map(|&c| register(c, random))
        .collect();
    let Some(class) = constraints.output else {
        return (inputs, Register::NONE);
    };
    loop {
        let output = register(class, random);
        let mut on_top = inputs
            .iter()
            .enumerate()
            .filter(|&(_, &input)| input == output);
        if on_top.all(|(index, _)| constraints.output_may_alias >> index & 1 == 1) {
            return (inputs, output);
        }
    }
}

#[test]
fn uops_mean_what_the_table_says() {
    let mut random = Random(0x5eed);
    for table in tables() {
        let mut machine = Machine::new(table);
        let mut tested = 0;
        for &uop in Uop::ALL.iter().filter(|uop| uop.info().has_stencil) {
            if meaning(uop, [1; 3], 1).is_none() {
                continue;
            }
            tested += 1;
            let constraints = table.constraints(uop);
            for round in 0..150 {
                let (inputs, output) = placement(table, uop, &mut random);
                let mut before = random.registers();
                for &input in &inputs {
                    let bits = value(input.class().unwrap(), &mut random);
                    before.set(input, bits);
                }
                if round % 8 == 0 && inputs.len() == 2 {
                    before.set(inputs[1], before.get(inputs[0]));
                }
                if uop == Uop::FloatSqrt {
                    before.set(
                        inputs[0],
                        f64::from_bits(before.get(inputs[0])).abs().to_bits(),
                    );
                }
                let bits: [u64; 3] =
                    std::array::from_fn(|i| inputs.get(i).map_or(0, |&r| before.get(r)));
                let imm = immediate(uop, bits[0], &mut random);
                let wanted = meaning(uop, bits, imm).unwrap();
                let exit_given = constraints.has_exit;
                let left = machine.run(&before, |assembler, exit| {
                    assembler.uop(uop, &inputs, output, imm, exit_given.then_some(exit));
                });
                let context = format!(
                    "{} {inputs:?} -> {output:?} {bits:x?} imm {imm:#x}",
                    uop.name()
                );
                let mut after = before;
                match wanted {
                    Outcome::Leaves => {
                        assert_eq!(left.exit, GUARD, "{context}");
                        let below: Vec<usize> =
                            (0..inputs.len()).filter(|&i| inputs[i] == output).collect();
                        let restored =
                            matches!(below[..], [input] if constraints.restores >> input & 1 == 1);
                        if constraints.output_before_exit && !restored {
                            after.set(output, left.registers.get(output));
                        }
                    }
                    Outcome::GoesOn(result) => {
                        assert_eq!(left.exit, END, "{context}");
                        if let Some(result) = result {
                            let found = left.registers.get(output);
                            let both_nan = output.class() == Some(Class::Fp)
                                && f64::from_bits(found).is_nan()
                                && f64::from_bits(result).is_nan();
                            assert!(
                                found == result || both_nan,
                                "{context}: {found:#x} instead of {result:#x}"
                            );
                            after.set(output, found);
                        }
                    }
                }
                assert_eq!(left.registers, after, "{context}: a register changed");
            }
        }
        assert!(tested > 60, "only {tested} uops were tested");
    }
}

#[test]
fn moves_spills_and_constants() {
    let mut random = Random(0xabc);
    for table in tables() {
        let mut machine = Machine::new(table);
        for _ in 0..300 {
            let before = random.registers();
            let (a, b) = (random.below(7) as u8, random.below(7) as u8);
            let (x, y) = (random.below(8) as u8, random.below(8) as u8);
            let slot = random.below(200) as u32;
            let constant = value(Class::Gp, &mut random);
            let double = value(Class::Fp, &mut random);
            let mut wanted = before;
            let left = machine.run(&before, |assembler, _| {
                use serigraph_stencil::{Fp, Gp};
                let (a, b) = (Gp::new(a), Gp::new(b));
                let (x, y) = (Fp::new(x), Fp::new(y));
                // Swap through the scratch registers, then round through a spill slot.
                assembler.save_gp(a);
                assembler.move_gp(a, b);
                assembler.restore_gp(b);
                assembler.save_fp(x);
                assembler.move_fp(x, y);
                assembler.restore_fp(y);
                assembler.spill_gp(slot, a);
                assembler.constant_gp(a, constant);
                assembler.spill_fp((slot + 1) % 200, x);
                assembler.constant_fp(x, double);
                assembler.reload_saved(slot);
                assembler.spill_saved((slot + 2) % 200);
                assembler.reload_gp(b, (slot + 2) % 200);
                assembler.reload_fp(y, (slot + 1) % 200);
                wanted.gp.swap(a.index(), b.index());
                wanted.fp.swap(x.index(), y.index());
                let (spilled, spilled_double) = (wanted.gp[a.index()], wanted.fp[x.index()]);
                wanted.gp[a.index()] = constant;
                wanted.fp[x.index()] = double;
                wanted.gp[b.index()] = spilled;
                wanted.fp[y.index()] = spilled_double;
            });
            assert_eq!(left.exit, END);
            assert_eq!(left.registers, wanted, "{a} {b} {x} {y} {slot}");
        }
    }
}
