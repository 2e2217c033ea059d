//! A small seeded generator and the distributions that simulated traffic needs. Not for secrets.

use super::special::ln_gamma;

/// xoshiro256++ by Blackman and Vigna; the same seed gives the same numbers everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: [u64; 4],
}

#[allow(clippy::many_single_char_names)] // the names of the literature
impl Random {
    /// A generator for a seed; near seeds give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        let mut z = seed;
        let state = [(); 4].map(|()| {
            z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            x ^ (x >> 31)
        });
        Self { state }
    }

    fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A whole number below `n`, which must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.unit()).cos()
    }

    /// Failures before the first success, of this mean.
    pub fn geometric(&mut self, mean: f64) -> u64 {
        let p = 1.0 / (1.0 + mean);
        if p >= 1.0 {
            0
        } else {
            ((1.0 - self.unit()).ln() / (-p).ln_1p()) as u64
        }
    }

    /// Poisson of this mean.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean < 30.0 {
            let (mut k, mut mass, mut left) = (0_u64, (-mean).exp(), self.unit());
            while left > mass && k < 1_000 {
                left -= mass;
                k += 1;
                mass *= mean / k as f64;
            }
            return k;
        }
        // Hörmann's transformed rejection (PTRS).
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let scale = 1.1239 + 1.1328 / (b - 3.4);
        let quick = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= quick {
                return k as u64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            if (v * scale / (a / (us * us) + b)).ln() <= k * mean.ln() - mean - ln_gamma(k + 1.0) {
                return k as u64;
            }
        }
    }

    /// How many of `n` happen with probability `p` each.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let size = n as f64;
        if n == 0 || p <= 0.0 {
            return 0;
        }
        let (q, odds) = (1.0 - p, p / (1.0 - p));
        if size * p < 30.0 {
            let (mut k, mut mass, mut left) = (0_u64, (size * (-p).ln_1p()).exp(), self.unit());
            while left > mass && k < n {
                left -= mass;
                k += 1;
                mass *= odds * (size - k as f64 + 1.0) / k as f64;
            }
            return k;
        }
        // Hörmann's transformed rejection (BTRS).
        let spread = (size * p * q).sqrt();
        let b = 1.15 + 2.53 * spread;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let scale = (2.83 + 5.1 / b) * spread;
        let quick = 0.92 - 4.2 / b;
        let mode = ((size + 1.0) * p).floor();
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + size * p + 0.5).floor();
            if k < 0.0 || k > size {
                continue;
            }
            if us >= 0.07 && v <= quick {
                return k as u64;
            }
            let log_mass = ln_gamma(mode + 1.0) + ln_gamma(size - mode + 1.0)
                - ln_gamma(k + 1.0)
                - ln_gamma(size - k + 1.0)
                + (k - mode) * odds.ln();
            if (v * scale / (a / (us * us) + b)).ln() <= log_mass {
                return k as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of 20 000 draws, in standard errors from what they should be.
    fn check(mut draw: impl FnMut() -> u64, mean: f64, variance: f64) {
        let n = 20_000_u32;
        let values: Vec<f64> = (0..n).map(|_| draw() as f64).collect();
        let got = values.iter().sum::<f64>() / f64::from(n);
        let spread = values.iter().map(|v| (v - got).powi(2)).sum::<f64>() / f64::from(n - 1);
        assert!(
            (got - mean).abs() < 4.5 * (variance / f64::from(n)).sqrt(),
            "mean {got}, not {mean}"
        );
        assert!(
            (spread / variance - 1.0).abs() < 0.06,
            "variance {spread}, not {variance}"
        );
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut r = Random::new(1);
        for mean in [0.3, 12.0, 75.0, 7_500.0] {
            check(|| r.poisson(mean), mean, mean);
        }
        for (n, p) in [(75, 0.3), (7_500, 0.001), (7_500, 0.2), (1_000, 0.9)] {
            check(|| r.binomial(n, p), n as f64 * p, n as f64 * p * (1.0 - p));
        }
        check(|| r.geometric(2.0), 2.0, 6.0);
    }

    #[test]
    fn a_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut r = Random::new(seed);
            (0..4).map(|_| r.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
