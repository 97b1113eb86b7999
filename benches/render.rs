//! How fast a large plan becomes a comment, and in how much memory; `cargo bench --bench render`.
//!
//! All figures are ratios within this one run: against what `serde_json` needs to merely skip over
//! the same bytes. Each is the best of several, each in a process of its own, so that its peak of
//! memory is its own.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark talks to a person, and has nobody to report an error to"
)]

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use stategate::commands::render::{RenderOptions, render};
use stategate_core::plan::read_plan;
use stategate_core::record::{FingerprintKey, Fingerprinter};

const RESOURCES: usize = 20_000;
const BYTES: usize = 100_000_000;
const ROUNDS: usize = 5;

/// The most that reading a plan may take, whatever its size.
const MOST_MEMORY_KIB: usize = 64 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, path] = arguments.as_slice()
        && let Some(work) = role.strip_prefix("--as=")
    {
        return measure(work, Path::new(path));
    }
    let directory = std::env::temp_dir().join(format!("stategate-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let large = directory.join("large.json");
    let small = directory.join("small.json");
    write_plan(&large, RESOURCES, BYTES / RESOURCES);
    write_plan(&small, 10, 2_000);
    let size = std::fs::metadata(&large).unwrap().len();
    println!("{} resource changes, a third of them changed, {} MB", RESOURCES, size / 1_000_000);

    let slice = best("skip-slice", &large, false);
    let reader = best("skip-reader", &large, false);
    let file = best("render", &large, false);
    let pipe = best("render", &large, true);
    let record = best("record", &large, true);
    let tiny = best("render", &small, false);
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    println!("skip, from_slice:           {:>7.1} ms", millis(slice.time));
    println!("skip, buffered from_reader: {:>7.1} ms", millis(reader.time));
    for (name, run) in [("render, from a file", &file), ("render, from a pipe", &pipe), ("with fingerprints", &record)]
    {
        println!(
            "{name:<20}        {:>7.1} ms = {:.2} × from_reader, {:.2} × from_slice; peak {} KiB",
            millis(run.time),
            ratio(run.time, reader.time),
            ratio(run.time, slice.time),
            run.peak_kib
        );
    }
    println!("render, a small plan:       {:>7.2} ms; peak {} KiB", millis(tiny.time), tiny.peak_kib);
    std::fs::remove_dir_all(&directory).unwrap();

    assert!(file.time.max(pipe.time) <= reader.time, "slower than skipping with a buffered reader");
    assert!(file.peak_kib.max(pipe.peak_kib).max(record.peak_kib) <= MOST_MEMORY_KIB, "more than 64 MiB at its peak");
    assert!(tiny.time < Duration::from_millis(15), "a small plan takes too long");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

struct Run {
    time: Duration,
    peak_kib: usize,
}

/// The fastest of several runs in processes of their own, with the largest peak of memory.
fn best(work: &str, path: &Path, piped: bool) -> Run {
    let mut best = Run { time: Duration::MAX, peak_kib: 0 };
    for _ in 0..ROUNDS {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(&this);
        command.arg(format!("--as={work}")).arg(path);
        let mut source = None;
        if piped {
            let mut writer = Command::new(&this).arg("--as=write").arg(path).stdout(Stdio::piped()).spawn().unwrap();
            command.stdin(writer.stdout.take().unwrap());
            source = Some(writer);
        } else {
            command.stdin(File::open(path).unwrap());
        }
        let output = command.output().unwrap();
        if let Some(mut source) = source {
            source.wait().unwrap();
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().unwrap());
        let time = Duration::from_nanos(numbers.next().unwrap());
        best.time = best.time.min(time);
        best.peak_kib = best.peak_kib.max(usize::try_from(numbers.next().unwrap()).unwrap());
    }
    best
}

/// One piece of work in this process: prints its nanoseconds and the peak of memory in KiB.
fn measure(work: &str, path: &Path) {
    if work == "write" {
        std::io::copy(&mut File::open(path).unwrap(), &mut std::io::stdout().lock()).unwrap();
        return;
    }
    let mut slice = Vec::new();
    if work == "skip-slice" {
        File::open(path).unwrap().read_to_end(&mut slice).unwrap();
    }
    let input = std::io::stdin().lock();
    let started = Instant::now();
    match work {
        "skip-slice" => drop(serde_json::from_slice::<IgnoredAny>(&slice).unwrap()),
        "skip-reader" => drop(serde_json::from_reader::<_, IgnoredAny>(BufReader::new(input)).unwrap()),
        "record" => {
            // What `plan` and `apply` do beside: a fingerprint of every change.
            let mut fingerprints = Fingerprinter::new(FingerprintKey::new(Some("a lineage")));
            let summary = read_plan(input, &mut [&mut fingerprints]).unwrap();
            assert!(!fingerprints.finish_plan(&summary).resources.is_empty());
        }
        _ => {
            let options = RenderOptions {
                root: "environments/prod",
                workspace: "default",
                environment: None,
                comment_id: "environments/prod@default",
                budget: 65_000,
                json: false,
                now: jiff::Timestamp::UNIX_EPOCH,
            };
            let comment = render(input, &options).unwrap();
            assert!(comment.chars().count() <= 65_000);
        }
    }
    println!("{} {}", started.elapsed().as_nanos(), peak_kib());
}

fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Writes a plan as `terraform show -json` lays it out: the values four times over, on one line.
fn write_plan(path: &Path, resources: usize, bytes_per_resource: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    // Attributes as providers have them: mostly short, many without a value.
    let block = |number: usize| {
        format!(
            "\"option_{number:02}\":{{\"enabled\":true,\"count\":{number},\"kind\":\"gp3\",\"iops\":null,\
             \"zones\":[\"a\",\"b\"],\"ttl\":300}},\"flag_{number:02}\":false,\"size_{number:02}\":20,\"label_{number:02}\":\"blue\","
        )
    };
    let blocks: String = (0..bytes_per_resource.saturating_sub(2_600) / 4 / block(0).len()).map(block).collect();
    let values = |index: usize, size: usize| {
        format!(
            "{{\"ami\":\"ami-0{index:08x}\",\"arn\":\"arn:aws:ec2:eu-central-1:111122223333:instance/i-{index:08x}\",\
             \"ebs_block_device\":[{{\"device_name\":\"/dev/sdb\",\"encrypted\":true,\"volume_size\":{size}}}],\
             \"monitoring\":null,{blocks}\"password\":\"secret-of-{index}\",\
             \"policy\":\"{{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{{\\\"Effect\\\":\\\"Allow\\\"}}]}}\",\
             \"tags\":{{\"Name\":\"app-{index}\"}},\"user_data\":\"#!/bin/sh\\nset -eu\\necho {index}\\n\"}}"
        )
    };
    let head = |index: usize| {
        format!(
            "\"address\":\"module.app.aws_instance.app[{index}]\",\"mode\":\"managed\",\"type\":\"aws_instance\",\
             \"name\":\"app\",\"index\":{index},\"provider_name\":\"registry.terraform.io/hashicorp/aws\""
        )
    };
    let marks = "{\"password\":true,\"tags\":{}}";
    let list = |out: &mut BufWriter<File>, one: &dyn Fn(usize) -> String| {
        for index in 0..resources {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}{}", one(index)).unwrap();
        }
    };
    let resource = |index: usize| {
        format!(
            "{{{},\"schema_version\":1,\"values\":{},\"sensitive_values\":{marks}}}",
            head(index),
            values(index, 20)
        )
    };
    write!(out, "{{\"format_version\":\"1.2\",\"terraform_version\":\"1.11.4\",\"planned_values\":{{\"root_module\":{{\"child_modules\":[{{\"resources\":[").unwrap();
    list(&mut out, &resource);
    write!(out, "],\"address\":\"module.app\"}}]}}}},\"resource_changes\":[").unwrap();
    list(&mut out, &|index| {
        let (actions, size) = match index % 30 {
            0 => ("[\"delete\",\"create\"]", 50),
            10 => ("[\"delete\"]", 20),
            remainder if remainder % 3 == 0 => ("[\"update\"]", 50),
            _ => ("[\"no-op\"]", 20),
        };
        let after = if index % 30 == 10 { "null".to_owned() } else { values(index, size) };
        format!(
            "{{{},\"module_address\":\"module.app\",\"change\":{{\"actions\":{actions},\"before\":{},\"after\":{after},\
             \"after_unknown\":{{\"ebs_block_device\":[{{}}],\"tags\":{{}}}},\"before_sensitive\":{marks},\"after_sensitive\":{marks}}}}}",
            head(index),
            values(index, 20)
        )
    });
    write!(out, "],\"prior_state\":{{\"format_version\":\"1.0\",\"values\":{{\"root_module\":{{\"child_modules\":[{{\"resources\":[").unwrap();
    list(&mut out, &resource);
    writeln!(out, "],\"address\":\"module.app\"}}]}}}}}},\"configuration\":{{\"root_module\":{{}}}},\"applyable\":true,\"complete\":true,\"errored\":false}}").unwrap();
    out.flush().unwrap();
}
