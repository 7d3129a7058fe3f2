//! The way of one call: log, fault, token, refusal, emulator, correction. Calls that may change something go one at a time, so that
//! what is checked still holds when it is done.

use super::answers::{self, Refusal};
use super::call::{Call, Protocol};
use super::corrections::{self, Memory};
use super::faults::{Event, Fault, Moment, Plan};
use super::{checks, paging, tokens};
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request, send};
use crate::aws::xml::Element;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Gateway {
    emulator: Api,
    traffic: Mutex<Traffic>,
    memory: Mutex<Memory>,
}

/// What went by, and what is planned for what comes.
#[derive(Default)]
pub struct Traffic {
    pub log: Vec<Call>,
    pub plan: Plan,
    /// Rises when the log is cleared, so that a call that was under way does not write into the new one.
    generation: usize,
}

/// Where a call stands in the log.
#[derive(Clone, Copy)]
struct Place {
    generation: usize,
    index: usize,
}

impl Gateway {
    pub fn new(emulator: Api) -> Gateway {
        Gateway { emulator, traffic: Mutex::default(), memory: Mutex::default() }
    }

    pub fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn associate_at_once(&self) {
        self.memory().is_instant = true;
    }

    pub fn show_tags_in_metadata(&self) {
        self.memory().shows_tags_in_metadata = true;
    }

    pub fn forget(&self) {
        let mut memory = self.memory();
        let is_instant = memory.is_instant;
        *memory = Memory::default();
        memory.is_instant = is_instant;
    }

    pub fn clear_log(&self) {
        let mut traffic = self.traffic();
        traffic.log.clear();
        traffic.generation += 1;
    }

    /// `None`: the connection ends without an answer.
    pub fn handle(&self, request: Request) -> Option<Answer> {
        let (call, place, event) = self.begin(&request);
        let answer = match event {
            Some(Event::Hook(moment, hook)) => {
                if moment == Moment::After {
                    self.serve(&call, request, place);
                }
                hook();
                None
            }
            Some(Event::Fault(fault)) => self.fail(&call, request, place, fault),
            None => Some(self.serve(&call, request, place)),
        };
        self.note(place, |call| call.status = answer.as_ref().map(|answer| answer.status));
        answer
    }

    fn begin(&self, request: &Request) -> (Call, Place, Option<Event>) {
        let mut call = Call::read(request);
        let mut traffic = self.traffic();
        call.index = traffic.log.len() + 1;
        let number = call.is_mutating.then(|| 1 + traffic.log.iter().filter(|call| call.is_mutating).count());
        let event = traffic.plan.next(&call, number);
        if let Some(Event::Fault(fault)) = event {
            call.fault = Some(fault);
        }
        traffic.log.push(call.clone());
        let place = Place { generation: traffic.generation, index: call.index - 1 };
        (call, place, event)
    }

    fn note(&self, place: Place, write: impl FnMut(&mut Call)) {
        let mut traffic = self.traffic();
        if traffic.generation == place.generation {
            traffic.log.get_mut(place.index).into_iter().for_each(write);
        }
    }

    fn fail(&self, call: &Call, request: Request, place: Place, fault: Fault) -> Option<Answer> {
        match fault {
            Fault::Throttle => Some(answers::throttled(call)),
            Fault::InternalError => Some(answers::internal_error(call)),
            Fault::DropBefore => None,
            Fault::DropAfter => {
                self.serve(call, request, place);
                None
            }
            Fault::Delay(milliseconds) => {
                std::thread::sleep(Duration::from_millis(milliseconds));
                Some(self.serve(call, request, place))
            }
        }
    }

    fn serve(&self, call: &Call, mut request: Request, place: Place) -> Answer {
        if call.protocol == Protocol::Ec2 && call.parameter("DryRun") == "true" {
            let message = "Request would have succeeded, but DryRun flag is set.".to_string();
            return Refusal { status: 412, code: "DryRunOperation", message }.answer(call);
        }
        if !call.is_mutating && !corrections::has_preparation(call) {
            let answer = self.forward(&request);
            return if needs_correction(call, &answer) { self.correct(call, answer, &mut self.memory()) } else { answer };
        }
        let mut memory = self.memory();
        match memory.tokens.known(call, &self.emulator) {
            tokens::Known::Answered(answer) => {
                self.note(place, |call| call.from_token = true);
                answer
            }
            tokens::Known::Otherwise(refusal) => refusal.answer(call),
            tokens::Known::No => {
                let answer = self.change(call, &mut request, &mut memory);
                memory.tokens.remember(call, &answer);
                answer
            }
        }
    }

    fn change(&self, call: &Call, request: &mut Request, memory: &mut Memory) -> Answer {
        if let Some(refusal) = checks::refuse(call, &self.emulator, memory) {
            return refusal.answer(call);
        }
        if let Some(answer) = corrections::prepare(call, request, &self.emulator, memory) {
            return answer;
        }
        let answer = self.forward(request);
        if needs_correction(call, &answer) { self.correct(call, answer, memory) } else { answer }
    }

    /// The emulator is a part of the test: without it nothing can be said.
    fn forward(&self, request: &Request) -> Answer {
        send(self.emulator.address, request).unwrap_or_else(|error| panic!("the emulator does not answer: {error}"))
    }

    fn correct(&self, call: &Call, answer: Answer, memory: &mut Memory) -> Answer {
        let Ok(mut root) = Element::parse(&String::from_utf8_lossy(&answer.body)) else { return answer };
        corrections::complete(call, &mut root, &self.emulator, memory);
        if paging::is_paged(call) {
            paging::cut(call, &mut root);
        }
        Answer { headers: answer.headers, ..answers::xml(&root) }
    }
}

fn needs_correction(call: &Call, answer: &Answer) -> bool {
    answer.status < 300 && (paging::is_paged(call) || corrections::has_completion(call))
}
