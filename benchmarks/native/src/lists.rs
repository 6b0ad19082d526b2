//! Loops over lists, with every index checked.

use std::hint::black_box;

use crate::objects::next_random;

pub fn sieve() -> String {
    let n: usize = black_box(1_000_000);
    let mut flags = vec![true; n + 1];
    flags[0] = false;
    flags[1] = false;
    let mut i = 2;
    while i * i <= n {
        if flags[i] {
            let mut j = i * i;
            while j <= n {
                flags[j] = false;
                j += i;
            }
        }
        i += 1;
    }
    flags.iter().filter(|&&flag| flag).count().to_string()
}

pub fn matmul() -> String {
    fn matrix(n: usize, seed: usize) -> Vec<Vec<f64>> {
        let element = |i, j| ((i * seed + j * 7) % 13) as f64 / 13.0;
        (0..n)
            .map(|i| (0..n).map(|j| element(i, j)).collect())
            .collect()
    }
    let n = black_box(120);
    let (a, b) = (matrix(n, 3), matrix(n, 5));
    let mut c = vec![vec![0.0f64; n]; n];
    for i in 0..n {
        for j in 0..n {
            let mut total = 0.0;
            for k in 0..n {
                total += a[i][k] * b[k][j];
            }
            c[i][j] = total;
        }
    }
    let mut trace = 0.0;
    for (i, row) in c.iter().enumerate() {
        trace += row[i] + row[n - 1 - i];
    }
    ((trace * 1e9) as i64).to_string()
}

/// The bodies, with their coordinates in one vector each.
struct Bodies {
    position: [Vec<f64>; 3],
    speed: [Vec<f64>; 3],
    mass: Vec<f64>,
}

impl Bodies {
    #[rustfmt::skip]
    fn new() -> Self {
        Self {
            position: [
                vec![0.0, 4.841_431_442_464_721, 8.343_366_718_244_58, 12.894_369_562_139_131, 15.379_697_114_850_917],
                vec![0.0, -1.160_320_044_027_428_4, 4.124_798_564_124_305, -15.111_151_401_698_631, -25.919_314_609_987_964],
                vec![0.0, -0.103_622_044_471_123_11, -0.403_523_417_114_321_4, -0.223_307_578_892_655_73, 0.179_258_772_950_371_18],
            ],
            speed: [
                vec![0.0, 0.606326392995832, -1.01077434617879, 1.08279100644154, 0.979090732243898],
                vec![0.0, 2.81198684491626, 1.82566237123041, 0.868713018169608, 0.594698998647676],
                vec![0.0, -0.0252183616598876, 0.00841576137658415, -0.0108326374013636, -0.0347559555780865],
            ],
            mass: vec![39.4784176043574, 0.0376936749096657, 0.0112863261319688, 0.00172372405705971, 0.00203368686992463],
        }
    }

    fn step(&mut self, dt: f64) {
        let n = self.mass.len();
        let [x, y, z] = &mut self.position;
        let [vx, vy, vz] = &mut self.speed;
        for i in 0..n {
            for j in i + 1..n {
                let dx = x[i] - x[j];
                let dy = y[i] - y[j];
                let dz = z[i] - z[j];
                let d2 = dx * dx + dy * dy + dz * dz;
                let mag = dt / (d2 * d2.sqrt());
                let mj = self.mass[j] * mag;
                let mi = self.mass[i] * mag;
                vx[i] -= dx * mj;
                vy[i] -= dy * mj;
                vz[i] -= dz * mj;
                vx[j] += dx * mi;
                vy[j] += dy * mi;
                vz[j] += dz * mi;
            }
        }
        for i in 0..n {
            x[i] += dt * vx[i];
            y[i] += dt * vy[i];
            z[i] += dt * vz[i];
        }
    }
}

pub fn nbody() -> String {
    let mut bodies = black_box(Bodies::new());
    for _ in 0..black_box(20_000) {
        bodies.step(0.01);
    }
    let [x, y, z] = &bodies.position;
    let mut total = 0.0;
    for i in 0..x.len() {
        total += x[i] + y[i] + z[i];
    }
    ((total * 1e9) as i64).to_string()
}

pub fn fannkuch_swap() -> String {
    let n: usize = black_box(10);
    let mut checksum = 0i64;
    let mut perm = vec![0usize; n];
    let mut seed = 12345;
    for _ in 0..black_box(12_000) {
        for (i, element) in perm.iter_mut().enumerate() {
            *element = i;
        }
        for i in (1..n).rev() {
            seed = next_random(seed);
            let j = (seed >> 8) as usize % (i + 1);
            perm.swap(i, j);
        }
        let mut flips = 0;
        let mut first = perm[0];
        while first != 0 {
            let (mut low, mut high) = (0, first);
            while low < high {
                perm.swap(low, high);
                low += 1;
                high -= 1;
            }
            flips += 1;
            first = perm[0];
        }
        checksum = (checksum * 31 + flips) % 1_000_000_007;
    }
    checksum.to_string()
}

pub fn levenshtein() -> String {
    let a: Vec<char> = "the quick brown fox jumps over the lazy dog "
        .repeat(15)
        .chars()
        .collect();
    let b: Vec<char> = "a lazy dog is jumped over by some quick red foxes "
        .repeat(14)
        .chars()
        .collect();
    let mut previous: Vec<i64> = (0..=b.len() as i64).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut left = i as i64 + 1;
        let mut current = vec![left];
        for (j, cb) in b.iter().enumerate() {
            let substitute = previous[j] + i64::from(ca != cb);
            left = substitute.min(previous[j + 1] + 1).min(left + 1);
            current.push(left);
        }
        previous = current;
    }
    previous[b.len()].to_string()
}

pub fn spectral_norm() -> String {
    fn a(i: usize, j: usize) -> f64 {
        1.0 / ((i + j) * (i + j + 1) / 2 + i + 1) as f64
    }
    fn times(v: &[f64], out: &mut [f64], element: impl Fn(usize, usize) -> f64) {
        for (i, result) in out.iter_mut().enumerate() {
            let mut total = 0.0;
            for (j, x) in v.iter().enumerate() {
                total += element(i, j) * x;
            }
            *result = total;
        }
    }
    let n = black_box(130);
    let (mut u, mut v, mut t) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for _ in 0..10 {
        times(&u, &mut t, a);
        times(&t, &mut v, |i, j| a(j, i));
        times(&v, &mut t, a);
        times(&t, &mut u, |i, j| a(j, i));
    }
    let (mut vbv, mut vv) = (0.0, 0.0);
    for i in 0..n {
        vbv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    (((vbv / vv).sqrt() * 1e12) as i64).to_string()
}
