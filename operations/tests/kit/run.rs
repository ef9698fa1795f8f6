//! Running scenarios: each in a world of its own.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use cuttle_model::operation::OperationKind;

use super::invariants;
use super::life::Life;
use super::scenarios::Scenario;
use super::world::World;

/// What was run.
#[derive(Debug, Default)]
pub struct Count {
    scenarios: usize,
    crashes: usize,
    operations: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenarios, crashes, operations } = self;
        write!(f, "{scenarios} scenarios of {operations} operations, {crashes} crashes")
    }
}

/// Whether the scenario's cut was reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

/// Runs scenarios, so many at a time, and panics with all that failed.
pub fn run_all(world: fn() -> World, scenarios: Vec<Scenario>, threads: usize) -> Count {
    // Cuts inside one step come one after the other, and end with the first that is not reached.
    let mut chains: Vec<Vec<Scenario>> = Vec::new();
    for scenario in scenarios {
        match chains.last_mut().filter(|chain| scenario.next_cut && chain.last().is_some_and(|last| follows(last, &scenario))) {
            Some(chain) => chain.push(scenario),
            None => chains.push(vec![scenario]),
        }
    }
    let (queue, count, failures) = (Mutex::new(chains.into_iter()), Mutex::new(Count::default()), Mutex::new(Vec::new()));
    let kinds = Mutex::new(std::collections::HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(chain) = queue.lock().unwrap().next() else { return };
                    for scenario in chain {
                        kinds.lock().unwrap().insert(scenario.entry.kind);
                        let done = run_in(world, &scenario);
                        let mut count = count.lock().unwrap();
                        match done {
                            Ok(Reached::No) if scenario.next_cut => break,
                            Ok(_) => {
                                count.scenarios += 1;
                                count.crashes += scenario.lives.len() - 1;
                            }
                            Err(panic) => {
                                let text = panic.downcast_ref::<String>().cloned();
                                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                                failures.lock().unwrap().push(format!("{scenario}\n    {}", text.unwrap_or_default()));
                                // The further cuts inside this step would fail as well, each after its time.
                                if scenario.next_cut {
                                    break;
                                }
                            }
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} scenarios failed:\n{}", failures.len(), failures.join("\n"));
    Count { operations: kinds.into_inner().unwrap().len(), ..count.into_inner().unwrap() }
}

/// Whether two scenarios cut the same step.
fn follows(one: &Scenario, other: &Scenario) -> bool {
    let place = |scenario: &Scenario| {
        scenario.lives.first().and_then(|rules| rules.last().map(|rule| (scenario.entry.kind, rule.step, rule.direction)))
    };
    one.next_cut && place(one) == place(other)
}

/// Runs a scenario in a new world, and takes the world away whatever it came to.
fn run_in(world: fn() -> World, scenario: &Scenario) -> std::thread::Result<Reached> {
    let world = catch_unwind(world)?;
    let reached = catch_unwind(AssertUnwindSafe(|| run(&world, scenario)));
    catch_unwind(AssertUnwindSafe(|| world.clean_up()))?;
    reached
}

fn run(world: &World, scenario: &Scenario) -> Reached {
    let kind = scenario.entry.kind;
    let mut lives = scenario.lives.iter();
    let first = lives.next().cloned().unwrap_or_default();
    let mut life = Life::begin(world, kind, first);
    let subject = (scenario.entry.begin)(world, &life);
    let mut reached = Reached::Yes;
    let ended = loop {
        match life.settled(subject, kind) {
            Some(ended) => {
                // A cut that lies behind the step's end.
                if lives.len() > 0 && life.script.left().is_empty() {
                    reached = Reached::No;
                }
                break ended;
            }
            None => {
                life.kill(world);
                life = Life::begin(world, kind, lives.next().cloned().unwrap_or_default());
            }
        }
    };
    if reached == Reached::Yes {
        let reason = ended.fault.as_ref().map(|fault| fault.message.as_str()).unwrap_or_default();
        assert!(scenario.ends.contains(&ended.status), "ended as {:?}: {reason}", ended.status);
        invariants::check(world, &mut life);
        // And whatever it came to, it can be deleted, and then nothing is left.
        life.delete_all(world);
        invariants::check_empty(world, &mut life);
    }
    life.stop();
    reached
}

/// A seed that nobody chose, unless `CUTTLE_KIT_SEED` did.
pub fn seed() -> u64 {
    let chosen = std::env::var("CUTTLE_KIT_SEED").ok().map(|seed| seed.parse().expect("CUTTLE_KIT_SEED is a number"));
    chosen.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// So many of them, which ones says the seed.
pub fn sample(mut scenarios: Vec<Scenario>, count: usize, seed: u64) -> Vec<Scenario> {
    let mut state = seed;
    let mut random = || {
        // Knuth's multiplier: enough to choose with.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0)
    };
    let mut chosen = Vec::new();
    while chosen.len() < count && !scenarios.is_empty() {
        let place = random() % scenarios.len();
        chosen.push(scenarios.swap_remove(place));
    }
    chosen
}
