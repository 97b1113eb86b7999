//! The walkthrough that `cargo run --example demo` starts: real Terraform, a real S3 interface and a
//! fake GitHub on this machine play the story of two pull requests, checked step by step, and a page
//! shows what people would have seen.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the demo fails by panicking and speaks on standard output"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod markdown;
mod page;
mod story;
mod tell;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use harness::laptop::terraform;
use harness::ministack::Ministack;
use harness::process::{run, target_dir};
use harness::runner::binary;
use harness::world::World;
use tell::Tale;

fn main() -> ExitCode {
    let begun = Instant::now();
    println!("stategate: the walkthrough. No AWS account, no GitHub and no token are needed.\n");
    println!("Preparing (a few minutes the first time, a few seconds after that)");
    if !build() {
        return ExitCode::FAILURE;
    }
    let version = run(Command::new(terraform()).arg("version").env("CHECKPOINT_DISABLE", "1")).succeeded().stdout;
    let version = version.lines().next().unwrap_or("Terraform").to_owned();
    println!("  {version} at {}", terraform().display());
    println!("  an AWS stand-in at {}", Ministack::shared().endpoint());
    let world = World::new();
    println!("  a fake GitHub at {}", world.github.api_url());
    println!("  a team's repository with environments/dev and environments/prod");

    let played = Instant::now();
    let mut tale = Tale::default();
    story::play(&world, &mut tale);
    world.github.assert_sound();

    let took = format!("{} s", played.elapsed().as_secs());
    let page = page::render(&tale, &world, &version, &took);
    let directory = target_dir().join("demo");
    fs::create_dir_all(&directory).expect("the page's directory can be made");
    let file = directory.join("index.html");
    fs::write(&file, page).expect("the page can be written");
    println!(
        "\nAll {} claims hold. The story took {took}, with the preparation {} s.",
        tale.claims(),
        begun.elapsed().as_secs()
    );
    println!("What people saw on GitHub: {}", file.display());
    ExitCode::SUCCESS
}

/// Cargo does not build the program for an example. Building the example along keeps cargo from
/// building every dependency a second time, with other features.
fn build() -> bool {
    println!("  building stategate");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--bin", "stategate", "--example", "demo"]);
    if binary().parent().is_some_and(|directory| directory == Path::new(&target_dir()).join("release")) {
        cargo.arg("--release");
    }
    let built = cargo.status().is_ok_and(|status| status.success());
    if !built {
        println!("the program does not build; cargo says why above");
    }
    built
}
