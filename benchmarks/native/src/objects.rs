//! Loops over objects, dicts and heaps.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hint::black_box;

/// The generator of numbers that the kernels share.
pub fn next_random(seed: i64) -> i64 {
    (seed * 1_103_515_245 + 12345) & 0x7FFF_FFFF
}

pub fn attributes() -> String {
    struct Particle {
        x: f64,
        v: f64,
        hits: i64,
    }
    let particle = |i: i64| {
        Box::new(Particle {
            x: i as f64 * 0.5,
            v: i as f64 - 8.0,
            hits: 0,
        })
    };
    let mut particles: Vec<Box<Particle>> = (0..black_box(16)).map(particle).collect();
    for _ in 0..black_box(60_000) {
        for p in &mut particles {
            p.x += p.v * 0.125;
            if p.x > 100.0 || p.x < -100.0 {
                p.v = -p.v;
                p.hits += 1;
            }
        }
    }
    let (mut total, mut hits) = (0.0, 0);
    for p in &particles {
        total += p.x;
        hits += p.hits;
    }
    (i128::from((total * 1e6) as i64) * 1_000_000 + i128::from(hits)).to_string()
}

pub fn method_calls() -> String {
    struct Account {
        balance: i64,
        count: i64,
    }
    impl Account {
        #[inline(never)]
        fn deposit(&mut self, amount: i64) {
            self.balance += amount;
            self.count += 1;
        }
        #[inline(never)]
        fn withdraw(&mut self, amount: i64) -> bool {
            let enough = amount <= self.balance;
            if enough {
                self.balance -= amount;
                self.count += 1;
            }
            enough
        }
    }
    let mut account = Account {
        balance: 100,
        count: 0,
    };
    let mut refused = 0;
    for i in 0..black_box(600_000) {
        account.deposit(i % 7);
        if !account.withdraw(i % 11) {
            refused += 1;
        }
    }
    (account.balance * 10_000_000 + account.count + refused).to_string()
}

pub fn dict_counting() -> String {
    let mut counts: HashMap<i64, i64> = HashMap::new();
    let mut seed = 1;
    for _ in 0..black_box(1_000_000) {
        seed = next_random(seed);
        *counts.entry((seed >> 12) % 1000).or_insert(0) += 1;
    }
    let best = counts.iter().map(|(key, count)| count * 1000 + key).max();
    (best.unwrap_or(0) * 10_000 + counts.len() as i64).to_string()
}

pub fn event_simulation() -> String {
    let mut seed = 99;
    let mut events: BinaryHeap<Reverse<(i64, u8, i64)>> = BinaryHeap::new();
    events.extend((0..50).map(|k| Reverse((k, 0, k))));
    let mut waiting: Vec<(i64, i64)> = Vec::new();
    let mut free = 2;
    let (mut served, mut total_wait, mut number) = (0, 0, 50);
    while served < black_box(60_000) {
        let Some(Reverse((time, kind, customer))) = events.pop() else {
            break;
        };
        seed = next_random(seed);
        if kind == 0 {
            waiting.push((time, customer));
            events.push(Reverse((time + (seed >> 8) % 100 + 20, 0, number)));
            number += 1;
        } else {
            free += 1;
            served += 1;
        }
        while free > 0
            && let Some((arrived, customer)) = waiting.pop()
        {
            free -= 1;
            total_wait += time - arrived;
            events.push(Reverse((time + (seed >> 12) % 5 + 1, 1, customer)));
        }
    }
    (total_wait * 1000 + waiting.len() as i64 % 1000).to_string()
}

pub fn sort_key() -> String {
    struct Record {
        name: i64,
        rank: i64,
    }
    let mut seed = 7;
    let mut records = Vec::new();
    for _ in 0..black_box(100_000) {
        seed = next_random(seed);
        records.push(Box::new(Record {
            name: seed >> 16,
            rank: seed % 1000,
        }));
    }
    records.sort_by_cached_key(|r| (r.rank, -r.name));
    let mut checksum = 0;
    for r in &records {
        checksum = (checksum * 31 + r.name) % 1_000_000_007;
    }
    checksum.to_string()
}

/// A value as JSON has them.
enum Node {
    Number(i64),
    Text(&'static str),
    List(Vec<Node>),
    Dict(Vec<(&'static str, Node)>),
}

fn build(depth: u32, seed: i64) -> Node {
    if depth == 0 {
        return Node::Number(seed.rem_euclid(100));
    }
    if depth % 2 == 1 {
        return Node::List((0..5).map(|k| build(depth - 1, seed * 3 + k)).collect());
    }
    Node::Dict(vec![
        ("a", build(depth - 1, seed + 1)),
        ("b", build(depth - 1, seed * 2)),
        ("n", Node::Number(seed.rem_euclid(10))),
        ("t", Node::Text("leaf")),
    ])
}

fn walk(node: &Node) -> i64 {
    match node {
        Node::Dict(items) => items.iter().map(|(_, value)| walk(value)).sum::<i64>() + 1,
        Node::List(items) => items.iter().map(walk).sum::<i64>() + 2,
        Node::Text(text) => text.len() as i64,
        Node::Number(number) => *number,
    }
}

pub fn tree_walk() -> String {
    let tree = build(black_box(10), 1);
    let total: i64 = (0..4).map(|_| walk(black_box(&tree))).sum();
    total.to_string()
}
