//! What the gauges say of a candidate: whether the next weight still fits, and whether its pods lose something.
//!
//! A gauge is the fold from its readings to that, for the operator and `serin judge` alike. It never speaks for a
//! candidate: at best it does not stand in the way.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::words;
use crate::stats::leak::{self, Danger, Growth, Level};
use crate::stats::saturation::{Ahead, Cost, Fits, Load, NEEDED, Outlook, Saturation, limits};

/// What all gauges say together, of the revision and the rung of the evidence that they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Whether the next weight fits.
    pub room: Room,
    /// Whether the pods lose something.
    pub leak: Leak,
}

/// Whether the next weight fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// It fits, or nothing contradicts that.
    #[default]
    Enough,
    /// The first readings of the step are still to come.
    Reading,
    /// It does not; one sentence with numbers and remedy.
    TooTight(String),
    /// A gauge that the Rollout asks for says nothing, and why.
    Unknown(String),
}

/// Whether the candidate's pods lose something that those beside them keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Leak {
    /// Nothing that would matter.
    #[default]
    None,
    /// They may reach their limit in hours; one sentence with the numbers.
    Holds(String),
    /// They surely reach it soon.
    Fails(String),
}

impl Gauges {
    /// The same with what another gauge says: the worse of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let worse = |room: &Room| match room {
            Room::Enough => 0,
            Room::Reading => 1,
            Room::Unknown(_) => 2,
            Room::TooTight(_) => 3,
        };
        let leaks = |leak: &Leak| match leak {
            Leak::None => 0,
            Leak::Holds(_) => 1,
            Leak::Fails(_) => 2,
        };
        Self {
            room: if worse(&other.room) > worse(&self.room) {
                other.room
            } else {
                self.room
            },
            leak: if leaks(&other.leak) > leaks(&self.leak) {
                other.leak
            } else {
                self.leak
            },
        }
    }
}

/// What a gauge measures, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It follows the requests, and what a request costs is worth telling.
    Cpu,
    /// It does not queue, it kills.
    Memory,
    /// Connections, open files, and whatever else is counted.
    Other,
}

impl Kind {
    /// What a gauge of this name measures.
    pub fn named(name: &str) -> Self {
        match name {
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            _ => Self::Other,
        }
    }

    /// The share of its limit up to which a pod may be used.
    pub const fn limit(self) -> f64 {
        match self {
            Self::Cpu => limits::CPU,
            Self::Memory => limits::MEMORY,
            Self::Other => limits::OTHER,
        }
    }
}

/// One reading of both arms, as shares of the candidate's limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The candidate's pods.
    pub candidate: Level,
    /// Those beside them.
    pub baseline: Option<Level>,
    /// Tells one set of candidate pods from another.
    pub set: u64,
    /// Requests of candidate and baseline since the reading before; `None` where they are not known.
    pub requests: Option<[u64; 2]>,
    /// The time since the reading before, in seconds.
    pub seconds: f64,
}

/// A number for a set of pods, in whatever order they come; those without a name are told by how many they are.
pub fn set_of<'a>(names: impl Iterator<Item = Option<&'a str>>) -> u64 {
    let mut names: Vec<Option<&str>> = names.collect();
    names.sort_unstable();
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}

/// Where a release stands, for a forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The weight of this step and of the next, in per cent.
    pub weights: [f64; 2],
    /// Candidate pods at the next step, and at 100 %.
    pub pods: [u32; 2],
    /// How long readings of this step could have come.
    pub waited: Duration,
    /// How long they may take before a gauge that is left out if need be is not waited for any more.
    pub patience: Duration,
}

/// One gauge in one release.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    name: String,
    kind: Kind,
    optional: bool,
    saturation: Saturation,
    leak: leak::Leak,
    /// The candidate's pods at the last reading: which, and how many.
    pods: (u64, u32),
    /// The sentences that were told last, and what they rest on.
    tight: Option<(f64, u32, String)>,
    leaks: Option<(f64, Danger, String)>,
}

/// What the readings of one gauge come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The forecast, where there are readings enough.
    pub outlook: Option<Outlook>,
    /// What the pods lose, where it matters.
    pub growth: Option<Growth>,
    /// What a request costs, where it is surely more than beside it.
    pub cost: Option<Cost>,
    /// All of it in one sentence with numbers.
    pub sentence: String,
}

/// What one gauge says.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// For the decision.
    pub gauges: Gauges,
    /// For the status: one sentence with the numbers of this moment.
    pub sentence: String,
}

/// A sentence is told anew when a forecast has moved by so much of the limit.
const MOVED: f64 = 0.05;
/// Or when the time that is left has changed by this factor.
const SHRUNK: f64 = 1.5;

