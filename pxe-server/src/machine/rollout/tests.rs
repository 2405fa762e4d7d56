//! Random histories of a whole rack through the registry's own rules: never more installs of a
//! version at once than allowed, and none after too many have failed or the operator halted it.

use proptest::prelude::*;

use super::*;
use crate::mac::MacAddr;
use crate::machine::{Answer, Event, Matched, OperatorRequest, Ticket, Wish};
use embed::report::{Event as Reported, Report};

fn intent(version: u8) -> Intent {
    Intent {
        profile: "web".into(),
        version: version.to_string(),
    }
}

fn policy(text: &str) -> Policy {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn a_policy_is_a_number_or_a_share_and_nothing_else() {
    let number = policy("{at-once: 2}");
    assert_eq!((number.limit(1000), number.halt_on_failures.get()), (2, 1));
    let share = policy("{at-once: 10%, halt-on-failures: 3, paused: true}");
    assert_eq!([0, 9, 20, 1000].map(|of| share.limit(of)), [1, 1, 2, 100]);
    for wrong in [
        "{at-once: 0}",
        "{at-once: 0%}",
        "{at-once: 101%}",
        "{at-once: two}",
        "{}",
    ] {
        assert!(serde_saphyr::from_str::<Policy>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_version_that_begins_paused_is_resumed_for_itself_only() {
    let policy = policy("{at-once: 1, paused: true}");
    let resumed = Resumed {
        version: "1".into(),
        time: Timestamp::UNIX_EPOCH,
    };
    let orders = Orders {
        resumed: Some(resumed),
        ..Orders::default()
    };
    let none = Count::default();
    assert_eq!(
        policy.gate(&intent(1), &Orders::default(), &none),
        Gate::Paused
    );
    assert_eq!(policy.gate(&intent(1), &orders, &none), Gate::Open);
    assert_eq!(policy.gate(&intent(2), &orders, &none), Gate::Paused);
}

#[test]
fn orders_given_in_two_places_add_up_and_only_a_later_resume_ends_them() {
    let resumed = |second| Resumed {
        version: "1".into(),
        time: Timestamp::from_second(second).unwrap(),
    };
    let orders = |paused, halted, at: Option<i64>| Orders {
        paused,
        halted,
        resumed: at.map(resumed),
    };
    let none = Orders::default();
    let halted = orders(false, true, None);
    let paused = orders(true, false, None);
    assert_eq!(halted.with(&none, &paused), orders(true, true, None));
    let goes_on = orders(false, false, Some(5));
    assert_eq!(halted.with(&none, &goes_on), goes_on);
    assert_eq!(
        orders(false, true, Some(6)).with(&none, &goes_on),
        orders(false, true, Some(6)),
        "halted after that"
    );
    let again = orders(true, true, None);
    assert_eq!(
        goes_on.with(&paused, &again),
        orders(false, true, Some(5)),
        "an old pause does not come back with a new halt"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Asks(usize),
    Reports(usize, u8),
    Reinstall(usize),
    NewVersion,
    Halt,
    Pause,
    Resume,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0usize..8).prop_map(Step::Asks),
        8 => ((0usize..8), 0u8..5).prop_map(|(machine, event)| Step::Reports(machine, event)),
        3 => (0usize..8).prop_map(Step::Reinstall),
        1 => Just(Step::NewVersion),
        1 => Just(Step::Halt),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
    ];
    proptest::collection::vec(step, 1..150)
}

struct Rack {
    machines: Vec<Machine>,
    tickets: Vec<Option<Ticket>>,
    policy: Policy,
    orders: Orders,
    version: u8,
    now: i64,
}

impl Rack {
    fn new(at_once: u32, failures: u32) -> Self {
        let machine = |number| {
            let mut machine = Machine::new(MacAddr([2, 0, 0, 0, 0, number]), Timestamp::UNIX_EPOCH);
            machine.matched = Some(Matched {
                group: None,
                profile: "web".into(),
            });
            machine
        };
        Self {
            machines: (0..8).map(machine).collect(),
            tickets: vec![None; 8],
            policy: policy(&format!(
                "{{at-once: {at_once}, halt-on-failures: {failures}}}"
            )),
            orders: Orders::default(),
            version: 1,
            now: 1,
        }
    }

    fn gate(&self) -> (Gate, Count) {
        let intent = intent(self.version);
        let count = Count::of(&self.machines, &intent, &self.orders);
        (self.policy.gate(&intent, &self.orders, &count), count)
    }

    /// Whether a new install was permitted.
    fn asks(&mut self, number: usize) -> bool {
        let terms = Terms {
            intent: intent(self.version),
            policy: Some(self.policy.clone()),
        };
        self.machines[number].forget_other_ticket(&terms.intent);
        let needs = self.machines[number].needs_ticket(true);
        if needs && self.gate().0 != Gate::Open {
            return false;
        }
        let machine = &mut self.machines[number];
        let (answer, issued) = machine.answer(true, Ticket::random());
        if issued {
            machine.install = Some(terms.intent);
        }
        if let Answer::Install(ticket) = answer {
            self.tickets[number] = Some(ticket);
        }
        assert_eq!(issued, needs);
        issued
    }

    fn reports(&mut self, number: usize, event: u8) {
        let event = match event {
            0 => Reported::Live,
            1 => Reported::InstallStarted {
                device: "/dev/vda".into(),
            },
            2 => Reported::Installed,
            _ => Reported::InstallFailed {
                reason: "broken".into(),
            },
        };
        let Some(ticket) = self.tickets[number] else {
            return;
        };
        let report = Report::new(event, 1);
        let machine = &mut self.machines[number];
        if machine.report(ticket, &report) == Ok(true) {
            let time = Timestamp::from_second(self.now).unwrap();
            machine.note_failure(&Event::from_report(&report), time);
        }
    }

    fn step(&mut self, step: &Step) -> bool {
        self.now += 1;
        match *step {
            Step::Asks(number) => return self.asks(number),
            Step::Reports(number, event) => self.reports(number, event),
            Step::Reinstall(number) => {
                let request = OperatorRequest {
                    mac: self.machines[number].mac,
                    id: self.now.to_string(),
                    wish: Wish::Reinstall,
                };
                self.machines[number].carry_out(&request);
            }
            Step::NewVersion => self.version = self.version.wrapping_add(1),
            Step::Halt => self.orders.halted = true,
            Step::Pause => self.orders.paused = true,
            Step::Resume => {
                self.orders = Orders {
                    resumed: Some(Resumed {
                        version: self.version.to_string(),
                        time: Timestamp::from_second(self.now).unwrap(),
                    }),
                    ..Orders::default()
                }
            }
        }
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn never_more_at_once_than_allowed_and_none_after_a_halt(
        steps in steps(), at_once in 1u32..4, failures in 1u32..3,
    ) {
        let mut rack = Rack::new(at_once, failures);
        for (at, step) in steps.iter().enumerate() {
            let (gate, _) = rack.gate();
            let began = rack.step(step);
            prop_assert!(!began || gate == Gate::Open, "step {at}: {step:?} at {gate:?}");
            let (_, count) = rack.gate();
            prop_assert!(count.installing <= at_once, "step {at}: {step:?}: {count:?}");
        }
    }
}
