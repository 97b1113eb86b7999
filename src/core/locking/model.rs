//! The machines themselves under the model checker: several clients, a network that loses,
//! delays and duplicates requests, stores that answer 5xx after the work is done, an SDK that
//! repeats, crashes at every point, and a person who unlocks.

use stateright::{Checker, Model, Property};

use super::{Acquire, Acquired, Answer, Ending, Release, Rules, Step, Target, is_held_by};
use crate::core::backend::Store;

/// A client's number is its lock's ID and its lock's tag, as with an `ETag` that is a digest.
type Id = u8;

/// What is checked, and how much of it.
#[derive(Debug, Clone)]
struct Setting {
    clients: Id,
    stores: &'static [Store],
    /// Faults, crashes and cancellations in one history.
    faults: u8,
    /// A delayed request may arrive at any time, even after its client is done. Otherwise it
    /// arrives before its client's next pause or delete, before its client is done, and before
    /// a person unlocks.
    any_delay: bool,
    /// A person may unlock a living holder's lock by force.
    force: bool,
    rules: Rules,
}

/// More than the faults of one history, so that faults alone never make a client give up.
const TRIES: u8 = 3;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The ID of the lock in each store.
    stores: Vec<Option<Id>>,
    clients: Vec<Client>,
    /// Requests on their way that nobody waits for any more.
    strays: Vec<Request>,
    /// What a person saw in a store, and is about to remove.
    unlocking: Option<(usize, Id)>,
    faults: u8,
    /// Somebody's lock was deleted by one who may not.
    wronged: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Client {
    phase: Phase,
    /// Its lock was removed by force.
    robbed: bool,
    held: bool,
    /// It was told to stop, refused by a store, or out of time: it may end without the lock.
    excused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Taking(Acquire<Id, Id>),
    Holding(Vec<Target<Id>>),
    Letting(Release<Id, Id>),
    Done {
        /// It said that its lock may be left behind.
        reported: bool,
    },
    Crashed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    from: Id,
    store: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Put,
    Delete(Option<Id>),
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Answered,
    /// It never arrives: cut, or 503.
    Lost,
    /// Done, but the answer is lost, or is a 500.
    Unanswered,
    /// Given up by the client, and still on its way.
    Late,
    /// Answered, and a copy is still on its way.
    Duplicated,
    /// Done, repeated underneath us, and only the second answer arrives.
    Resent,
    /// 403.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Action {
    Step(Id, Fate),
    Expire(Id),
    Cancel(Id),
    Crash(Id),
    /// A request that nobody waits for arrives.
    Arrive(Request),
    /// A person looks at a store; the holder is dead, or is about to be overruled.
    LookToUnlock(usize),
    Unlock,
}

impl World {
    fn locks(&self, client: Id) -> bool {
        self.stores.contains(&Some(client))
    }

    fn client(&self, id: Id) -> &Client {
        &self.clients[usize::from(id)]
    }

    fn step(&self, id: Id) -> Option<Step<Id>> {
        match &self.client(id).phase {
            Phase::Taking(machine) => machine.step(),
            Phase::Holding(_) => Some(Step::Backoff(0)),
            Phase::Letting(machine) => machine.step(),
            Phase::Done { .. } | Phase::Crashed => None,
        }
    }

    fn has_strays(&self, client: Id) -> bool {
        self.strays.iter().any(|stray| stray.from == client)
    }

    fn arrives(&mut self, request: Request) -> Answer<Id, Id> {
        let slot = self.stores[request.store];
        match (request.kind, slot) {
            (Kind::Put, None) => {
                self.stores[request.store] = Some(request.from);
                Answer::Created(request.from)
            }
            (Kind::Put, Some(_)) => Answer::Exists,
            (Kind::Delete(Some(_)), None) => Answer::Absent,
            (Kind::Delete(None), None) => Answer::Deleted,
            (Kind::Delete(Some(tag)), Some(there)) if there != tag => Answer::Mismatch,
            (Kind::Delete(_), Some(there)) => {
                self.wronged |= there != request.from;
                self.stores[request.store] = None;
                Answer::Deleted
            }
        }
    }

