//! Loops over integers and floats. Integers are checked for overflow, as Python's are exact.

use std::hint::black_box;

/// Sum of squares of 0..n, exact, or how far it fits.
fn sum_squares(n: i64) -> Result<i64, (i64, i64)> {
    let mut total: i64 = 0;
    for i in 0..n {
        match i
            .checked_mul(i)
            .and_then(|square| total.checked_add(square))
        {
            Some(sum) => total = sum,
            None => return Err((i, total)),
        }
    }
    Ok(total)
}

pub fn int_sum_squares() -> String {
    let mut total = 0;
    for _ in 0..5 {
        total = sum_squares(black_box(2_000_000)).expect("it fits");
    }
    total.to_string()
}

pub fn int_sum_overflow() -> String {
    let n = black_box(10_000_000);
    match sum_squares(n) {
        Ok(total) => total.to_string(),
        Err((from, total)) => {
            let mut total = i128::from(total);
            for i in from..n {
                total += i128::from(i) * i128::from(i);
            }
            total.to_string()
        }
    }
}

pub fn mandelbrot() -> String {
    let size: i64 = black_box(160);
    let limit: i64 = black_box(100);
    let (mut inside, mut steps) = (0i64, 0i64);
    for row in 0..size {
        let ci = 2.0 * row as f64 / size as f64 - 1.0;
        for column in 0..size {
            let cr = 3.0 * column as f64 / size as f64 - 2.0;
            let (mut zr, mut zi) = (0.0f64, 0.0f64);
            let mut n = 0i64;
            while n < limit {
                let r2 = zr * zr;
                let i2 = zi * zi;
                if r2 + i2 > 4.0 {
                    break;
                }
                zi = 2.0 * zr * zi + ci;
                zr = r2 - i2 + cr;
                n += 1;
            }
            steps += n;
            if n == limit {
                inside += 1;
            }
        }
    }
    (inside * 1_000_000_000 + steps).to_string()
}

pub fn float_recurrence() -> String {
    let mut x: f64 = black_box(0.3);
    let r: f64 = black_box(3.9);
    for _ in 0..black_box(5_000_000) {
        x = r * x * (1.0 - x);
    }
    ((x * 1e15) as i64).to_string()
}

pub fn collatz() -> String {
    let (mut best, mut best_start) = (0i64, 0i64);
    for start in 1..black_box(60_000i64) {
        let mut n = start;
        let mut steps = 0;
        while n != 1 {
            if n % 2 == 0 {
                n /= 2;
            } else {
                n = n
                    .checked_mul(3)
                    .and_then(|n| n.checked_add(1))
                    .expect("it fits");
            }
            steps += 1;
        }
        if steps > best {
            best = steps;
            best_start = start;
        }
    }
    (best_start * 1000 + best).to_string()
}

pub fn gcd() -> String {
    let n = black_box(700i64);
    let mut total = 0i64;
    for a in 1..n {
        for b in 1..n {
            let (mut x, mut y) = (a, b);
            while y != 0 {
                (x, y) = (y, x.rem_euclid(y));
            }
            total += x;
        }
    }
    total.to_string()
}

pub fn fib() -> String {
    fn fib(n: i64) -> i64 {
        if n < 2 {
            return n;
        }
        fib(n - 1).checked_add(fib(n - 2)).expect("it fits")
    }
    fib(black_box(27)).to_string()
}

pub fn calls() -> String {
    #[inline(never)]
    fn clamp(x: i64, low: i64, high: i64) -> i64 {
        x.clamp(low, high)
    }
    #[inline(never)]
    fn scale(x: i64, factor: i64) -> i64 {
        clamp(x * factor, 0, 1_000_000)
    }
    let mut total = 0i64;
    for i in 0..black_box(1_000_000) {
        total += scale(i, 3) - clamp(i, 10, 1000);
    }
    total.to_string()
}

pub fn generator_sum() -> String {
    let n = black_box(1_000_000i64);
    let numbers = (0..n).map(|i| i * 2);
    let total: i64 = numbers.filter(|x| x % 3 != 0).sum();
    let squares: i64 = (0..n / 2).map(|x| x * x).sum();
    (total + squares).to_string()
}
