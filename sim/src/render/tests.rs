use nalgebra::{Isometry3, Vector3};

use super::*;
use crate::world::World;

/// Bent over the table in front of it, jaws open above the cube.
const OVER_CUBE: [f64; 6] = [0.0, -0.25, 0.66, 0.90, 1.57, 0.45];

fn snapshot(scene: &Scene) -> Snapshot {
    let mut world = World::new(scene);
    world.set_joints(&OVER_CUBE);
    let tool = world.tool_pose().translation;
    world.place(
        0,
        &Isometry3::new(Vector3::new(tool.x, tool.y, 0.0125), Vector3::zeros()),
    );
    world.snapshot()
}

/// How many pixels differ by more than noise makes likely.
fn changed(one: &Image, other: &Image) -> usize {
    one.rgb
        .chunks(3)
        .zip(other.rgb.chunks(3))
        .filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 25))
        .count()
}

#[test]
fn both_cameras_show_the_cube() {
    let scene = Scene::pick_cube().unwrap();
    let with = snapshot(&scene);
    let mut without = with.clone();
    without.cubes[0].translation.x = 5.0;
    let renderer = Renderer::new(&scene, 1);
    for (number, least) in [(0, 20), (1, 150)] {
        let seen = changed(
            &renderer.render(&with, number, 1),
            &renderer.render(&without, number, 2),
        );
        assert!(
            seen >= least,
            "camera {number} shows {seen} pixels of the cube"
        );
    }
}

#[test]
fn the_wrist_camera_sees_the_jaws_move() {
    let scene = Scene::pick_cube().unwrap();
    let renderer = Renderer::new(&scene, 1);
    let wrist = renderer.camera("wrist").unwrap();
    let mut world = World::new(&scene);
    world.set_joints(&OVER_CUBE);
    let open = renderer.render(&world.snapshot(), wrist, 1);
    let mut closed = OVER_CUBE;
    closed[5] = 0.0;
    world.set_joints(&closed);
    let seen = changed(&open, &renderer.render(&world.snapshot(), wrist, 2));
    assert!(seen > 300, "{seen} pixels changed");
}

#[test]
fn the_same_frame_is_the_same_bytes_and_no_two_frames_are() {
    let scene = Scene::pick_cube().unwrap();
    let still = snapshot(&scene);
    let renderer = Renderer::new(&scene, 7);
    let first = renderer.render(&still, 0, 1);
    assert_eq!(first, Renderer::new(&scene, 7).render(&still, 0, 1));
    assert_ne!(first, renderer.render(&still, 0, 2));
    assert_ne!(first, Renderer::new(&scene, 8).render(&still, 0, 1));
    assert_eq!(
        changed(&first, &renderer.render(&still, 0, 2)),
        0,
        "noise is too loud"
    );
}

#[test]
fn bounding_lists_leave_nothing_out() {
    let scene = Scene::pick_cube().unwrap();
    let renderer = Renderer::new(&scene, 1);
    let snapshot = snapshot(&scene);
    let solids = renderer.stage.place(&snapshot);
    let towards = &renderer.paint.lamp_point(0, 1);
    let shadows = Shadows::new(&solids, towards);
    for camera in renderer.cameras() {
        let mount = snapshot
            .link_pose(&camera.mount)
            .map_or_else(Isometry3::identity, |pose| pose.cast::<f32>());
        let eye = Eye::new(&mount, &Look::from(camera), [camera.width, camera.height]);
        let tiles = Tiles::new(&solids, &eye);
        for (x, y) in (0..camera.height).flat_map(|y| (0..camera.width).map(move |x| (x, y))) {
            let ray = eye.ray(x as f32 + 0.5, y as f32 + 0.5);
            let hits = solids
                .iter()
                .enumerate()
                .filter_map(|(i, solid)| solid.enter(eye.at(), &ray).map(|t| (i, t)));
            for (at, distance) in hits {
                let listed = tiles.at(x, y).iter().any(|&i| usize::from(i) == at);
                assert!(listed, "{} ({x}, {y}) lacks shape {at}", camera.name);
                let point = eye.at() + ray * distance;
                let normal = solids[at].normal(&point);
                let start = point + normal * 2e-4;
                let blocked = normal.dot(towards) <= 0.0
                    || solids
                        .iter()
                        .any(|solid| solid.enter(&start, towards).is_some());
                assert_eq!(
                    shadows.dark(&solids, &point, &normal),
                    blocked,
                    "({x}, {y})"
                );
            }
        }
    }
}

#[test]
fn a_picture_becomes_a_jpeg_of_its_size() {
    let scene = Scene::pick_cube().unwrap();
    let image = Renderer::new(&scene, 1).view(&snapshot(&scene), &scene.view, 100, 60);
    let jpeg = image.jpeg().unwrap();
    assert_eq!(&jpeg[..2], [0xff, 0xd8]);
    // Start of frame 0: marker, length, precision, height, width.
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    assert_eq!(&jpeg[frame + 5..frame + 9], [0, 60, 0, 100]);
    let wide = Image::plain(70_000, 1, [0; 3])
        .jpeg()
        .unwrap_err()
        .to_string();
    assert!(wide.starts_with("a picture of 70000 × 1 pixels"), "{wide}");
}

#[test]
fn randomised_scenes_look_different() {
    use rand::SeedableRng;
    let scene = Scene::pick_cube().unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let still = snapshot(&scene);
    let one = Renderer::new(&scene.randomised(&mut rng), 1).render(&still, 0, 1);
    let other = Renderer::new(&scene.randomised(&mut rng), 1).render(&still, 0, 1);
    assert!(changed(&one, &other) > 4000);
}
