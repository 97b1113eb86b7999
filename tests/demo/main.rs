//! The walkthrough that `cargo run --example demo` starts: real Terraform, an S3 API on loopback and a fake
//! GitHub play a team's day on this machine, every claim is checked, and what people saw becomes
//! a page.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a claim that does not hold fails as the harness does, by panicking; `main` tells it in one line"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod gallery;
mod markdown;
mod page;
mod play;
mod show;
mod stage;
mod story;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use harness::laptop::terraform;
use harness::ministack::Ministack;
use harness::process::{run, target_dir};
use harness::python::python;
use show::Show;
use stage::Stage;

fn main() -> ExitCode {
    let complaint = complaints();
    let begun = Instant::now();
    let mut stage = Stage::new(Show::to_terminal());
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(&mut stage)));
    let failed = played.is_err().then(|| complaint.lock().expect("nobody holds it").clone());
    if let Some(message) = &failed {
        stage.broke(message);
    }
    let page = match write_page(&stage) {
        Ok(page) => page,
        Err(message) => {
            stage.show.failed(&message);
            return ExitCode::FAILURE;
        }
    };
    match failed {
        None => {
            stage.show.ended(&stage, begun.elapsed(), &page);
            ExitCode::SUCCESS
        }
        Some(message) => {
            stage.show.seen(&format!("What happened until then: {page}"));
            stage.show.failed(&stage.failure(&message));
            ExitCode::FAILURE
        }
    }
}

fn play(stage: &mut Stage) {
    stage.show.title();
    stage.show.preparing("building stategate (the first time takes some minutes)");
    build();
    stage.show.preparing("starting the S3 API and Terraform (the first time fetches both, about half a minute)");
    python();
    Ministack::shared();
    terraform();
    stage.tools = tools();
    let tools = format!("{}; about half a minute from here", stage.tools);
    stage.show.preparing(&tools);
    story::play(stage);
}

/// Cargo does not build the binary for an example. Naming the example too keeps the features, and
/// with them all that is built already.
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--bin", "stategate", "--example", "demo", "--target-dir"])
        .arg(target_dir())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "cargo could not build stategate");
}

fn tools() -> String {
    let version = run(Command::new(terraform()).arg("version").env("CHECKPOINT_DISABLE", "1")).succeeded().stdout;
    let version = version.lines().next().unwrap_or_default().to_owned();
    format!("{version} with its own S3 backend")
}

fn write_page(stage: &Stage) -> Result<String, String> {
    let directory = target_dir().join("demo");
    let file = directory.join("index.html");
    let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&file, page::html(stage)));
    written.map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    let here = std::env::current_dir().unwrap_or_default();
    Ok(file.strip_prefix(here).unwrap_or(Path::new(&file)).display().to_string())
}

/// Keeps what a panic says, instead of printing it.
fn complaints() -> Arc<Mutex<String>> {
    let complaint = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&complaint);
    panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or("it broke").to_owned();
        if let Ok(mut first) = kept.lock()
            && first.is_empty()
        {
            // The story's own steps are played on the main thread.
            let elsewhere = std::thread::current().name().filter(|name| *name != "main").map(str::to_owned);
            *first = elsewhere.map_or_else(|| message.clone(), |name| format!("{name}: {message}"));
        }
    }));
    complaint
}
