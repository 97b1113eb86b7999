//! What a whole plan and a whole apply ask of S3 and of GitHub, beside Terraform's own requests.
//! A change of these numbers is a decision, not an accident.

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::ministack::Ministack;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A world whose bucket is watched.
fn watched() -> (World, FaultProxy) {
    let mut bucket = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&bucket.endpoint, |_| Fault::None);
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    (world, proxy)
}

/// Our own requests to S3 since `from`, as `METHOD what`, Terraform's left out.
fn ours(proxy: &FaultProxy, from: usize) -> Vec<String> {
    let is_terraform = |seen: &Seen| seen.header("user-agent").is_some_and(|agent| agent.contains("Terraform"));
    let name = |seen: &Seen| {
        let path = seen.path.split('?').next().unwrap_or_default().to_owned();
        let what = match path.as_str() {
            path if path.ends_with(".tflock") => "lock",
            path if path.contains("/plans/") => "record",
            path if path.contains("/audit/") => "audit",
            path if path.contains("stategate/") => "ours",
            path if path.ends_with(".tfstate") => "state",
            _ => "list",
        };
        format!("{} {what}", seen.method)
    };
    let mut found: Vec<String> = proxy.seen().iter().skip(from).filter(|seen| !is_terraform(seen)).map(name).collect();
    found.sort();
    found
}

fn github(world: &World, from: usize) -> Vec<String> {
    let requests = world.github.requests();
    requests
        .iter()
        .skip(from)
        .map(|request| format!("{} {}", request.method, request.path.split('?').next().unwrap_or_default()))
        .collect()
}

#[test]
fn a_plan_and_an_apply_ask_for_little() {
    let (world, proxy) = watched();
    let number = world.new_image();
    let (s3, hub) = (proxy.seen().len(), world.github.requests().len());
    Step::plan(&world, number).run().exits(0);
    let plan = (ours(&proxy, s3), github(&world, hub));
    world.approve(number);
    let push = world.merge(number);
    let (s3, hub) = (proxy.seen().len(), world.github.requests().len());
    Step::apply(&world, &push).run().exits(0);
    let apply = (ours(&proxy, s3), github(&world, hub));
    // One PUT and one DELETE are the lock's; so is, on the way, the DELETE that asks whether it may be
    // deleted at all. The others ask whether this store keeps its conditions; Amazon S3 itself is not asked.
    let lock = ["DELETE lock", "DELETE lock", "DELETE lock"];
    let put = ["PUT lock", "PUT lock"];
    // The list looks for other pull requests' records; the record that is read, beside the plan's
    // JSON, is what was planned of this commit before.
    assert_eq!(
        plan.0,
        [&lock[..], &["GET list", "GET lock", "GET record", "GET state"], &put, &["PUT record"]].concat()
    );
    let comments = "/repos/acme/infra/issues/42/comments";
    let gate = ["POST /graphql".to_owned(), "GET /repos/acme/infra/activity".to_owned()];
    let comment = [format!("GET {comments}"), format!("POST {comments}"), format!("GET {comments}")];
    let expected = [&gate[..], &comment].concat();
    assert_eq!(plan.1, expected);
    // The lock is read just before the apply and just after it; the list looks for the last apply and
    // for records of what is merged and not applied yet.
    let reads = ["GET list", "GET lock", "GET lock", "GET lock", "GET record", "GET state", "PUT audit"];
    assert_eq!(apply.0, [&lock[..], &reads, &put].concat());
    // The gate is asked three times, with three requests each: before the lock, before the comment says
    // that it is applied, and after that.
    assert_eq!(apply.1.len(), 13, "{:#?}", apply.1);
}
