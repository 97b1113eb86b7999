//! The program: parse, log, dispatch, render the error, exit code.

fn main() {}
