//! Virtual machine tests: each case runs alone in private namespaces, two at a time.
//!
//! `COREOS_METAL_VM=full` runs the larger matrix too (`make test-vm`); a case that is left out
//! says so on a line `SKIP: NAME: REASON`. Logs stay in `target/vm/CASE/`.

mod bench;
mod case;
mod discovery;
mod faults;
mod firmware;
mod media;
mod minimal;
mod network;
mod ostree;
mod pair;
mod rack;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tests::lan::isolate;

use case::Case;

/// Two emulated machines keep two processors busy; more only make each other time out.
const AT_ONCE: usize = 2;

fn cases() -> Vec<Case> {
    [
        network::CASES,
        rack::CASES,
        pair::CASES,
        discovery::CASES,
        media::CASES,
        minimal::CASES,
        firmware::CASES,
        ostree::CASES,
        faults::CASES,
    ]
    .concat()
}

fn main() -> ExitCode {
    if isolate::is_inside() {
        return case::run_inside(&cases());
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let trials: Vec<Trial> = cases().into_iter().map(case::trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
