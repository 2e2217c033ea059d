//! The one source of chance: a SplitMix64 stream per purpose, all from the world's seed.
//!
//! Separate streams keep purposes apart: one more API call changes names, never the traffic.

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    /// The stream for one purpose.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut rng = Self {
            state: seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93),
        };
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Poisson with the given mean; a rounded normal above 50, where the two are alike.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 || mean.is_nan() {
            return 0;
        }
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let limit = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// How many of `n` trials succeed, each with chance `p`.
    pub(super) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p.is_nan() || p <= 0.0 || n == 0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        let mean = n as f64 * p;
        if n > 200 && mean > 50.0 && n as f64 - mean > 50.0 {
            let drawn = mean + (mean * (1.0 - p)).sqrt() * self.normal();
            return drawn.round().clamp(0.0, n as f64) as u64;
        }
        (0..n).filter(|_| self.unit() < p).count() as u64
    }

    /// Splits `n` over shares of the given sizes; all zero shares get nothing.
    pub(super) fn split(&mut self, n: u64, shares: &[f64]) -> Vec<u64> {
        let mut rest = n;
        let mut total: f64 = shares.iter().sum();
        let last = shares.iter().rposition(|s| *s > 0.0);
        let mut parts = Vec::with_capacity(shares.len());
        for (i, share) in shares.iter().enumerate() {
            let part = if Some(i) == last {
                rest
            } else {
                self.binomial(rest, share / total)
            };
            let part = if *share > 0.0 { part } else { 0 };
            rest -= part;
            total -= share;
            parts.push(part);
        }
        parts
    }

    /// `len` characters as the API server appends them to a generated name.
    pub(super) fn suffix(&mut self, len: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..len)
            .map(|_| ALPHABET[(self.next() % ALPHABET.len() as u64) as usize] as char)
            .collect()
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&mut self) -> String {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_u128(bits)
            .with_version(uuid::Version::Random)
            .into_uuid()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_purpose_another() {
        let draw = |seed, purpose| {
            let mut rng = Rng::new(seed, purpose);
            (0..8).map(|_| rng.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn draws_have_the_mean_they_should() {
        let mut rng = Rng::new(1, 1);
        for mean in [0.3, 5.0, 80.0] {
            let sum: u64 = (0..20_000).map(|_| rng.poisson(mean)).sum();
            let seen = sum as f64 / 20_000.0;
            assert!(
                (seen - mean).abs() < 5.0 * (mean / 20_000.0).sqrt(),
                "{seen} for {mean}"
            );
        }
        let sum: u64 = (0..2_000).map(|_| rng.binomial(1_000, 0.1)).sum();
        assert!((sum as f64 / 2_000.0 - 100.0).abs() < 1.5);
    }

    #[test]
    fn a_split_loses_nothing_and_gives_nothing_to_a_zero_share() {
        let mut rng = Rng::new(1, 1);
        for n in [0, 1, 7, 1000] {
            let parts = rng.split(n, &[0.0, 9.0, 1.0, 0.0]);
            assert_eq!(parts.iter().sum::<u64>(), n);
            assert_eq!((parts[0], parts[3]), (0, 0));
        }
        assert_eq!(rng.split(5, &[0.0, 0.0]), vec![0, 0]);
    }
}