    fn on_its_way(&mut self, request: Request) {
        self.strays.push(request);
        self.strays.sort_unstable();
    }

    fn sent(&mut self, request: Request, fate: Fate) -> Answer<Id, Id> {
        match fate {
            Fate::Answered => self.arrives(request),
            Fate::Lost => Answer::Unclear,
            Fate::Unanswered => {
                self.arrives(request);
                Answer::Unclear
            }
            Fate::Late => {
                self.on_its_way(request);
                Answer::Unclear
            }
            Fate::Duplicated => {
                let answer = self.arrives(request);
                self.on_its_way(request);
                answer
            }
            Fate::Resent => {
                self.arrives(request);
                self.arrives(request)
            }
            Fate::Refused => Answer::Refused,
        }
    }
}

impl Setting {
    fn index(&self, store: Store) -> usize {
        self.stores.iter().position(|s| *s == store).unwrap()
    }

    /// Without `any_delay`, pauses and deletes outlast what is still on its way.
    fn may_go_on(&self, world: &World, client: Id, step: &Step<Id>) -> bool {
        let outlasts = matches!(step, Step::Backoff(_) | Step::Wait(_) | Step::Delete(..));
        self.any_delay || !outlasts || !world.has_strays(client)
    }

    fn perform(&self, world: &mut World, client: Id, step: &Step<Id>, fate: Fate) {
        let request = |store, kind| Request { from: client, store: self.index(store), kind };
        let answer = match *step {
            Step::Put(store) => world.sent(request(store, Kind::Put), fate),
            Step::Delete(store, tag) => world.sent(request(store, Kind::Delete(tag)), fate),
            Step::Read(store) => match (fate, world.stores[self.index(store)]) {
                (Fate::Answered, None) => Answer::Absent,
                (Fate::Answered, Some(there)) => Answer::Present { id: Some(there), tag: there },
                _ => Answer::Unclear,
            },
            Step::Backoff(_) | Step::Wait(_) => Answer::Resumed,
        };
        if fate == Fate::Refused {
            world.clients[usize::from(client)].excused = true;
        }
        self.observe(world, client, answer);
    }

    fn observe(&self, world: &mut World, id: Id, answer: Answer<Id, Id>) {
        let client = &mut world.clients[usize::from(id)];
        match &mut client.phase {
            Phase::Taking(machine) => machine.observe(answer),
            Phase::Holding(halves) => {
                let halves = std::mem::take(halves);
                client.phase = Phase::Letting(Release::with_rules(Some(id), halves, TRIES, self.rules));
            }
            Phase::Letting(machine) => machine.observe(answer),
            Phase::Done { .. } | Phase::Crashed => {}
        }
        Self::settle(client);
    }

    /// What a machine that is over leads to.
    fn settle(client: &mut Client) {
        let next = match &client.phase {
            Phase::Taking(machine) => match machine.outcome() {
                Some(Acquired::Yes(halves)) => {
                    client.held = true;
                    Phase::Holding(halves.clone())
                }
                Some(Acquired::Held) => Phase::Done { reported: false },
                Some(Acquired::Failed { left_behind } | Acquired::Cancelled { left_behind }) => {
                    Phase::Done { reported: *left_behind }
                }
                None => return,
            },
            Phase::Letting(machine) if machine.step().is_none() => {
                Phase::Done { reported: machine.endings().iter().any(|(_, ending)| *ending == Ending::Failed) }
            }
            _ => return,
        };
        client.phase = next;
    }

