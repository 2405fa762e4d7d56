//! Virtual machine tests: each case runs alone in private namespaces, two at a time.
//!
//! `COREOS_METAL_VM=full` runs the larger matrix too (`make test-vm`); a case that is left out
//! says so on a line `SKIP: NAME: REASON`. Logs stay in `target/vm/CASE/`.

mod case;
mod harness_cases;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::lan::isolate;

use case::{Case, Tier};

/// Names the case that the isolated copy of this program is to run.
const CASE: &str = "COREOS_METAL_CASE";

/// Two emulated machines keep two processors busy; more only make each other time out.
const AT_ONCE: usize = 2;

fn cases() -> Vec<Case> {
    [harness_cases::CASES].concat()
}

fn main() -> ExitCode {
    if isolate::is_inside() {
        return run_inside();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let trials = cases().into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(case: Case) -> Trial {
    let skip = case::reason_to_skip(case.tier);
    let left_out = skip.is_some();
    if let Some(reason) = skip {
        eprintln!("SKIP: {}: {reason}", case.name);
    }
    Trial::test(case.name, move || {
        let environment = [(CASE, case.name)];
        let status = isolate::run_self::<&str>(&[], &environment)?;
        if status.success() {
            Ok(())
        } else {
            Err(Failed::from(format!(
                "{} failed ({status}), see above",
                case.name
            )))
        }
    })
    .with_ignored_flag(left_out)
}

fn run_inside() -> ExitCode {
    let name = std::env::var(CASE).unwrap_or_default();
    let Some(case) = cases().into_iter().find(|case| case.name == name) else {
        eprintln!("no case `{name}`");
        return ExitCode::from(2);
    };
    match case::run(&case) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
