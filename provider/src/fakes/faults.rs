//! What goes wrong in a fake world, and at which mutating call.

/// When, in the call that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    /// Of what the call does with several things, half is done.
    Halfway,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This call fails; the next ones do not.
    Fail(Moment),
    /// The provider is killed: nothing that it does from here on reaches the world.
    Die(Moment),
    /// Ctrl-C while this call is under way.
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Half,
    Whole,
}

impl Extent {
    /// How many of a number of things are done.
    pub fn of(self, count: usize) -> usize {
        match self {
            Extent::Half => count / 2,
            Extent::Whole => count,
        }
    }
}

#[derive(Default)]
pub(super) struct Faults {
    armed: Option<(Fault, usize)>,
    pub calls: Vec<String>,
    pub has_struck: bool,
    pub is_dead: bool,
}

impl Faults {
    /// Calls count from 1.
    pub fn armed(fault: Option<(Fault, usize)>) -> Faults {
        Faults { armed: fault, ..Faults::default() }
    }

    pub fn strike(&mut self, call: String) -> Option<Fault> {
        if self.is_dead {
            return Some(Fault::Die(Moment::Before));
        }
        self.calls.push(call);
        let (fault, at) = self.armed?;
        if self.calls.len() != at {
            return None;
        }
        self.has_struck = true;
        self.is_dead = matches!(fault, Fault::Die(_));
        Some(fault)
    }
}
