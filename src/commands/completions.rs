//! `stategate completions` and `stategate man`: what shells and `man` want to know about the
//! arguments.

use std::io;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli;
use crate::error::Error;
use crate::shell::runner::write_out;

pub(super) fn completions(shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::definition(), "stategate", &mut script);
    write_out(&String::from_utf8_lossy(&script)).map_err(Error::Output)
}

pub(super) fn man(command: Option<&str>) -> Result<(), Error> {
    let page = page(command).map_err(Error::Output)?;
    write_out(&page).map_err(Error::Output)
}

/// The heading over what stands below the flags.
const EXTRA: &str = ".SH EXTRA\n";

fn page(command: Option<&str>) -> io::Result<String> {
    let whole = cli::definition();
    let named = command.and_then(|name| Some((name, whole.find_subcommand(name)?.clone())));
    let definition = match named {
        Some((name, definition)) => definition
            .name(format!("stategate-{name}"))
            .bin_name(format!("stategate {name}"))
            .version(env!("CARGO_PKG_VERSION")),
        None => whole,
    };
    let mut page = Vec::new();
    Man::new(definition).render(&mut page)?;
    // What stands below the flags is laid out already: filled, `man` would run its lines together.
    let page = String::from_utf8_lossy(&page).replacen(EXTRA, &format!("{EXTRA}.nf\n"), 1);
    Ok(page.replacen("\n.SH VERSION\n", "\n.fi\n.SH VERSION\n", 1))
}
