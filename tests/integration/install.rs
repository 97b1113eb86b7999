//! Installing the binary: the one that the action's commit names is run, or nothing is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::harness::downloads::{ARCHIVE, Answer, Job, Release, Server, TOKEN, VERSION, archive, program};
use crate::harness::process::{Finished, dead_port, run, wait_for};

const RAN: &str = "stategate 1.2.3 ran: plan";

/// Fails unless the step ended with this code and these words, and ran nothing.
#[track_caller]
fn refuses(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.text());
    assert!(!finished.stdout.contains("ran:"), "{}", finished.text());
    assert!(finished.stderr.contains("::error title=stategate::"), "{}", finished.text());
    for word in words {
        assert!(finished.stderr.contains(word), "it does not say {word:?}: {}", finished.text());
    }
}

#[track_caller]
fn runs(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{}", finished.text());
    assert!(finished.stdout.contains(RAN), "{}", finished.text());
}

#[test]
fn the_release_is_downloaded_once_and_the_entry_process_becomes_the_binary() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    let job = release.job("one").from(&server);
    let child = job.start();
    let entry = child.id();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(RAN) && text.contains(&format!("as {entry}\n")), "{text}");
    assert!(server.seen()[0].starts_with(&format!("GET /releases/v{VERSION}/{ARCHIVE} ")), "{:?}", server.seen());

    runs(&job.run());
    runs(&release.job("two").from(&server).run());
    let cleaned = job.clean_up();
    assert!(cleaned.stdout.contains("ran: release"), "{}", cleaned.text());
    assert_eq!(server.seen().len(), 1, "{:?}", server.seen());
    assert!(release.path(&format!("tool-cache/stategate/{VERSION}/x64.complete")).exists());
}

#[test]
fn the_address_is_the_release_s_own_unless_a_mirror_is_named() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    release.names(&format!("http://127.0.0.1:{}/acme/stategate/releases/download", server.port), &release.archive);
    runs(&release.job("one").run());
    let path = format!("GET /acme/stategate/releases/download/v{VERSION}/{ARCHIVE} ");
    assert!(server.seen()[0].starts_with(&path), "{:?}", server.seen());
}

#[test]
fn whatever_is_not_the_named_archive_is_not_run() {
    let release = Release::new();
    let other = archive(&release.path("home"), "#!/bin/sh\necho 'another ran:'\n");
    let (whole, half) = (release.archive.clone(), Answer::Half(release.archive.clone()));
    let wrong = ["SHA-256", "SECURITY.md", "Nothing was run"];
    let failed = ["could not be downloaded", "Nothing was run"];
    for (name, answer, words) in [
        ("other", Answer::File(other), &wrong[..]),
        ("empty", Answer::File(Vec::new()), &wrong),
        ("half-unsaid", Answer::HalfUnsaid(whole.clone()), &wrong),
        ("half", half, &failed),
        ("missing", Answer::Status(404), &failed),
        ("forbidden", Answer::Status(403), &failed),
    ] {
        let server = Server::start(vec![answer]);
        let job = release.job(name).from(&server);
        refuses(&job.run(), 1, words);
        assert!(!release.cached().exists(), "{name} was kept");
        let cleaned = job.clean_up();
        assert_eq!((cleaned.code, cleaned.text().as_str()), (Some(0), ""), "{name}");
    }
}