impl Gauge {
    /// A gauge without a reading. `idle`: what a pod without requests uses, as a share of its limit, where that is known.
    pub fn new(name: &str, kind: Kind, optional: bool, idle: Option<f64>) -> Self {
        let saturation = match kind {
            Kind::Cpu => Saturation::new(idle).following(),
            Kind::Memory | Kind::Other => Saturation::new(idle),
        };
        Self {
            name: name.to_owned(),
            kind,
            optional,
            saturation,
            leak: leak::Leak::default(),
            pods: (0, 1),
            tight: None,
            leaks: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A step begins: its traffic is what is carried forward, and levels change with it.
    pub fn begin_step(&mut self) {
        self.saturation.begin_step();
        self.leak.begin();
        (self.tight, self.leaks) = (None, None);
    }

    /// Takes a reading. Leave out what is still warming up.
    pub fn read(&mut self, reading: &Reading) {
        let load = |level: Level, requests: u64| Load {
            pace: requests as f64 / reading.seconds / f64::from(level.pods.max(1)),
            used: level.mean,
        };
        let (mine, theirs) = (reading.candidate, reading.baseline);
        if let Some([requests, beside]) = reading.requests {
            // A pod that nobody asks anything says nothing about what a request costs.
            let candidate = (requests > 0).then(|| load(mine, requests));
            self.saturation
                .observe(candidate, theirs.map(|level| load(level, beside)));
        }
        if reading.set != self.pods.0 {
            // Other pods have another level; what changes with them is no leak.
            self.pods = (reading.set, mine.pods.max(1));
            self.leak.begin();
        }
        if let Some(theirs) = theirs.filter(|_| self.kind != Kind::Cpu) {
            self.leak.observe(mine, theirs, reading.seconds);
        }
    }

    /// An evaluation without a reading.
    pub fn miss(&mut self) {
        self.saturation.observe(None, None);
    }

    /// What its readings come to. `weights`: of this step and of the next, in per cent; `pods`: the candidate's now, at
    /// the next step, and at 100 %.
    pub fn finding(&self, [weight, next]: [f64; 2], [pods, next_pods, full_pods]: [u32; 3]) -> Finding {
        let outlook = self.saturation.outlook(&Ahead {
            weight,
            next,
            pods,
            next_pods,
            full_pods,
            limit: self.kind.limit(),
        });
        let growth = self.leak.growth().filter(|growth| growth.danger > Danger::None);
        let cost = self
            .saturation
            .cost()
            .filter(|cost| self.kind == Kind::Cpu && cost.is_high());
        let sentence = self.sentence(outlook.as_ref(), growth.as_ref(), cost.as_ref());
        Finding {
            outlook,
            growth,
            cost,
            sentence,
        }
    }

    /// What it says now.
    pub fn view(&mut self, place: &Place) -> View {
        let [next_pods, full_pods] = place.pods;
        let Finding {
            outlook,
            growth,
            sentence,
            ..
        } = self.finding(place.weights, [self.pods.1, next_pods, full_pods]);
        let room = match &outlook {
            Some(outlook) if outlook.fits == Fits::No => Room::TooTight(self.tell_tight(outlook, next_pods)),
            // Where readings stay away, nobody waits for more of them.
            Some(outlook)
                if outlook.fits == Fits::Unsure && place.waited < place.patience.saturating_mul(4) =>
            {
                Room::Reading
            }
            Some(_) => Room::Enough,
            None if place.waited < place.patience => Room::Reading,
            None if self.optional => Room::Enough,
            None => Room::Unknown(format!("gauge {}", self.missing())),
        };
        let leak = match growth {
            Some(growth) if growth.danger == Danger::Fails => Leak::Fails(self.tell_leak(&growth)),
            Some(growth) => Leak::Holds(self.tell_leak(&growth)),
            None => Leak::None,
        };
        View {
            gauges: Gauges { room, leak },
            sentence,
        }
    }

    fn sentence(&self, outlook: Option<&Outlook>, growth: Option<&Growth>, cost: Option<&Cost>) -> String {
        let mut parts = Vec::new();
        parts.extend(growth.map(|growth| words::leaking(&self.name, growth)));
        match outlook {
            Some(outlook) if growth.is_none() || outlook.fits > Fits::Yes => {
                parts.push(words::saturated(&self.name, outlook));
            }
            Some(_) => {}
            None => parts.push(self.missing()),
        }
        parts.extend(cost.map(|cost| words::costly(&self.name, cost)));
        parts.join("; ")
    }

    fn missing(&self) -> String {
        let (name, readings) = (&self.name, self.saturation.readings());
        if readings >= NEEDED {
            return format!("{name}: what a request uses cannot be told");
        }
        format!("{name}: {readings} of the {NEEDED} readings that a forecast needs")
    }

    /// A sentence that a wait can carry: it changes with what it says, not with every reading.
    fn tell_tight(&mut self, outlook: &Outlook, pods: u32) -> String {
        if let Some((forecast, told, sentence)) = &self.tight
            && (outlook.forecast - forecast).abs() < MOVED
            && *told == pods
        {
            return sentence.clone();
        }
        let sentence = words::saturated(&self.name, outlook);
        self.tight = Some((outlook.forecast, pods, sentence.clone()));
        sentence
    }

    fn tell_leak(&mut self, growth: &Growth) -> String {
        if let Some((until, danger, sentence)) = &self.leaks
            && (until / SHRUNK..until * SHRUNK).contains(&growth.until)
            && *danger == growth.danger
        {
            return sentence.clone();
        }
        let sentence = words::leaking(&self.name, growth);
        self.leaks = Some((growth.until, growth.danger, sentence.clone()));
        sentence
    }
}

#[cfg(test)]
mod tests;
