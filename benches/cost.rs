//! What standing in front of Terraform costs; `cargo bench --bench cost`.
//!
//! Real Terraform, an S3 API on loopback, and a proxy that makes each request to it slower. All
//! figures are ratios or counts within this one run; each time is the median of several, taken in
//! turns, so that a busy machine slows both sides alike.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark talks to a person, has nobody to report an error to, and rounds anyway"
)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::fault_proxy::{Fault, FaultProxy, Seen};
use harness::laptop::Laptop;
use harness::ministack::Ministack;
use harness::process::{run, runtime};
use harness::runner::binary;
use harness::world::World;
use stategate::shell::lock_store::{Bucket, HeldLock, Released, Wait, acquire};
use stategate_core::backend::Backend;
use stategate_core::lock_info::{LockInfo, Operation, Origin};

const ROUNDS: usize = 5;
const WAITERS: usize = 32;
/// How long all wait for one holder before the lock goes from hand to hand.
const HELD: Duration = Duration::from_mins(1);

fn main() {
    // `cargo test --benches` would start this too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    size_and_start();
    small_plan();
    against_terraform();
    waiting();
}

/// The binary itself.
fn size_and_start() {
    let binary = binary();
    let size = std::fs::metadata(&binary).unwrap().len();
    let version = median(50, || drop(run(Command::new(&binary).arg("--version"))));
    let nothing = median(50, || drop(run(&mut Command::new("/bin/true"))));
    println!("binary                       {:.1} MB", megabytes(size));
    println!(
        "start and end (--version)    {:.1} ms, of which {:.1} ms are any process's",
        millis(version),
        millis(nothing)
    );
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked", "--offline"]);
    let listed = run(tree.current_dir(env!("CARGO_MANIFEST_DIR")));
    let mut crates: Vec<_> = listed.stdout.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.sort_unstable();
    crates.dedup();
    println!("crates in the binary         {}", crates.len().saturating_sub(1));
}

/// From the start of `render` to its end.
fn small_plan() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/stategate-core/tests/plans/picture.json");
    let binary = binary();
    let time = median(50, || {
        run(Command::new(&binary).args(["render", "--plan-json"]).arg(&plan)).succeeded();
    });
    println!("render a small plan          {:.1} ms, start to finish", millis(time));
}

/// `stategate plan` beside `terraform plan` with its own lock, in the same root module.
fn against_terraform() {
    let delay = Arc::new(AtomicU64::new(0));
    let mut bucket = Ministack::shared().bucket();
    let proxy = {
        let delay = Arc::clone(&delay);
        FaultProxy::start(&bucket.endpoint, move |_| match delay.load(Ordering::Relaxed) {
            0 => Fault::None,
            millis => Fault::Delay(Duration::from_millis(millis)),
        })
    };
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    let laptop = world.laptop();
    laptop.apply().succeeded();
    world.new_image();
    println!();
    println!("per S3 request   terraform plan   stategate plan             with show, as stategate does");
    for added in [0, 50, 200] {
        delay.store(added, Ordering::Relaxed);
        let (mut plain, mut ours, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            plain.push(timed(|| plan(&laptop)));
            ours.push(timed(|| drop(laptop.stategate(&["plan", "--init", "false"]).succeeded())));
            shown.push(timed(|| plan_and_show(&laptop)));
        }
        let (plain, ours, shown) = (middle(&mut plain), middle(&mut ours), middle(&mut shown));
        println!(
            "+ {added:>3} ms         {:>8.0} ms     {:>8.0} ms = {:.2} ×      {:>8.0} ms, stategate is {:.2} ×",
            millis(plain),
            millis(ours),
            ratio(ours, plain),
            millis(shown),
            ratio(ours, shown),
        );
    }
    delay.store(0, Ordering::Relaxed);
    let count = |from: usize, terraform: bool| {
        let by = |seen: &&Seen| seen.header("user-agent").is_some_and(|agent| agent.contains("Terraform")) == terraform;
        proxy.seen().iter().skip(from).filter(by).count()
    };
    let from = proxy.seen().len();
    plan(&laptop);
    let plain = count(from, true);
    let from = proxy.seen().len();
    laptop.stategate(&["plan", "--init", "false"]).succeeded();
    println!(
        "requests         {plain:>8}        {:>8} by Terraform and {} by stategate, some of them beside the plan",
        count(from, true),
        count(from, false)
    );
}