#[test]
fn a_passing_failure_is_tried_again() {
    let release = Release::new();
    let server = Server::start(vec![Answer::Status(503), Answer::File(release.archive.clone())]);
    runs(&release.job("one").from(&server).run());
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn neither_the_token_nor_the_mirrors_password_reaches_anybody_else() {
    let release = Release::new();
    fs::write(release.path("home/.curlrc"), "header = \"X-From-Curlrc: 1\"\n").unwrap();
    let elsewhere = Server::start(vec![Answer::File(release.archive.clone())]);
    let mirror = Server::start(vec![Answer::Redirect(format!("http://127.0.0.1:{}/store", elsewhere.port))]);
    let base = format!("http://localhost:{}/", mirror.port);
    runs(&release.job("plain").env("STATEGATE_DOWNLOAD_BASE_URL", &base).run());
    assert!(mirror.seen()[0].starts_with("GET /v1.2.3/"), "{:?}", mirror.seen());

    fs::remove_dir_all(release.path("tool-cache")).unwrap();
    // A password is for https:// only.
    let guarded = base.replace("//", "//alice:secret@");
    let refused = release.job("guarded").env("STATEGATE_DOWNLOAD_BASE_URL", &guarded).run();
    refuses(&refused, 2, &["must begin with https://"]);
    for head in elsewhere.seen().iter().chain(&mirror.seen()) {
        assert!(!head.contains(TOKEN) && !head.to_lowercase().contains("authorization"), "{head}");
        assert!(!head.contains("X-From-Curlrc"), "{head}");
    }
    assert!(!refused.text().contains("secret"), "{}", refused.text());
}

#[test]
fn only_https_is_asked_but_for_a_mirror_on_the_runner_itself() {
    let release = Release::new();
    for base in [
        "http://mirror.example/stategate",
        "http://localhost.example:80/",
        "http://127.0.0.1.example/",
        "http://localhost:80@mirror.example/",
        "ftp://mirror.example",
        "file:///etc",
        "/etc",
        "https://",
    ] {
        refuses(&release.job("a").env("STATEGATE_DOWNLOAD_BASE_URL", base).run(), 2, &["https://"]);
    }
    for base in ["https://mirror.example/\"\nurl = \"file:///etc/passwd", "https://mirror.example/$(id)", "-o x"] {
        refuses(&release.job("a").env("STATEGATE_DOWNLOAD_BASE_URL", base).run(), 2, &["is not a URL"]);
    }
    let server = Server::start(vec![Answer::Redirect("file:///etc/passwd".to_owned())]);
    refuses(&release.job("a").from(&server).run(), 1, &["could not be downloaded"]);
}

#[test]
fn a_password_for_the_mirror_stays_out_of_the_log_and_the_process_list() {
    let release = Release::new();
    // A curl that only tells what it was given: the real one would speak TLS to a host that is not there.
    let directory = release.programs("spied", &["sha256sum"]);
    let spied = release.path("spied-words");
    program(
        &directory.join("curl"),
        &format!("#!/bin/sh\necho \"$*\" > '{0}'\ncat >> '{0}'\nexit 6\n", spied.display()),
    );
    let path = format!("{}:{}", release.path("uname").display(), directory.display());
    let job = release.job("one").env("PATH", &path);
    let refused = job.env("STATEGATE_DOWNLOAD_BASE_URL", "https://alice:not@secret@mirror.example/x").run();
    refuses(&refused, 1, &["from https://mirror.example/x/v1.2.3/"]);
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    let told = fs::read_to_string(spied).unwrap();
    let (words, input) = told.split_once('\n').unwrap();
    assert!(words.starts_with("--disable ") && words.contains("--proto =https --proto-redir =https "), "{words}");
    assert!(!words.contains("secret") && !words.contains("--location-trusted"), "{words}");
    assert!(input.contains("url = \"https://alice:not@secret@mirror.example/x/v1.2.3/"), "{input}");
}

/// Only on Linux, where the release workflow packs: it needs GNU tar.
#[cfg(target_os = "linux")]
#[test]
fn what_the_release_workflow_packs_is_what_the_action_installs() {
    let release = Release::new();
    let binaries = release.path("binaries");
    fs::create_dir_all(&binaries).unwrap();
    for target in
        ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"]
    {
        let script = format!("#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\necho 'for {target}'\n");
        fs::write(binaries.join(format!("stategate-{target}")), script).unwrap();
    }
    let pack = |out: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/package.sh");
        let mut command = Command::new(script);
        command.args([VERSION, "http://localhost:9/releases"]).arg(&binaries).arg(release.path(out));
        run(command.env("SOURCE_DATE_EPOCH", "1700000000")).succeeded();
    };
    pack("once");
    pack("again");
    for entry in fs::read_dir(release.path("once")).unwrap() {
        let name = entry.unwrap().file_name();
        let bytes = |out: &str| fs::read(release.path(out).join(&name)).unwrap();
        assert_eq!(bytes("once"), bytes("again"), "{}", name.display());
    }
    fs::copy(release.path("once/release.txt"), release.path("action/scripts/release.txt")).unwrap();
    for (system, processor, target) in [
        ("Linux", "x86_64", "x86_64-unknown-linux-musl"),
        ("Linux", "aarch64", "aarch64-unknown-linux-musl"),
        ("Darwin", "x86_64", "x86_64-apple-darwin"),
        ("Darwin", "arm64", "aarch64-apple-darwin"),
    ] {
        release.machine(system, processor);
        let archive = fs::read(release.path("once").join(format!("stategate-{target}.tar.gz"))).unwrap();
        let finished = release.job(target).from(&Server::start(vec![Answer::File(archive)])).run();
        runs(&finished);
        assert!(finished.stdout.contains(&format!("for {target}\n")), "{}", finished.text());
    }
}