    /// No more faults, everybody in turn, the dead unlocked: does everyone get the lock who has
    /// no excuse, and does everyone come to an end?
    fn comes_right(&self, world: &World) -> bool {
        let mut world = world.clone();
        while let Some(stray) = world.strays.pop() {
            world.arrives(stray);
        }
        for _ in 0..80 {
            for slot in &mut world.stores {
                let phase = |id: Id| &world.clients[usize::from(id)].phase;
                slot.take_if(|id| matches!(phase(*id), Phase::Crashed | Phase::Done { .. }));
            }
            for client in 0..self.clients {
                if let Some(step) = world.step(client) {
                    self.perform(&mut world, client, &step, Fate::Answered);
                }
            }
        }
        world.clients.iter().all(|client| match client.phase {
            Phase::Crashed => true,
            Phase::Done { .. } => client.held || client.excused,
            _ => false,
        })
    }
}

impl Model for Setting {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let client = |id| Client {
            phase: Phase::Taking(Acquire::with_rules(id, self.stores, TRIES, self.rules)),
            robbed: false,
            held: false,
            excused: false,
        };
        vec![World {
            stores: vec![None; self.stores.len()],
            clients: (0..self.clients).map(client).collect(),
            strays: Vec::new(),
            unlocking: None,
            faults: self.faults,
            wronged: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let faulty = world.faults > 0;
        for id in 0..self.clients {
            let Some(step) = world.step(id) else { continue };
            if faulty {
                actions.push(Action::Crash(id));
                if matches!(world.client(id).phase, Phase::Taking(_)) && !world.client(id).excused {
                    actions.push(Action::Cancel(id));
                }
            }
            if !self.may_go_on(world, id, &step) {
                continue;
            }
            actions.push(Action::Step(id, Fate::Answered));
            match step {
                Step::Put(_) | Step::Delete(..) if faulty => actions.extend(
                    [Fate::Lost, Fate::Unanswered, Fate::Late, Fate::Duplicated, Fate::Resent, Fate::Refused]
                        .map(|fate| Action::Step(id, fate)),
                ),
                Step::Read(_) if faulty => actions.push(Action::Step(id, Fate::Lost)),
                Step::Wait(_) => actions.push(Action::Expire(id)),
                _ => {}
            }
        }
        actions.extend(world.strays.iter().copied().map(Action::Arrive));
        if let Some((_, seen)) = world.unlocking {
            // A person is slower than a request on its way.
            if self.any_delay || !world.has_strays(seen) {
                actions.push(Action::Unlock);
            }
        } else {
            for (store, there) in world.stores.iter().enumerate() {
                let Some(holder) = there.map(|id| world.client(id)) else { continue };
                let dead = holder.phase == Phase::Crashed;
                let forced = self.force && matches!(holder.phase, Phase::Holding(_)) && faulty;
                if dead || forced {
                    actions.push(Action::LookToUnlock(store));
                }
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Step(id, fate) => {
                next.faults -= u8::from(fate != Fate::Answered);
                let step = world.step(id)?;
                self.perform(&mut next, id, &step, fate);
            }
            Action::Expire(id) => {
                next.clients[usize::from(id)].excused = true;
                self.observe(&mut next, id, Answer::Expired);
            }
            Action::Cancel(id) => {
                next.faults -= 1;
                let client = &mut next.clients[usize::from(id)];
                client.excused = true;
                if let Phase::Taking(machine) = &mut client.phase {
                    machine.cancel();
                }
                Self::settle(client);
            }
            Action::Crash(id) => {
                next.faults -= 1;
                next.clients[usize::from(id)].phase = Phase::Crashed;
            }
            Action::Arrive(stray) => {
                let at = next.strays.iter().position(|s| *s == stray)?;
                next.strays.remove(at);
                next.arrives(stray);
            }
            Action::LookToUnlock(store) => {
                let there = world.stores[store]?;
                next.faults -= u8::from(world.client(there).phase != Phase::Crashed);
                next.unlocking = Some((store, there));
            }
            // The machine for it has one step when all goes well, and the condition is the store's.
            Action::Unlock => {
                let (store, seen) = next.unlocking.take()?;
                let mut machine: Release<Id, Id> = Release::of_exactly(self.stores[store], seen);
                let Some(Step::Delete(_, Some(tag))) = machine.step() else { return None };
                let answer = next.arrives(Request { from: seen, store, kind: Kind::Delete(Some(tag)) });
                if answer == Answer::Deleted {
                    next.clients[usize::from(seen)].robbed = true;
                }
                machine.observe(answer);
            }
        }
        let too_early = |id: &Id| matches!(next.client(*id).phase, Phase::Done { .. }) && next.has_strays(*id);
        if !self.any_delay && (0..self.clients).any(|id| too_early(&id)) {
            return None;
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("never two holders", |_, world: &World| {
                let holds = |client: &&Client| matches!(client.phase, Phase::Holding(_)) && !client.robbed;
                world.clients.iter().filter(holds).count() <= 1
            }),
            Property::always("a holder's lock is there unless it was taken by force", |_, world: &World| {
                world.clients.iter().zip(0..).all(|(client, id)| {
                    !matches!(client.phase, Phase::Holding(_))
                        || client.robbed
                        || world.stores.iter().all(|there| *there == Some(id))
                })
            }),
            Property::always("nobody's lock is deleted but by its holder or an unlock", |_, world: &World| {
                !world.wronged
            }),
            Property::sometimes("somebody gets the lock", |_, world: &World| {
                world.clients.iter().any(|client| client.held)
            }),
            Property::sometimes("everybody gets the lock", |_, world: &World| {
                world.clients.iter().all(|client| client.held)
            }),
        ];
        if !self.any_delay {
            properties.extend([
                Property::always("who survives has let go, or says that he may not have", |_, world: &World| {
                    world.clients.iter().zip(0..).all(|(client, id)| {
                        client.phase != (Phase::Done { reported: false }) || world.has_strays(id) || !world.locks(id)
                    })
                }),
                Property::always("a lock taken by force does not verify", |model: &Setting, world: &World| {
                    world.clients.iter().zip(0..).all(|(client, id)| {
                        let read = |there: &Option<Id>| there.map(|id| Answer::Present { id: Some(id), tag: id });
                        let held = |there| read(there).is_some_and(|answer| is_held_by(&answer, &id));
                        let verifies = world.stores.iter().take(model.stores.len()).all(held);
                        !(client.robbed && matches!(client.phase, Phase::Holding(_)) && verifies)
                    })
                }),
                Property::always("without further faults everybody gets the lock", |model: &Setting, world: &World| {
                    model.comes_right(world)
                }),
            ]);
        }
        properties
    }
}

const SOUND: Setting =
    Setting { clients: 3, stores: &[Store::S3], faults: 2, any_delay: false, force: false, rules: Rules::ALL };

/// Explores every history and fails with the shortest one that breaks a property.
fn check(name: &str, setting: Setting) {
    let checker = setting.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them distinct, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

/// The property that is broken when these rules are off.
fn broken(setting: Setting, property: &'static str) {
    let checker = setting.checker().threads(2).spawn_bfs().join();
    let path = checker.discovery(property);
    assert!(path.is_some(), "the checker does not notice: {property}");
}

#[test]
fn three_clients_and_one_store() {
    check("three clients, one store", Setting { faults: 3, ..SOUND });
}

#[test]
fn two_clients_and_two_stores() {
    check("two clients, two stores", Setting { clients: 2, faults: 3, stores: &[Store::S3, Store::DynamoDb], ..SOUND });
}

#[test]
fn requests_that_arrive_at_any_time() {
    check("any delay", Setting { clients: 2, faults: 3, any_delay: true, ..SOUND });
}

#[test]
fn a_person_unlocks_by_force() {
    check("force", Setting { clients: 2, faults: 3, force: true, ..SOUND });
}

#[test]
fn the_checker_notices_a_missing_comparison_of_the_id() {
    let rules = Rules { recognize_own: false, ..Rules::ALL };
    broken(Setting { clients: 2, rules, ..SOUND }, "who survives has let go, or says that he may not have");
}

#[test]
fn the_checker_notices_a_delete_without_a_condition() {
    let rules = Rules { delete_if_match: false, ..Rules::ALL };
    broken(Setting { clients: 2, rules, ..SOUND }, "nobody's lock is deleted but by its holder or an unlock");
}
