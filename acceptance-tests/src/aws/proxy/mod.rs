//! The proxy before the emulator. It keeps a log of calls, fails on demand, honours client tokens, refuses what AWS refuses
//! because of dependencies, and corrects answers where the emulator differs from what AWS documents.

mod answers;
mod call;
mod checks;
mod corrections;
mod faults;
mod gateway;
mod paging;
mod server;
mod tokens;

pub use call::{Call, Parameters};
pub use faults::{Fault, Moment};

use super::api::{Api, REGION};
use super::emulator::Emulator;
use faults::Event;
use gateway::Gateway;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// How tests handle the proxy. Everything may be called from any thread while calls are under way.
pub struct FaultProxy {
    /// Asks through the proxy, which its log then shows.
    pub api: Api,
    gateway: Arc<Gateway>,
    runtime: Option<Runtime>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback interface.
    pub fn start(emulator: &Emulator) -> FaultProxy {
        let gateway = Arc::new(Gateway::new(emulator.api));
        let (runtime, address) = server::start(gateway.clone());
        FaultProxy { api: Api { address }, gateway, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.api.address)
    }

    /// What makes a program with an SDK, or a provider, work on it and on nothing else.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", REGION.into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    /// From here on, an IPv6 block is associated at once with a subnet, as with the emulator: for programs that do not wait for it.
    pub fn associate_at_once(&self) {
        self.gateway.associate_at_once();
    }

    /// Until `reset`, the account's default for new instances is that their metadata shows their tags
    /// (ModifyInstanceMetadataDefaults, which the emulator does not know).
    pub fn show_tags_in_metadata(&self) {
        self.gateway.show_tags_in_metadata();
    }

    /// As after `start`: no log, no faults, no client tokens, nothing remembered of what the emulator does not store. It belongs
    /// together with `Emulator::reset`.
    pub fn reset(&self) {
        self.no_faults();
        self.clear_log();
        self.gateway.forget();
    }

    /// All calls since the log was cleared, those that failed too.
    pub fn calls(&self) -> Vec<Call> {
        self.gateway.traffic().log.clone()
    }

    /// Of these the ones that may change something, in the order in which they are counted.
    pub fn mutating_calls(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.is_mutating).collect()
    }

    /// The next call is the first again.
    pub fn clear_log(&self) {
        self.gateway.clear_log();
    }

    /// At the n-th call that may change something, counted from when the log was cleared; the first is 1. Once.
    pub fn fail_at(&self, number: usize, fault: Fault) {
        self.gateway.traffic().plan.at(number, Event::Fault(fault));
    }

    /// Calls of which this holds, such as `|call| call.action == "CreateSubnet"`, reading ones too. Until `no_faults`. The predicate
    /// must not ask the proxy.
    pub fn fail_when(&self, predicate: impl FnMut(&Call) -> bool + Send + 'static, fault: Fault) {
        self.gateway.traffic().plan.when(Box::new(predicate), fault);
    }

    /// Each call with these probabilities, which add up to at most 1. The same seed gives the same faults to the same sequence of
    /// calls. Until `no_faults`.
    pub fn fail_randomly(&self, seed: u64, faults: &[(Fault, f64)]) {
        self.gateway.traffic().plan.by_chance(seed, faults);
    }

    /// Runs something, such as a kill, just before or just after the effect of the n-th call that may change something. Whoever
    /// called gets no answer: the connection ends when the hook has returned. The hook may ask the proxy and the emulator. Once.
    pub fn interrupt_at(&self, number: usize, moment: Moment, hook: impl FnOnce() + Send + 'static) {
        self.gateway.traffic().plan.at(number, Event::Hook(moment, Box::new(hook)));
    }

    /// Nothing fails any more.
    pub fn no_faults(&self) {
        self.gateway.traffic().plan = faults::Plan::default();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
