//! The machines themselves under the model checker: several clients, a network that loses,
//! delays and duplicates requests, stores that answer 5xx after the work is done, an SDK that
//! repeats, crashes at every point, and a person who unlocks.

use stateright::{Checker, Model, Property};

use super::{Acquire, Acquired, Answer, Ending, Release, Rules, Step, Target, is_held_by};
use crate::backend::Store;

/// A client's number is its lock's ID.
type Id = u8;

/// The owner of a body, and which of its writes this one is: always 0 where the `ETag` is a digest.
type Tag = (Id, u8);

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
    /// Each write of the same body has another tag, as with an `ETag` under a KMS key.
    tags_differ: bool,
    rules: Rules,
}

/// More than the faults of one history, so that faults alone never make a client give up.
const TRIES: u8 = 3;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The lock in each store.
    stores: Vec<Option<Tag>>,
    clients: Vec<Client>,
    /// Requests on their way that nobody waits for any more.
    strays: Vec<Request>,
    /// What a person saw in a store, and is about to remove.
    unlocking: Option<(usize, Tag)>,
    faults: u8,
    /// Somebody's lock was deleted by one who may not.
    wronged: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that a property asks about")]
struct Client {
    phase: Phase,
    /// Its lock was removed by force.
    robbed: bool,
    held: bool,
    /// It was told to stop, refused by a store, or out of time: it may end without the lock.
    excused: bool,
    /// How many of its writes are told apart.
    writes: u8,
    /// A request of its arrived when it was done.
    is_late: bool,
    /// It has reason to think that a lock of its own may be there: one was, or a `PUT` was not clearly
    /// answered, or was refused and nobody could look why.
    may_have_left: bool,
    /// The network made a copy of a `PUT` of its.
    is_copied: bool,
    /// It says that the store contradicts itself.
    blames_the_store: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Taking(Acquire<Id, Tag>),
    Holding(Vec<Target<Tag>>),
    Letting(Release<Id, Tag>),
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
    Delete(Option<Tag>),
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
    /// There was no connection, and the client knows.
    Unsent,
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
        self.stores.iter().flatten().any(|(owner, _)| *owner == client)
    }

    fn client(&self, id: Id) -> &Client {
        &self.clients[usize::from(id)]
    }

    fn step(&self, id: Id) -> Option<Step<Tag>> {
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

    fn arrives(&mut self, request: Request, tags_differ: bool) -> Answer<Id, Tag> {
        let slot = self.stores[request.store];
        match (request.kind, slot) {
            (Kind::Put, None) => {
                let client = &mut self.clients[usize::from(request.from)];
                client.writes += u8::from(tags_differ);
                client.may_have_left = true;
                let tag = (request.from, client.writes);
                self.stores[request.store] = Some(tag);
                Answer::Created(tag)
            }
            (Kind::Put, Some(_)) => Answer::Exists,
            (Kind::Delete(Some(_)), None) => Answer::Absent,
            (Kind::Delete(None), None) => Answer::Deleted,
            (Kind::Delete(Some(tag)), Some(there)) if there != tag => Answer::Mismatch,
            (Kind::Delete(_), Some(there)) => {
                self.wronged |= there.0 != request.from;
                self.stores[request.store] = None;
                Answer::Deleted
            }
        }
    }

    fn on_its_way(&mut self, request: Request) {
        self.strays.push(request);
        self.strays.sort_unstable();
    }

    fn sent(&mut self, request: Request, fate: Fate, tags_differ: bool) -> Answer<Id, Tag> {
        let in_doubt = matches!(fate, Fate::Lost | Fate::Unanswered | Fate::Late);
        self.clients[usize::from(request.from)].may_have_left |= in_doubt && request.kind == Kind::Put;
        match fate {
            Fate::Answered => self.arrives(request, tags_differ),
            Fate::Lost => Answer::Unclear,
            Fate::Unanswered => {
                self.arrives(request, tags_differ);
                Answer::Unclear
            }
            Fate::Late => {
                self.on_its_way(request);
                Answer::Unclear
            }
            Fate::Duplicated => {
                self.clients[usize::from(request.from)].is_copied |= request.kind == Kind::Put;
                let answer = self.arrives(request, tags_differ);
                self.on_its_way(request);
                answer
            }
            Fate::Resent => {
                self.arrives(request, tags_differ);
                self.arrives(request, tags_differ)
            }
            Fate::Refused => Answer::Refused,
            Fate::Unsent => Answer::Unsent,
        }
    }
}

