//! `tenure completions`, `tenure man`

use std::path::Path;

use clap::CommandFactory;

use super::args::Cli;
use super::{Context, io, ui};
use crate::error::Failure;
use crate::output::Text;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tenure", &mut script);
    ui::print(&Text::of_lines(&String::from_utf8_lossy(&script)))?;
    Ok(0)
}

pub(super) fn man(context: &Context, dir: &Path) -> Result<u8, Failure> {
    let io = |error: std::io::Error| io(dir, &error);
    std::fs::create_dir_all(dir).map_err(io)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(io)?;
    context.ui.note(&format!("man pages written to {}", dir.display()));
    context.ui.result(&serde_json::json!({ "dir": dir }), |_paint| Text::default())?;
    Ok(0)
}
