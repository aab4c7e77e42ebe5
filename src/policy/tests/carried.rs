//! What goes on from one moment or one inference to the next.

use super::*;
use crate::policy::package::Memory;

const STEP_NS: u64 = 33_333_333;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

/// Six joints at `angle`, seen at `at` with a picture of one grey.
fn moment(at: u64, angle: f64, picture: &[u8]) -> Observation<'_> {
    Observation {
        captured_at: MonoTime(at),
        pictures: vec![Picture {
            width: 16,
            height: 16,
            rgb: picture,
        }],
        measured: vec![Rad(angle); 6],
        command: vec![Rad(angle); 6],
        velocity: vec![RadPerSec(10.0 * angle); 6],
    }
}

fn floats(input: &backend::Input<'_>) -> Vec<f32> {
    match input.data {
        backend::Data::Floats(data) => data.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn moments_go_in_by_capture_time_at_the_policy_s_rate_oldest_first() {
    for name in ["two_moments", "checkpoint_of_two_moments"] {
        let package = Package::load(&corpus(name)).unwrap();
        assert_eq!(package.moments, 2, "{name}");
        let mut findings = Findings::default();
        let arm = arm(&so101::NAMES);
        let mut encoder = Encoder::new(&package, &arm, &["top"], &mut findings).unwrap();
        let mut at = |at: u64, angle: f64, grey: u8| {
            let picture = vec![grey; 16 * 16 * 3];
            let observation = moment(at, angle, &picture);
            encoder
                .encode(&observation, &Carried::default(), &Told::default())
                .unwrap();
            let inputs = encoder.inputs();
            let (state, image) = (floats(&inputs[0]), floats(&inputs[1]));
            assert_eq!(inputs[0].shape, [1, 2, 6]);
            assert_eq!(inputs[1].shape, [1, 2, 3, 16, 16]);
            let half = image.len() / 2;
            ((state[0], state[6]), (image[0], image[half]))
        };
        let (state, image) = at(1_000_000_000, 0.1, 10);
        assert_eq!(state.0, state.1, "the first is repeated");
        assert_eq!(image.0, image.1);
        let (first, then) = (state.0, at(1_000_000_000 + STEP_NS, 0.2, 20));
        assert_eq!(then.0.0, first, "{name}");
        assert!(
            then.0.1 > first && then.1.1 > then.1.0,
            "the newest is last"
        );
        // A camera that is three times as fast as the policy: the moment a step ago, not the last.
        at(1_000_000_000 + STEP_NS * 4 / 3, 0.3, 30);
        at(1_000_000_000 + STEP_NS * 5 / 3, 0.4, 40);
        let (state, _) = at(1_000_000_000 + STEP_NS * 2, 0.5, 50);
        assert_eq!(state.0, then.0.1);
        encoder.forget();
        let picture = vec![60; 16 * 16 * 3];
        let again = moment(3_000_000_000, 0.6, &picture);
        encoder
            .encode(&again, &Carried::default(), &Told::default())
            .unwrap();
        let state = floats(&encoder.inputs()[0]);
        assert_eq!(state[..6], state[6..], "nothing of before a stop");
    }
}

#[test]
fn a_memory_goes_on_from_inference_to_inference_and_not_beyond_an_episode() {
    let mut policy = policy("counts");
    assert_eq!(
        policy.package().memories,
        [Memory {
            output: "turns_out".into(),
            shape: vec![1, 1]
        }]
    );
    let pictures = [pixels(24, 1), pixels(24, 2)];
    let observation = observe(&pictures, 24, &MEASURED, &COMMAND);
    let turned = |policy: &mut Policy| {
        let plan = policy.plan(&observation, 1, PATIENCE).unwrap();
        let roll = joint_points(&plan)[0][4];
        ((roll - COMMAND[4]) / 0.001).round() as i32
    };
    assert_eq!([0; 3].map(|_| turned(&mut policy)), [0, 1, 2]);
    policy.begin();
    assert_eq!(turned(&mut policy), 0, "an episode begins with nothing");
    policy.warm_up().unwrap();
    assert_eq!(turned(&mut policy), 1, "a rehearsal is no inference");
}

#[test]
fn graphs_alone_give_targets_of_joints_that_hold_until_the_next() {
    let picture = vec![60; 16 * 16 * 3];
    for (name, expected) in [
        ("mjlab", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("mjlab_with_lstm", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("exploy", [0.0; 6]),
        ("exploy_that_thinks_every_fourth_step", [0.1; 6]),
    ] {
        let arm = arm(&so101::NAMES);
        let config = config(Choice::BuiltIn);
        let mut policy = Policy::load(&corpus(name), arm, &[], &config).unwrap();
        policy.warm_up().unwrap();
        assert_eq!(policy.package().pace_hz(), Some(50.0), "{name}");
        for round in 0..3 {
            let at = 1_000_000_000 + round * 20_000_000;
            let plan = policy
                .plan(&moment(at, 0.3, &picture), round, PATIENCE)
                .unwrap();
            assert_eq!(plan.step_ns, 20_000_000);
            assert_eq!(plan.end().since(plan.captured_at), 200_000_000, "{name}");
            for point in joint_points(&plan) {
                for (is, expected) in point.iter().zip(expected) {
                    assert!((is - expected).abs() < 2e-3, "{name}: {point:?}");
                }
            }
        }
    }
}

#[test]
fn an_observation_of_mjlab_is_positions_from_the_default_speeds_and_the_last_action() {
    let package = Package::load(&corpus("mjlab")).unwrap();
    let mut findings = Findings::default();
    let mut encoder = Encoder::new(&package, &arm(&so101::NAMES), &[], &mut findings).unwrap();
    let carried = Carried {
        action: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ..Carried::default()
    };
    encoder
        .encode(&moment(1, 0.3, &[]), &carried, &Told::default())
        .unwrap();
    let obs = floats(&encoder.inputs()[0]);
    let expected = [
        [0.3, 0.2, 0.1, 0.0, -0.1, -0.2],
        [3.0; 6],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    ];
    for (is, expected) in obs.iter().zip(expected.as_flattened()) {
        assert!((is - expected).abs() < 1e-5, "{obs:?}");
    }
}

#[test]
fn exploy_s_graph_is_asked_at_the_steps_it_thinks_at() {
    let package = Package::load(&corpus("exploy")).unwrap();
    let mut findings = Findings::default();
    let mut encoder = Encoder::new(&package, &arm(&so101::NAMES), &[], &mut findings).unwrap();
    let mut steps = |count| {
        let carried = Carried {
            count,
            ..Carried::default()
        };
        encoder
            .encode(&moment(1, 0.3, &[]), &carried, &Told::default())
            .unwrap();
        let inputs = encoder.inputs();
        let found = inputs.iter().find_map(|input| match input.data {
            backend::Data::Ints(data) => Some(data.to_vec()),
            _ => None,
        });
        found.unwrap()
    };
    assert_eq!([steps(0), steps(1), steps(5)], [[0], [4], [20]]);
}

/// What goes in for a graph made for real-time chunking, by the inputs' types.
#[test]
fn steps_go_in_as_the_whole_numbers_that_the_graph_declares() {
    let package = Package::load(&corpus("chunks_that_go_on")).unwrap();
    let mut findings = Findings::default();
    let arm = arm(&so101::NAMES);
    let mut encoder = Encoder::new(&package, &arm, &["top"], &mut findings).unwrap();
    let told = Told {
        rows: vec![0.5; 6],
        delay: 3.0,
        horizon: 7.0,
        ..Told::default()
    };
    let picture = vec![10; 16 * 16 * 3];
    encoder
        .encode(&moment(1, 0.3, &picture), &Carried::default(), &told)
        .unwrap();
    let inputs = encoder.inputs();
    let whole = |input: &backend::Input<'_>| match input.data {
        backend::Data::Ints(data) => Some((input.shape.len(), i64::from(data[0]))),
        backend::Data::Longs(data) => Some((input.shape.len(), data[0])),
        _ => None,
    };
    let whole: Vec<_> = inputs.iter().filter_map(whole).collect();
    // The delay comes with a size of one, the horizon without any.
    assert_eq!(whole, [(1, 3), (0, 7)]);
}

#[test]
fn whole_numbers_and_noise_go_into_the_graph_on_every_backend() {
    for name in ["chunks_that_go_on", "noise"] {
        for choice in [backend::Choice::BuiltIn, backend::Choice::Auto] {
            let config = config(choice);
            let arm = arm(&so101::NAMES);
            let mut policy = Policy::load(&corpus(name), arm, &["top"], &config).unwrap();
            policy.warm_up().unwrap();
            let picture = vec![10; 16 * 16 * 3];
            let plan = policy.plan(&moment(1, 0.0, &picture), 1, Duration::ZERO);
            assert!(plan.is_ok(), "{name}: {plan:?}");
        }
    }
}

#[test]
fn a_plan_s_noise_is_that_of_the_seed_and_its_id() {
    let package = Package::load(&corpus("noise")).unwrap();
    let mut findings = Findings::default();
    let arm = arm(&so101::NAMES);
    let mut encoder = Encoder::new(&package, &arm, &["top"], &mut findings).unwrap();
    let picture = vec![10; 16 * 16 * 3];
    let mut drawn = |seed, id| {
        let told = Told {
            noise: Noise::of(seed, id),
            ..Told::default()
        };
        encoder
            .encode(&moment(1, 0.3, &picture), &Carried::default(), &told)
            .unwrap();
        let inputs = encoder.inputs();
        let noise = inputs.iter().find(|it| it.shape == [3, 8, 6]);
        floats(noise.unwrap())
    };
    let first = drawn(5, 1);
    assert_ne!(drawn(5, 2), first);
    assert_eq!(drawn(5, 1), first);
}