#[test]
fn the_mirrors_address_is_not_handed_on() {
    let release = Release::new();
    let own = release.path("own");
    program(&own, "#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\nenv\n");
    let job = release.job("one").env("STATEGATE_BINARY_PATH", &own.display().to_string());
    let finished = job.env("STATEGATE_DOWNLOAD_BASE_URL", "https://alice:secret@mirror.example").run();
    runs(&finished);
    assert!(!finished.stdout.contains("secret"), "{}", finished.stdout);
}

#[test]
fn a_proxy_is_used() {
    let release = Release::new();
    let proxy = Server::start(vec![Answer::File(release.archive.clone())]);
    let base = format!("http://localhost:{}/releases", dead_port());
    let job = release.job("one").env("STATEGATE_DOWNLOAD_BASE_URL", &base);
    runs(&job.env("http_proxy", &format!("http://127.0.0.1:{}", proxy.port)).run());
    assert!(proxy.seen()[0].starts_with(&format!("GET {base}/v{VERSION}/")), "{:?}", proxy.seen());

    // For https the proxy is asked for a tunnel.
    fs::remove_dir_all(release.path("tool-cache")).unwrap();
    let proxy = Server::start(vec![Answer::Status(403)]);
    let job = release.job("two").env("STATEGATE_DOWNLOAD_BASE_URL", "https://mirror.example/x");
    let refused = job.env("HTTPS_PROXY", &format!("http://127.0.0.1:{}", proxy.port)).run();
    refuses(&refused, 1, &["could not be downloaded"]);
    assert!(proxy.seen()[0].starts_with("CONNECT mirror.example:443 "), "{:?}", proxy.seen());
}

#[test]
fn without_a_network_it_says_what_to_do() {
    let release = Release::new();
    let base = format!("http://localhost:{}", dead_port());
    let job = release.job("one").env("STATEGATE_DOWNLOAD_BASE_URL", &base);
    refuses(&job.run(), 1, &["could not be downloaded", "HTTPS_PROXY", "download-base-url", "binary-path"]);
}

#[test]
fn each_failure_of_the_download_has_its_own_way_on() {
    let release = Release::new();
    let cases = [
        (22, "(22) The requested URL returned error: 404", "from a private repository nothing can be downloaded"),
        (22, "(22) The requested URL returned error: 403", "The server refuses: try again later"),
        (60, "(60) SSL certificate problem: self-signed certificate in chain", "in CURL_CA_BUNDLE"),
        (23, "(23) Failure writing output to destination", "make room on the runner's disk"),
        (6, "(6) Could not resolve host: mirror.example", "Behind a proxy set HTTPS_PROXY"),
    ];
    for (number, (code, said, way_on)) in cases.into_iter().enumerate() {
        let directory = release.programs(&format!("curl-{number}"), &["sha256sum"]);
        program(
            &directory.join("curl"),
            &format!("#!/bin/sh\ncat > /dev/null\necho 'curl: {said}' >&2\nexit {code}\n"),
        );
        let path = format!("{}:{}", release.path("uname").display(), directory.display());
        let refused = release.job("one").env("PATH", &path).run();
        refuses(&refused, 1, &[said, "Nothing was run.", way_on]);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let release = Release::new();
    // A file where a directory should be: root, too, cannot write there.
    fs::write(release.path("not-a-directory"), "").unwrap();
    let temp = release.path("not-a-directory").display().to_string();
    let job = release.job("one").env("RUNNER_TEMP", &temp);
    refuses(&job.run(), 1, &["RUNNER_TEMP cannot be written", &temp]);
}

#[test]
fn a_binary_that_cannot_be_started_is_told() {
    let release = Release::new();
    let foreign = release.path("foreign");
    program(&foreign, "#!/no/such/interpreter\n");
    let given = release.job("one").env("STATEGATE_BINARY_PATH", &foreign.display().to_string());
    refuses(&given.run(), 2, &["cannot be started here", "Is it for this system and processor?"]);

    let archive = archive(&release.path("home"), "#!/no/such/interpreter\n");
    release.names("http://127.0.0.1:9/nobody/here", &archive);
    let installed = release.job("two").from(&Server::start(vec![Answer::File(archive)]));
    refuses(&installed.run(), 1, &["cannot be started", "noexec", "binary-path"]);
}

#[test]
fn a_tool_cache_that_cannot_be_written_is_no_obstacle() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    // A file where a directory should be: root, too, cannot write there.
    fs::write(release.path("not-a-directory"), "").unwrap();
    let cache = release.path("not-a-directory").display().to_string();
    let job = release.job("one").from(&server).env("RUNNER_TOOL_CACHE", &cache);
    runs(&job.run());
    runs(&job.run());
    assert!(job.clean_up().stdout.contains("ran: release"));
    assert_eq!(server.seen().len(), 1, "the job keeps its own copy");

    let without = release.job("two").from(&server).env("RUNNER_TOOL_CACHE", "");
    runs(&without.run());
}