impl Setting {
    fn index(&self, store: Store) -> usize {
        self.stores.iter().position(|s| *s == store).unwrap()
    }

    /// Without `any_delay`, pauses and deletes outlast what is still on its way.
    fn may_go_on(&self, world: &World, client: Id, step: &Step<Tag>) -> bool {
        let outlasts = matches!(step, Step::Backoff(_) | Step::Wait(_) | Step::Delete(..));
        self.any_delay || !outlasts || !world.has_strays(client)
    }

    fn perform(&self, world: &mut World, client: Id, step: &Step<Tag>, fate: Fate) {
        let request = |store, kind| Request { from: client, store: self.index(store), kind };
        let answer = match *step {
            Step::Put(store) => world.sent(request(store, Kind::Put), fate, self.tags_differ),
            Step::Delete(store, tag) => world.sent(request(store, Kind::Delete(tag)), fate, self.tags_differ),
            Step::Read(store) => match (fate, world.stores[self.index(store)]) {
                (Fate::Answered, None) => Answer::Absent,
                (Fate::Answered, Some(tag)) => Answer::Present { id: Some(tag.0), tag },
                (Fate::Refused, _) => Answer::Refused,
                _ => Answer::Unclear,
            },
            Step::Backoff(_) | Step::Wait(_) => Answer::Resumed,
        };
        if fate == Fate::Refused {
            let client = &mut world.clients[usize::from(client)];
            client.excused = true;
            // Refused, and nobody has looked why.
            let is_blind = matches!(&client.phase, Phase::Taking(machine) if machine.is_unlooked());
            client.may_have_left |= is_blind;
        }
        self.observe(world, client, answer);
    }

    fn observe(&self, world: &mut World, id: Id, answer: Answer<Id, Tag>) {
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
        let outcome = if let Phase::Taking(machine) = &client.phase { machine.outcome() } else { None };
        client.blames_the_store |= matches!(outcome, Some(Acquired::Contradicted { .. }));
        let next = match &client.phase {
            Phase::Taking(machine) => match machine.outcome() {
                Some(Acquired::Yes(halves)) => {
                    client.held = true;
                    Phase::Holding(halves.clone())
                }
                Some(Acquired::Held) => Phase::Done { reported: false },
                Some(
                    Acquired::Failed { left_behind }
                    | Acquired::Contradicted { left_behind }
                    | Acquired::Cancelled { left_behind },
                ) => Phase::Done { reported: *left_behind },
                None => return,
            },
            Phase::Letting(machine) if machine.step().is_none() => Phase::Done {
                reported: machine.endings().iter().any(|(_, ending)| matches!(ending, Ending::Failed | Ending::Unseen)),
            },
            _ => return,
        };
        client.phase = next;
    }

