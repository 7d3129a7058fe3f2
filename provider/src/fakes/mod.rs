//! A world in memory: hosts, the API of one cluster, a clock and checksum files. It keeps what is done to it as the real one would,
//! and fails, stops or dies at a call that a test names. Nothing here reaches anything.

mod certificates;
mod clock;
mod cloud;
mod commands;
mod etcd;
mod faults;
mod host;
mod inventory;
mod kubernetes;
mod memory;
mod objects;
mod push;
mod releases;
mod units;

pub use self::objects::{digest_of, set_by, share};
pub use certificates::{CLIENT_CERTIFICATE_EXPIRES, CLIENT_CERTIFICATE_PEM};
pub use clock::FakeClock;
pub use faults::{Fault, Moment};
pub use memory::{FakeFile, FakeUnit, HostMemory, Memory, Node, Record, Vrrp};

use crate::ports::{Clock, Host, World};
use ::cloud::{Cloud, Connection};
use async_trait::async_trait;
use bundle::HostName;
use faults::{Extent, Faults};
use host::FakeHost;
use machines::{MachineError, Target};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

/// A request to stop the provider, and how to say that it was heard.
pub type Stop = oneshot::Sender<()>;

/// Every clone is the same world.
#[derive(Clone)]
pub struct FakeWorld {
    inside: Arc<Inside>,
}

struct Inside {
    memory: Mutex<Memory>,
    faults: Mutex<Faults>,
    now: Mutex<OffsetDateTime>,
    /// What `random` answers.
    drawn: Mutex<u8>,
    clock: FakeClock,
    fetches: Mutex<Vec<String>>,
    /// Whether checksum files cannot be fetched.
    is_unpublished: Mutex<bool>,
    stops: mpsc::UnboundedSender<Stop>,
    call_takes: Mutex<Duration>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

/// What others do just before a mutating call.
struct Meanwhile {
    call: String,
    act: Box<dyn FnOnce(&mut Memory) + Send>,
}

impl FakeWorld {
    /// The receiver hears when the provider shall be stopped; the call that asked for it waits until it is answered.
    pub fn new() -> (FakeWorld, mpsc::UnboundedReceiver<Stop>) {
        let (stops, heard) = mpsc::unbounded_channel();
        let now = time::macros::datetime!(2026-11-21 12:00 UTC);
        let inside = Inside {
            memory: Mutex::default(),
            faults: Mutex::default(),
            now: Mutex::new(now),
            drawn: Mutex::new(7),
            clock: FakeClock::default(),
            fetches: Mutex::default(),
            is_unpublished: Mutex::default(),
            stops,
            call_takes: Mutex::default(),
            meanwhile: Mutex::default(),
        };
        (FakeWorld { inside: Arc::new(inside) }, heard)
    }

    /// From now on random bytes are others.
    pub fn draw_again(&self) {
        *self.inside.drawn.lock().unwrap() += 1;
    }

    pub fn advance(&self, by: time::Duration) {
        self.change(|memory| memory.ticks += by.whole_seconds());
    }

    /// The user stops the provider in the middle of a pause, once the world is so.
    pub fn stop_at_pause(&self, is_so: fn(&Memory) -> bool) {
        let world = self.clone();
        self.inside.clock.ask_at_pause(&self.inside.stops, move || is_so(&world.inside.memory.lock().unwrap()));
    }

    /// Whether checksum files can be fetched from now on.
    pub fn publish(&self, is_published: bool) {
        *self.inside.is_unpublished.lock().unwrap() = !is_published;
    }

    /// From now on each mutating call takes so long.
    pub fn slow_down(&self, call_takes: Duration) {
        *self.inside.call_takes.lock().unwrap() = call_takes;
    }

    fn take_time(&self) {
        let takes = *self.inside.call_takes.lock().unwrap();
        if !takes.is_zero() {
            self.advance(time::Duration::seconds(takes.as_secs() as i64));
        }
    }

    /// A copy of all that exists now.
    pub fn memory(&self) -> Memory {
        self.inside.memory.lock().unwrap().clone()
    }

    pub fn restore(&self, memory: &Memory) {
        *self.inside.memory.lock().unwrap() = memory.clone();
    }

    /// The time that it takes passes on every clock of this world.
    pub fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.inside.memory.lock().unwrap();
        let before = memory.ticks;
        let changed = change(&mut memory);
        let took = memory.ticks - before;
        *self.inside.now.lock().unwrap() += time::Duration::seconds(took);
        self.inside.clock.advance(Duration::from_secs(took.unsigned_abs()));
        changed
    }

