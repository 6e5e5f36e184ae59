//! Runs targets blindly: `cargo run -p hallpass-fuzz -- --help`. `cargo xtask fuzz` runs them guided by coverage.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use hallpass_fuzz::blind::Until;
use hallpass_fuzz::{TARGETS, Target, blind};

/// Runs the seeds of fuzz targets, and blind changes of them
#[derive(Debug, Parser)]
struct Cli {
    /// The targets [default: all]
    targets: Vec<String>,
    /// How long each is run, in seconds; its seeds are run in any case
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many changed inputs each takes instead: the same ones in every run
    #[arg(long, conflicts_with = "seconds")]
    inputs: Option<usize>,
    /// Runs one file instead, for one target
    #[arg(long)]
    input: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let chosen =
        |target: &&Target| cli.targets.is_empty() || cli.targets.iter().any(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(chosen).collect();
    if targets.len() < cli.targets.len().max(1) {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        anstream::eprintln!("there is no such target; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    if let Some(path) = cli.input {
        return one(&targets, &path);
    }
    let time = Duration::from_secs_f64(cli.seconds.clamp(0.0, 86_400.0));
    let until = cli.inputs.map_or(Until::Time(time), Until::Inputs);
    let mut failed = 0;
    for target in &targets {
        let start = Instant::now();
        match blind::run(target, until) {
            Ok(tried) => anstream::println!(
                "{:<24} {:>5} seeds {:>9} changed {:>6.1} s",
                target.name,
                tried.seeds,
                tried.changed,
                start.elapsed().as_secs_f64()
            ),
            Err(finding) => {
                failed += 1;
                let shown = finding.input.escape_ascii();
                anstream::println!("{:<24} FOUND by {}: {shown}", target.name, finding.from);
            }
        }
    }
    anstream::println!("{} targets passed, {failed} failed", targets.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(targets: &[&Target], path: &std::path::Path) -> ExitCode {
    match std::fs::read(path) {
        Ok(input) => {
            targets.iter().for_each(|target| (target.check)(&input));
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("cannot read {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