    /// No more faults, everybody in turn, the dead unlocked: does everyone get the lock who has
    /// no excuse, and does everyone come to an end?
    fn comes_right(&self, world: &World) -> bool {
        let mut world = world.clone();
        while let Some(stray) = world.strays.pop() {
            world.arrives(stray, self.tags_differ);
        }
        for _ in 0..80 {
            for slot in &mut world.stores {
                let phase = |id: Id| &world.clients[usize::from(id)].phase;
                slot.take_if(|(id, _)| matches!(phase(*id), Phase::Crashed | Phase::Done { .. }));
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
            writes: 0,
            is_late: false,
            may_have_left: false,
            is_copied: false,
            blames_the_store: false,
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
                    [
                        Fate::Lost,
                        Fate::Unanswered,
                        Fate::Late,
                        Fate::Duplicated,
                        Fate::Resent,
                        Fate::Refused,
                        Fate::Unsent,
                    ]
                    .map(|fate| Action::Step(id, fate)),
                ),
                // That a copy made by the network wins later is no reason to speak of a lock left behind
                // after a refusal: whoever has one, his looks are not refused.
                Step::Read(_) if faulty && !self.any_delay && !world.client(id).is_copied => {
                    actions.extend([Fate::Lost, Fate::Refused].map(|fate| Action::Step(id, fate)));
                }
                Step::Read(_) if faulty => actions.push(Action::Step(id, Fate::Lost)),
                Step::Wait(_) => actions.push(Action::Expire(id)),
                _ => {}
            }
        }
        actions.extend(world.strays.iter().copied().map(Action::Arrive));
        if let Some((_, seen)) = world.unlocking {
            // A person is slower than a request on its way.
            if self.any_delay || !world.has_strays(seen.0) {
                actions.push(Action::Unlock);
            }
        } else {
            for (store, there) in world.stores.iter().enumerate() {
                let Some(holder) = there.map(|(id, _)| world.client(id)) else { continue };
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
                let client = &mut next.clients[usize::from(stray.from)];
                client.is_late |= matches!(client.phase, Phase::Done { .. });
                next.arrives(stray, self.tags_differ);
            }
            Action::LookToUnlock(store) => {
                let there = world.stores[store]?;
                next.faults -= u8::from(world.client(there.0).phase != Phase::Crashed);
                next.unlocking = Some((store, there));
            }
            // The machine for it has one step when all goes well, and the condition is the store's.
            Action::Unlock => {
                let (store, seen) = next.unlocking.take()?;
                let mut machine: Release<Id, Tag> = Release::of_exactly(self.stores[store], seen);
                let Some(Step::Delete(_, Some(tag))) = machine.step() else { return None };
                let answer =
                    next.arrives(Request { from: seen.0, store, kind: Kind::Delete(Some(tag)) }, self.tags_differ);
                if answer == Answer::Deleted {
                    next.clients[usize::from(seen.0)].robbed = true;
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
                        || world.stores.iter().all(|there| there.is_some_and(|(owner, _)| owner == id))
                })
            }),
            Property::always("nobody's lock is deleted but by its holder or an unlock", |_, world: &World| {
                !world.wronged
            }),
            Property::always("only who has reason to says that a lock may be left behind", |_, world: &World| {
                world
                    .clients
                    .iter()
                    .all(|client| client.phase != (Phase::Done { reported: true }) || client.may_have_left)
            }),
            Property::always("no sound store is called broken", |_, world: &World| {
                world.clients.iter().all(|client| !client.blames_the_store)
            }),
            Property::sometimes("somebody gets the lock", |_, world: &World| {
                world.clients.iter().any(|client| client.held)
            }),
            Property::sometimes("everybody gets the lock", |_, world: &World| {
                world.clients.iter().all(|client| client.held)
            }),
        ];
        if self.stores.len() == 1 {
            properties.push(Property::always(LEFT_BEHIND, |_, world: &World| {
                world.clients.iter().zip(0..).all(|(client, id)| {
                    client.phase != (Phase::Done { reported: false }) || client.is_late || !world.locks(id)
                })
            }));
        }
        if !self.any_delay {
            properties.extend([
                Property::always("who survives has let go, or says that he may not have", |_, world: &World| {
                    world.clients.iter().zip(0..).all(|(client, id)| {
                        client.phase != (Phase::Done { reported: false }) || world.has_strays(id) || !world.locks(id)
                    })
                }),
                Property::always("a lock taken by force does not verify", |model: &Setting, world: &World| {
                    world.clients.iter().zip(0..).all(|(client, id)| {
                        let read = |there: &Option<Tag>| there.map(|tag| Answer::Present { id: Some(tag.0), tag });
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

/// Between two stores, a request can arrive in the first while the second is let go.
const LEFT_BEHIND: &str = "whatever of its own had arrived, who survives has let go";

const SOUND: Setting = Setting {
    clients: 3,
    stores: &[Store::S3],
    faults: 2,
    any_delay: false,
    force: false,
    tags_differ: false,
    rules: Rules::ALL,
};

const BOTH: [Store; 2] = [Store::S3, Store::DynamoDb];

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
    check("two clients, two stores", Setting { clients: 2, faults: 3, stores: &BOTH, ..SOUND });
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
fn tags_that_differ_with_each_write() {
    check("tags differ", Setting { clients: 2, faults: 3, any_delay: true, force: true, tags_differ: true, ..SOUND });
    check("tags differ, two stores", Setting { clients: 2, stores: &BOTH, force: true, tags_differ: true, ..SOUND });
}

#[test]
fn the_checker_notices_a_missing_comparison_of_the_id() {
    let rules = Rules { recognize_own: false, ..Rules::ALL };
    broken(Setting { clients: 2, rules, ..SOUND }, "who survives has let go, or says that he may not have");
}

#[test]
fn the_checker_notices_a_doubt_that_is_kept_after_it_is_refuted() {
    let rules = Rules { settle_doubt: false, ..Rules::ALL };
    broken(Setting { clients: 2, rules, ..SOUND }, "only who has reason to says that a lock may be left behind");
}

#[test]
fn the_checker_notices_a_delete_without_a_condition() {
    let rules = Rules { delete_if_match: false, ..Rules::ALL };
    broken(Setting { clients: 2, rules, ..SOUND }, "nobody's lock is deleted but by its holder or an unlock");
}