fn plan(laptop: &Laptop) {
    laptop.terraform(&["plan", "-input=false", "-no-color"]).succeeded();
}

/// What a script would do that wants to tell a pull request of the plan.
fn plan_and_show(laptop: &Laptop) {
    laptop.terraform(&["plan", "-input=false", "-no-color", "-out=plan.out"]).succeeded();
    laptop.terraform(&["show", "-json", "plan.out"]).succeeded();
    laptop.terraform(&["show", "-no-color", "plan.out"]).succeeded();
}

/// Many wait for one lock, then pass it on.
fn waiting() {
    let bucket = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&bucket.endpoint, |_| Fault::None);
    let file = format!(
        r#"{{"version":3,"backend":{{"type":"s3","config":{{"bucket":"{}","key":"prod.tfstate","region":"us-east-1",
        "access_key":"test","secret_key":"test","use_path_style":true,"use_lockfile":true,
        "endpoints":{{"s3":"{}"}}}}}}}}"#,
        bucket.name, proxy.endpoint
    );
    let backend = Backend::read(file.as_bytes(), "default", &|_| None).unwrap();
    runtime().block_on(async {
        let ours = Bucket::connect(backend).await;
        let holder = lock(&ours, "holder").await;
        let waiters: Vec<_> = (0..WAITERS)
            .map(|number| {
                let ours = ours.clone();
                tokio::spawn(async move {
                    let held = lock(&ours, &format!("waiter-{number}")).await;
                    let taken = Instant::now();
                    released(held).await;
                    (taken, Instant::now())
                })
            })
            .collect();
        tokio::time::sleep(HELD / 4).await;
        // By now all poll as slowly as they ever do.
        let (from, begun) = (proxy.seen().len(), Instant::now());
        tokio::time::sleep(HELD * 3 / 4).await;
        let asked = (proxy.seen().len() - from) as f64 / begun.elapsed().as_secs_f64() * 60.0;
        released(holder).await;
        let mut last = Instant::now();
        let mut turns = Vec::new();
        for waiter in waiters {
            turns.push(waiter.await.unwrap());
        }
        turns.sort();
        let mut gaps = Vec::new();
        for (taken, released) in turns {
            gaps.push(taken.saturating_duration_since(last));
            last = released;
        }
        println!();
        println!("{WAITERS} wait for one lock: {:.0} requests a minute for each", asked / WAITERS as f64);
        let longest = gaps.iter().max().copied().unwrap_or_default();
        println!(
            "from a release to the next acquire: {:.0} ms in the middle, {:.0} ms at most",
            millis(middle(&mut gaps)),
            millis(longest)
        );
    });
}

async fn lock(bucket: &Bucket, id: &str) -> HeldLock {
    let origin = Origin::Person { user: id.to_owned(), host: "desk".to_owned() };
    let created = jiff::Timestamp::UNIX_EPOCH;
    let info = LockInfo::ours(id.to_owned(), &Operation::Plan, &origin, "1.11.4", created, bucket.backend().path());
    acquire(bucket, info, Wait { timeout: Duration::from_mins(10) }, pending(), |_| ()).await.unwrap()
}

async fn released(lock: HeldLock) {
    let done = lock.release().await;
    assert!(matches!(done, Ok(Released::Done)), "{done:?}");
}

fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..rounds).map(|_| timed(&mut work)).collect();
    middle(&mut times)
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
