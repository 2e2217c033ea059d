//! What comes next, and what the forecast says of it.

/// The step is not forecast further than this multiple of the requests that a pod gets now.
pub const FAR: f64 = 2.5;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// The weight of this step, in per cent.
    pub weight: f64,
    /// That of the next.
    pub next: f64,
    /// Candidate pods now.
    pub pods: u32,
    /// Candidate pods at the next step.
    pub next_pods: u32,
    /// Candidate pods at 100 %.
    pub full_pods: u32,
    /// The share of its limit up to which a pod may be used.
    pub limit: f64,
}

impl Ahead {
    /// What a pod is asked with so much traffic on so many pods, if it is asked `pace` now.
    fn pace(&self, pace: f64, weight: f64, pods: u32) -> f64 {
        pace * f64::from(self.pods) * weight / self.weight / f64::from(pods.max(1))
    }

    pub(super) fn next_pace(&self, pace: f64) -> f64 {
        self.pace(pace, self.next, self.next_pods)
    }

    pub(super) fn full_pace(&self, pace: f64) -> f64 {
        self.pace(pace, 100.0, self.full_pods)
    }

    /// Further than a forecast reaches.
    pub(super) fn is_far(&self) -> bool {
        self.next_pace(1.0) > FAR * (1.0 + 1e-9)
    }

    /// What a forecast with this upper end, and with that at 100 %, allows.
    pub(super) fn fits(&self, upper: f64, full: f64, sure: Sure) -> Fits {
        match (upper > self.limit, full > self.limit) {
            (true, _) => match sure {
                Sure::Yes => Fits::No,
                Sure::Soon => Fits::Unsure,
                Sure::No => Fits::Warn,
            },
            (false, true) => Fits::Warn,
            (false, false) => Fits::Yes,
        }
    }

    /// How many pods suffice at the next step, if each uses so much beyond its idle use now.
    pub(super) fn pods_enough(&self, idle: f64, beyond: f64) -> Option<u32> {
        let room = self.limit - idle;
        let enough = self.pace(beyond, self.next, 1) / room;
        (room > 0.0).then(|| enough.ceil().clamp(1.0, f64::from(u32::MAX)) as u32)
    }
}

/// Whether a forecast is good enough to refuse a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    /// It is.
    Yes,
    /// Not yet: a few readings more may make it so.
    Soon,
    /// It is not, and more of the same readings would not help.
    No,
}

/// Whether the next step fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fits {
    /// It does.
    Yes,
    /// It does as far as anybody can tell; something further ahead, or less sure, does not.
    Warn,
    /// It may not, and a few readings more will tell.
    Unsure,
    /// It does not: hold, or scale first.
    No,
}

/// The forecast. All uses are shares of a pod's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The mean use in this step.
    pub used: f64,
    /// The use to expect at the next step.
    pub forecast: f64,
    /// Its upper end (95 %).
    pub upper: f64,
    /// The use to expect at 100 %.
    pub full: f64,
    /// What is allowed.
    pub limit: f64,
    /// The weight that is forecast, in per cent.
    pub weight: f64,
    /// Whether it fits.
    pub fits: Fits,
    /// How many candidate pods would suffice at the next step; `None` if no number does.
    pub pods: Option<u32>,
    /// The use at the next step if all of what the candidate uses beyond its neighbours followed the traffic, where that
    /// is not shown and would be too much.
    pub if_it_follows: Option<f64>,
}