#[test]
fn what_a_shared_tool_cache_holds_is_checked_on_every_use() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    runs(&release.job("one").from(&server).run());
    fs::write(release.cached(), archive(&release.path("home"), "#!/bin/sh\necho 'the intruder ran:'\n")).unwrap();
    let finished = release.job("two").from(&server).run();
    runs(&finished);
    assert!(!finished.stdout.contains("intruder"), "{}", finished.text());
    assert!(finished.stderr.contains("::warning title=stategate::the kept archive"), "{}", finished.text());
    assert_eq!(fs::read(release.cached()).unwrap(), release.archive, "the right one is back");

    fs::write(release.cached(), "half").unwrap();
    let base = format!("http://localhost:{}", dead_port());
    refuses(&release.job("three").env("STATEGATE_DOWNLOAD_BASE_URL", &base).run(), 1, &["could not be downloaded"]);
}

#[test]
fn two_jobs_at_once_end_with_one_good_copy() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    for round in 0..10 {
        let jobs: Vec<_> = ["a", "b"].map(|name| release.job(&format!("{round}{name}")).from(&server)).into();
        let steps: Vec<_> = jobs.iter().map(Job::start).collect();
        for step in steps {
            let output = step.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(text.contains(RAN) && !text.contains("::"), "{text}");
        }
        assert_eq!(fs::read(release.cached()).unwrap(), release.archive);
        let kept = fs::read_dir(release.cached().parent().unwrap()).unwrap().count();
        assert_eq!(kept, 1, "nothing half-done stays");
        for job in jobs {
            let own = job.temp.join(format!("stategate-bin/{VERSION}-x64"));
            assert_eq!(fs::read_dir(own).unwrap().count(), 1, "only the binary stays");
        }
        fs::remove_dir_all(release.path("tool-cache")).unwrap();
    }
}

#[test]
fn a_missing_program_is_named() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    let job = |programs: &[&str]| release.job("one").from(&server).with_programs(&programs.join("-"), programs);
    refuses(&job(&["curl"]).run(), 1, &["sha256sum, shasum and openssl", "binary-path"]);
    refuses(&job(&["sha256sum"]).run(), 1, &["the program curl", "binary-path"]);
    assert!(server.seen().is_empty(), "nothing is downloaded that cannot be verified");
    for (other, asked, answer) in [("shasum", "-a 256", "SUM  -"), ("openssl", "dgst -sha256 -r", "SUM *stdin")] {
        let sum: String = Sha256::digest(&release.archive).iter().map(|byte| format!("{byte:02x}")).collect();
        for (name, sum, right) in [("right", sum.as_str(), true), ("wrong", "00", false)] {
            let directory = release.programs(&format!("{other}-{name}"), &["curl"]);
            let answer = answer.replace("SUM", sum);
            let script = format!("#!/bin/sh\n[ \"$*\" = '{asked}' ] && cat > /dev/null && echo '{answer}'\n");
            program(&directory.join(other), &script);
            let path = format!("{}:{}", release.path("uname").display(), directory.display());
            let finished = release.job(other).from(&server).env("PATH", &path).run();
            if right {
                runs(&finished);
            } else {
                refuses(&finished, 1, &["its SHA-256 is 00 instead of"]);
            }
            drop(fs::remove_dir_all(release.path("tool-cache")));
        }
    }
}

#[test]
fn a_machine_without_a_binary_is_told() {
    let release = Release::new();
    for (system, processor, words) in [
        ("MINGW64_NT-10.0-20348", "x86_64", "does not run on Windows"),
        ("FreeBSD", "amd64", "the system FreeBSD"),
        ("Linux", "riscv64", "the processor riscv64"),
        ("Linux", "aarch64", "the release 1.2.3 has no stategate-aarch64-unknown-linux-musl.tar.gz"),
        ("Darwin", "arm64", "the release 1.2.3 has no stategate-aarch64-apple-darwin.tar.gz"),
        ("Darwin", "x86_64", "the release 1.2.3 has no stategate-x86_64-apple-darwin.tar.gz"),
    ] {
        release.machine(system, processor);
        let job = release.job("one");
        refuses(&job.run(), 2, &[words]);
        let cleaned = job.clean_up();
        assert_eq!((cleaned.code, cleaned.text().as_str()), (Some(0), ""), "{system}");
    }
}

