//! What goes wrong, and when: at the n-th call that may change something, by chance, or where a test says so.

use super::call::Call;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As AWS answers whoever asks too often. Nothing is done.
    Throttle,
    /// Status 500. Nothing is done.
    InternalError,
    /// The connection ends. Nothing is done.
    DropBefore,
    /// It is done, then the connection ends without an answer.
    DropAfter,
    /// So many milliseconds pass, then it is done.
    Delay(u64),
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is done yet, and nothing will be.
    Before,
    /// It is done, and there was no answer yet.
    After,
}

pub(super) type Hook = Box<dyn FnOnce() + Send>;
type Predicate = Box<dyn FnMut(&Call) -> bool + Send>;

pub(super) enum Event {
    Fault(Fault),
    Hook(Moment, Hook),
}

/// All that is to happen. What was planned first goes first; one event a call.
#[derive(Default)]
pub(super) struct Plan {
    at: Vec<(usize, Event)>,
    when: Vec<(Predicate, Fault)>,
    chance: Option<Chance>,
}

struct Chance {
    generator: StdRng,
    faults: Vec<(Fault, f64)>,
}

impl Plan {
    pub fn at(&mut self, number: usize, event: Event) {
        self.at.push((number, event));
    }

    pub fn when(&mut self, predicate: Predicate, fault: Fault) {
        self.when.push((predicate, fault));
    }

    pub fn by_chance(&mut self, seed: u64, faults: &[(Fault, f64)]) {
        self.chance = Some(Chance { generator: StdRng::seed_from_u64(seed), faults: faults.to_vec() });
    }

    /// `number`: which of the calls that may change something this is.
    pub fn next(&mut self, call: &Call, number: Option<usize>) -> Option<Event> {
        if let Some(index) = self.at.iter().position(|(other, _)| Some(*other) == number) {
            return Some(self.at.remove(index).1);
        }
        let said = self.when.iter_mut().find_map(|(predicate, fault)| predicate(call).then_some(*fault));
        said.or_else(|| self.chance.as_mut()?.draw()).map(Event::Fault)
    }
}

impl Chance {
    /// One draw for each call, whatever comes of it, so that a seed means the same however many faults there are.
    fn draw(&mut self) -> Option<Fault> {
        let mut left: f64 = self.generator.random();
        self.faults.iter().find_map(|(fault, probability)| {
            left -= probability;
            (left < 0.0).then_some(*fault)
        })
    }
}
