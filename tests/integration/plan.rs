//! `plan` on a pull request.

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::runner::Step;
use crate::harness::world::World;

#[test]
fn a_pull_request_is_planned_and_told() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::plan(&world, number).run().exits(0);
    eprintln!("{}", step.log);
    eprintln!("{:#?}", step.outputs);
    eprintln!("{}", step.summary);
    eprintln!("{}", world.github.comment(number));
    eprintln!("{:#?}", world.bucket.keys());
    eprintln!("{:#?}", step.cleanup);
    for r in world.github.requests() {
        eprintln!("{} {} {}", r.method, r.path, r.status);
    }
    panic!("see");
}