    /// A host of this world, connected to.
    pub fn host(&self, name: &str) -> Arc<dyn Host> {
        let name = HostName::literal(name);
        Arc::new(FakeHost { machine: name.clone(), name, address: "192.0.2.1".into(), world: self.clone() })
    }

    pub fn change_host<T>(&self, host: &str, change: impl FnOnce(&mut HostMemory) -> T) -> T {
        self.change(|memory| change(memory.host(&HostName::literal(host))))
    }

    /// Restarts the count of mutating calls, and what shall go wrong at one of them.
    pub fn arm(&self, fault: Option<(Fault, usize)>) {
        *self.inside.faults.lock().unwrap() = Faults::armed(fault);
    }

    /// The mutating calls since `arm`, as `cp-1: push`.
    pub fn calls(&self) -> Vec<String> {
        self.inside.faults.lock().unwrap().calls.clone()
    }

    /// Whether what `arm` asked for has happened.
    pub fn has_struck(&self) -> bool {
        self.inside.faults.lock().unwrap().has_struck
    }

    /// URLs of the checksum files that were asked for since the world began.
    pub fn fetches(&self) -> Vec<String> {
        self.inside.fetches.lock().unwrap().clone()
    }

    /// One mutating call. `None` when it was cut off; `effect` has then been done not at all, by half or wholly.
    /// Others do this once, just before the mutating call of that name.
    pub fn meanwhile(&self, call: &str, act: impl FnOnce(&mut Memory) + Send + 'static) {
        *self.inside.meanwhile.lock().unwrap() = Some(Meanwhile { call: call.into(), act: Box::new(act) });
    }

    async fn mutate<T>(&self, call: String, effect: impl FnOnce(&mut Memory, Extent) -> T) -> Option<T> {
        self.take_time();
        let meanwhile = self.inside.meanwhile.lock().unwrap().take_if(|meanwhile| meanwhile.call == call);
        if let Some(Meanwhile { act, .. }) = meanwhile {
            self.change(act);
        }
        let strike = self.inside.faults.lock().unwrap().strike(call);
        if strike == Some(Fault::Cancel) {
            let (heard, answer) = oneshot::channel();
            self.inside.stops.send(heard).unwrap();
            answer.await.unwrap();
        }
        let effect = |extent| self.change(|memory| effect(memory, extent));
        match strike {
            None | Some(Fault::Cancel) => Some(effect(Extent::Whole)),
            Some(Fault::Fail(moment) | Fault::Die(moment)) => {
                match moment {
                    Moment::Before => {}
                    Moment::Halfway => drop(effect(Extent::Half)),
                    Moment::After => drop(effect(Extent::Whole)),
                }
                None
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.inside.faults.lock().unwrap().is_dead
    }
}

#[async_trait]
impl World for FakeWorld {
    fn now(&self) -> OffsetDateTime {
        *self.inside.now.lock().unwrap()
    }

    fn random(&self) -> [u8; 16] {
        [*self.inside.drawn.lock().unwrap(); 16]
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.inside.clock.clone())
    }

    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, MachineError> {
        let (machine, answers) = self.change(|memory| {
            let machine = memory.routes.get(&target.address).unwrap_or(&target.name).clone();
            let host = memory.host(&machine);
            let answers = host.answers && host.refusals == 0;
            host.refusals = host.refusals.saturating_sub(1);
            (machine, answers)
        });
        if !answers || self.is_dead() {
            return Err(MachineError::ConnectTimeout { host: target.to_string(), seconds: 10 });
        }
        Ok(Arc::new(FakeHost { name: target.name.clone(), machine, address: target.address.clone(), world: self.clone() }))
    }

    async fn fetch_text(&self, url: &str) -> Result<String, String> {
        self.inside.fetches.lock().unwrap().push(url.to_string());
        let text = releases::checksum_text(url).filter(|_| !*self.inside.is_unpublished.lock().unwrap());
        text.ok_or_else(|| "404 Not Found".to_string())
    }

    async fn fetch_manifest(&self, url: &str) -> Result<String, String> {
        self.inside.fetches.lock().unwrap().push(url.to_string());
        let text = releases::manifest(url).filter(|_| !*self.inside.is_unpublished.lock().unwrap());
        text.ok_or_else(|| "404 Not Found".to_string())
    }

    fn cloud(&self, _connection: &Connection) -> Arc<dyn Cloud> {
        Arc::new(cloud::FakeCloud { world: self.clone() })
    }
}
