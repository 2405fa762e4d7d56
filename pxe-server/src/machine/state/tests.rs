//! Whole lives of a machine, in order and in any order; never a second install.

use embed::digest::{Sha256Digest, Sha512Digest};
use proptest::prelude::*;

use super::*;

const A: Ticket = Ticket([1; 16]);
const B: Ticket = Ticket([2; 16]);

fn machine() -> Machine {
    Machine::new(MacAddr([2, 0, 0, 0, 0, 1]), Timestamp::UNIX_EPOCH)
}

fn started(uptime_ms: u64) -> Report {
    Report::new(
        Reported::InstallStarted {
            device: "/dev/vda".into(),
        },
        uptime_ms,
    )
}

fn identity() -> Identity {
    Identity {
        config_sha512: Sha512Digest::of(b"c"),
        result_sha256: Sha256Digest::of(b"r"),
    }
}

fn installing() -> Machine {
    let mut machine = machine();
    assert_eq!(machine.answer(true, A), (Answer::Install(A), true));
    assert_eq!(machine.report(A, &started(5)), Ok(true));
    machine
}

#[test]
fn a_whole_life_ends_provisioned_and_boots_the_disk() {
    let mut machine = machine();
    assert_eq!(machine.answer(true, A), (Answer::Install(A), true));
    assert_eq!(machine.report(A, &Report::new(Reported::Live, 1)), Ok(true));
    assert_eq!(machine.state, State::Live);
    assert_eq!(machine.report(A, &started(2)), Ok(true));
    assert_eq!(
        machine.report(
            A,
            &Report::new(Reported::InstallProgress { percent: 40 }, 3)
        ),
        Ok(true)
    );
    assert_eq!(
        (machine.state, machine.percent),
        (State::Installing, Some(40))
    );
    assert_eq!(
        machine.report(A, &Report::new(Reported::Installed, 4)),
        Ok(true)
    );
    assert_eq!(machine.answer(true, B), (Answer::Disk, false));
    assert_eq!(
        machine.report(A, &Report::new(Reported::Provisioned(identity()), 5)),
        Ok(true)
    );
    assert_eq!(
        (machine.state, machine.identity.clone()),
        (State::Provisioned, Some(identity()))
    );
    assert_eq!(machine.answer(true, B), (Answer::Disk, false));
}

#[test]
fn the_same_ticket_is_reissued_until_the_install_starts() {
    let mut machine = machine();
    machine.answer(true, A);
    assert_eq!(machine.answer(true, B), (Answer::Install(A), false));
    machine.report(A, &Report::new(Reported::Live, 1)).unwrap();
    assert_eq!(machine.answer(true, B), (Answer::Install(A), false));
}

#[test]
fn a_begun_or_failed_install_holds_the_machine() {
    let mut machine = installing();
    assert_eq!(
        machine.answer(true, B),
        (Answer::Held(State::Installing), false)
    );
    machine
        .report(
            A,
            &Report::new(
                Reported::InstallFailed {
                    reason: "disk".into(),
                },
                9,
            ),
        )
        .unwrap();
    assert_eq!(
        machine.answer(true, B),
        (Answer::Held(State::Failed), false)
    );
    assert_eq!(machine.failure.as_deref(), Some("disk"));
}

#[test]
fn a_used_ticket_starts_no_second_install() {
    let mut machine = installing();
    assert_eq!(
        machine.report(A, &started(5)),
        Ok(false),
        "the same report again is a lost answer"
    );
    assert_eq!(machine.report(A, &started(6)), Err(Refusal::Used));
    assert_eq!(
        machine.report(A, &Report::new(Reported::Live, 1)),
        Err(Refusal::Used)
    );
}

#[test]
fn reports_of_another_install_are_refused() {
    assert_eq!(
        machine().report(A, &Report::new(Reported::Live, 1)),
        Err(Refusal::NoTicket)
    );
    let mut machine = installing();
    assert_eq!(
        machine.report(B, &Report::new(Reported::Installed, 1)),
        Err(Refusal::OtherTicket)
    );
    assert!(machine.reinstall("r1"));
    assert_eq!(
        machine.report(A, &Report::new(Reported::Installed, 1)),
        Err(Refusal::NoTicket)
    );
    assert_eq!(machine.answer(true, B), (Answer::Install(B), true));
    assert_eq!(
        machine.report(A, &Report::new(Reported::Installed, 1)),
        Err(Refusal::OtherTicket)
    );
}

#[test]
fn a_request_for_reinstall_counts_once() {
    let mut machine = installing();
    assert!(machine.reinstall("r1"));
    machine.answer(true, B);
    machine.report(B, &started(7)).unwrap();
    assert!(
        !machine.reinstall("r1"),
        "a request read again after a crash must not free a running install"
    );
    assert_eq!(
        machine.answer(true, A),
        (Answer::Held(State::Installing), false)
    );
}

#[test]
fn an_unassigned_machine_gets_no_ticket() {
    let mut machine = machine();
    assert_eq!(machine.answer(false, A), (Answer::Unassigned, false));
    assert_eq!(machine.ticket, TicketState::None);
}

#[test]
fn provisioned_before_the_start_is_out_of_order() {
    let mut machine = machine();
    machine.answer(true, A);
    let report = Report::new(Reported::Provisioned(identity()), 1);
    assert_eq!(
        machine.report(A, &report),
        Err(Refusal::OutOfOrder(State::Booting))
    );
}

#[derive(Clone, Debug)]
enum Step {
    Script(bool),
    Report(bool, Report),
}

fn step() -> impl Strategy<Value = Step> {
    let event = prop_oneof![
        Just(Reported::Live),
        Just(Reported::InstallStarted {
            device: "/dev/vda".into()
        }),
        (0..=100u8).prop_map(|percent| Reported::InstallProgress { percent }),
        Just(Reported::Installed),
        Just(Reported::InstallFailed { reason: "x".into() }),
        Just(Reported::Provisioned(identity())),
    ];
    prop_oneof![
        any::<bool>().prop_map(Step::Script),
        (any::<bool>(), event, 0..4u64)
            .prop_map(|(ours, event, at)| Step::Report(ours, Report::new(event, at))),
    ]
}

proptest! {
    /// Whatever arrives in whatever order: without the operator there is one ticket and one start.
    #[test]
    fn no_order_of_events_starts_a_second_install(steps in proptest::collection::vec(step(), 0..60)) {
        let mut machine = machine();
        let mut starts = 0;
        let mut tickets = 0u8;
        for step in steps {
            match step {
                Step::Script(assigned) => {
                    let (answer, issued) = machine.answer(assigned, Ticket([tickets + 1; 16]));
                    tickets += u8::from(issued);
                    prop_assert!(!(starts > 0 && matches!(answer, Answer::Install(_))));
                }
                Step::Report(ours, report) => {
                    let ticket = if ours { Ticket([1; 16]) } else { B };
                    let is_start = matches!(report.event, Reported::InstallStarted { .. });
                    starts += u32::from(machine.report(ticket, &report) == Ok(true) && is_start);
                }
            }
        }
        prop_assert!(starts <= 1 && tickets <= 1);
    }
}
