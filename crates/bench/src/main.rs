//! The command line program: parse, measure, print.
//!
//! Exit code 0 when all went well, 1 when deliveries were lost, doubled or out of order (or a
//! connection ended that should not), 2 when nothing could be measured.

use clap::Parser;
use relay_bench::args::{Cli, Command};
use relay_bench::bench::Failure;
use relay_bench::report::Report;
use relay_bench::{floor, scenario};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let finished = match cli.command {
        Command::Floor(options) => {
            return match floor::run(&options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string()),
            };
        }
        Command::Connect(o) => print(scenario::connect::run(&o), o.common.json),
        Command::Idle(o) => print(scenario::idle::run(&o), o.common.json),
        Command::Echo(o) => print(scenario::echo::run(&o), o.common.json),
        Command::Fanout(o) => print(scenario::fanout::run(&o), o.common.json),
        Command::Rooms(o) => print(scenario::rooms::run(&o), o.common.json),
        Command::Slow(o) => print(scenario::slow::run(&o), o.common.json),
        Command::Bystander(o) => print(scenario::bystander::run(&o), o.common.json),
        Command::Order(o) => print(scenario::order::run(&o), o.common.json),
        Command::Growth(o) => print(scenario::growth::run(&o), o.common.json),
        Command::Flood(o) => print(scenario::flood::run(&o), o.common.json),
        Command::Stall(o) => print(scenario::stall::run(&o), o.common.json),
        Command::Churn(o) => print(scenario::churn::run(&o), o.common.json),
        Command::Storm(o) => print(scenario::storm::run(&o), o.common.json),
    };
    match finished {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => fail(&failure),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "relay-bench: {why}");
    ExitCode::from(2)
}

/// Prints a report; whether it is faultless.
fn print(report: Result<Report, Failure>, json: Option<PathBuf>) -> Result<bool, Failure> {
    let report = report?;
    let mut stdout = std::io::stdout().lock();
    let to_stdout = json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let text = format!("{:#}\n", report.to_json());
    let written = if to_stdout {
        stdout.write_all(text.as_bytes())
    } else {
        stdout.write_all(report.to_table().as_bytes())
    };
    written.map_err(|e| format!("cannot print the report: {e}"))?;
    if let Some(path) = json.filter(|_| !to_stdout) {
        std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(report.is_faultless())
}