#[test]
fn a_commit_that_is_no_release_downloads_nothing() {
    let release = Release::new();
    release.names_nothing();
    let job = release.job("one");
    refuses(&job.run(), 2, &["is not a release", "pin the commit of a release", "binary-path"]);
    assert_eq!(job.clean_up().code, Some(0));
}

#[test]
fn the_clean_up_step_installs_anew_only_where_stategate_began() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    let job = release.job("one").from(&server);
    let cleaned = job.clean_up();
    assert_eq!((cleaned.code, cleaned.text().as_str()), (Some(0), ""));
    assert!(server.seen().is_empty());

    fs::create_dir_all(job.temp.join("stategate")).unwrap();
    fs::write(job.temp.join("stategate/1-1-1.json"), "{}").unwrap();
    let cleaned = job.clean_up();
    assert!(cleaned.stdout.contains("ran: release"), "{}", cleaned.text());
    let lost = job.env("STATEGATE_BINARY_PATH", "gone");
    refuses(&lost.clean_up(), 2, &["binary-path does not name an executable file: ./gone"]);
}

#[test]
fn binary_path_comes_first_and_must_be_a_program() {
    let release = Release::new();
    let own = release.path("own");
    program(&own, "#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\n");
    let job = release.job("one");
    runs(&job.clone().env("STATEGATE_BINARY_PATH", &own.display().to_string()).run());
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    for path in [own.display().to_string(), release.path("home").display().to_string(), "stategate".to_owned()] {
        let job = job.clone().env("STATEGATE_BINARY_PATH", &path);
        refuses(&job.run(), 2, &["binary-path does not name an executable file"]);
        assert_eq!(job.clean_up().code, Some(0));
    }
    let hostile = job.env("STATEGATE_BINARY_PATH", "x\n::add-mask::a%0A");
    let refused = hostile.run();
    refuses(&refused, 2, &["%0A::add-mask::a%250A"]);
    assert!(!refused.stderr.contains("\n::add-mask"), "{}", refused.stderr);
}

#[test]
fn a_binary_path_like_an_option_is_a_path() {
    let release = Release::new();
    let job = release.job("one");
    for name in ["-c", "-a"] {
        let directory = job.work.join(name);
        fs::create_dir_all(&directory).unwrap();
        program(&directory.join("own"), "#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\n");
        runs(&job.clone().env("STATEGATE_BINARY_PATH", &format!("{name}/own")).run());
    }
}

#[test]
fn a_pipe_in_a_shared_tool_cache_does_not_stop_the_job() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    let cached = release.cached();
    fs::create_dir_all(cached.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(&cached).status().unwrap().success());
    runs(&release.job("one").from(&server).run());
    assert!(fs::symlink_metadata(&cached).unwrap().is_file(), "it is replaced");
}

#[test]
fn without_a_directory_of_its_own_nothing_is_installed() {
    let release = Release::new();
    let server = Server::start(vec![Answer::File(release.archive.clone())]);
    let job = release.job("one").from(&server).env("RUNNER_TEMP", "");
    refuses(&job.run(), 2, &["RUNNER_TEMP is not set", "binary-path"]);
    assert!(server.seen().is_empty());
}

#[test]
fn pull_request_target_runs_nothing_not_even_a_binary_of_the_checkout() {
    let release = Release::new();
    let own = release.path("own");
    program(&own, "#!/bin/sh\necho \"the pull request's program ran: $*\"\n");
    let job = release.job("one").env("GITHUB_EVENT_NAME", "pull_request_target");
    let job = job.env("STATEGATE_BINARY_PATH", &own.display().to_string());
    refuses(&job.run(), 2, &["pull_request_target is refused", "Use the event pull_request"]);
    let cleaned = job.clean_up();
    assert_eq!((cleaned.code, cleaned.text().as_str()), (Some(0), ""));
}

#[test]
fn a_cancelled_download_ends_at_once_and_runs_nothing() {
    let release = Release::new();
    let server = Server::start(vec![Answer::Silence]);
    let job = release.job("one").from(&server);
    for signal in [Signal::INT, Signal::TERM] {
        let before = server.seen().len();
        let child = job.start();
        wait_for("the download to begin", Duration::from_mins(1), || (server.seen().len() > before).then_some(()));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let asked = Instant::now();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert!(text.contains("nothing was run") && !text.contains("ran:"), "{text}");
        // curl itself would give up after four times half a minute.
        assert!(asked.elapsed() < Duration::from_mins(1), "{:?}", asked.elapsed());
        let own = job.temp.join(format!("stategate-bin/{VERSION}-x64"));
        assert_eq!(fs::read_dir(own).unwrap().count(), 0, "nothing half-done stays");
    }
}
