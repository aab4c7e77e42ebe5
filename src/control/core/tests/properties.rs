//! Whatever is done in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Doing {
    Ask(Request),
    Trip,
    Lose(usize),
    Plan(f64),
    RunnerGone(usize),
    Nothing(usize),
}

fn any_doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        prop_oneof![
            Just(Request::Reset),
            Just(Request::Enable),
            Just(Request::Start),
            Just(Request::Pause),
            Just(Request::Stop),
            Just(Request::Release),
        ]
        .prop_map(Doing::Ask),
        prop_oneof![
            Just(Request::Reset),
            Just(Request::Enable),
            Just(Request::Start)
        ]
        .prop_map(Doing::Ask),
        Just(Doing::Trip),
        (0..6usize).prop_map(Doing::Lose),
        (-0.8..0.8f64).prop_map(Doing::Plan),
        (1..10usize).prop_map(Doing::RunnerGone),
        (1..60usize).prop_map(Doing::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_motion_needs_reset_and_start(doings in prop::collection::vec(any_doing(), 1..40)) {
        let mut rig = Rig::new();
        rig.tick();
        let (mut reset, mut started) = (false, false);
        for doing in doings {
            let before = rig.command();
            match doing {
                Doing::Ask(request) => {
                    let answer = rig.ask(request);
                    match request {
                        Request::Reset => reset |= answer.is_ok(),
                        Request::Start => started |= answer.is_ok() && reset,
                        Request::Pause => started &= answer.is_err(),
                        _ => {}
                    }
                }
                Doing::Trip => {
                    rig.tick_with(|inputs| inputs.signals.trip = Some(Cause::PolicyFailed));
                }
                Doing::Lose(joint) => {
                    for _ in 0..4 {
                        rig.tick_with(|inputs| lose(inputs, joint, ReadFault::Corrupt));
                    }
                }
                Doing::Plan(size) => {
                    let plan = rig.sweep(size);
                    rig.plan = Some(plan);
                    rig.run(30);
                }
                Doing::RunnerGone(ticks) => {
                    rig.link = Some(Link::Closed);
                    rig.run(ticks);
                    rig.link = None;
                }
                Doing::Nothing(ticks) => {
                    rig.run(ticks);
                }
            }
            let mode = rig.mode();
            if matches!(mode, Mode::Stopped | Mode::Stopping) {
                (reset, started) = (false, false);
            }
            if mode == Mode::Running {
                prop_assert!(reset && started);
            }
            if mode == Mode::Stopped && rig.core.torque() == Torque::On && !started {
                // Latched: whatever came, the command did not leave.
                let moved = rig.command().zip_with(&before, |a, b| (a.0 - b.0).abs());
                prop_assert!(moved.iter().all(|way| *way < 1.0));
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes_twice(doings in prop::collection::vec(any_doing(), 1..20)) {
        let run = || {
            let mut rig = Rig::started();
            let mut bytes = Vec::new();
            for doing in &doings {
                let step = match doing {
                    Doing::Ask(request) => {
                        rig.tick_with(|inputs| inputs.signals.requests.push(*request).unwrap())
                    }
                    Doing::Trip => rig.tick_with(|inputs| inputs.signals.trip = Some(Cause::PolicyFailed)),
                    Doing::Lose(joint) => rig.tick_with(|inputs| lose(inputs, *joint, ReadFault::Timeout)),
                    Doing::Plan(size) => {
                        let plan = rig.sweep(*size);
                        rig.plan = Some(plan);
                        rig.run(30)
                    }
                    Doing::RunnerGone(ticks) | Doing::Nothing(ticks) => rig.run(*ticks),
                };
                for angle in &rig.command() {
                    bytes.extend(angle.0.to_le_bytes());
                }
                bytes.extend(format!("{step:?}").into_bytes());
            }
            bytes
        };
        prop_assert!(run() == run());
    }
}
