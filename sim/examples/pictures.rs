//! Writes one picture from each camera and one for people, and prints what a step and a picture
//! cost here: `cargo run --release -p surehand-sim --example pictures -- FOLDER`.

use std::path::PathBuf;
use std::time::Instant;

use surehand_sim::{Drive, Renderer, Scene, World};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let scene = Scene::pick_cube()?;
    let mut world = World::new(&scene);
    let pose = [-0.15, -0.25, 0.85, 0.71, 1.52, 0.45];
    world.set_joints(&pose);
    let drives = pose.map(|target| Drive {
        target,
        stiffness: 50.0,
        damping: 2.0,
        max_torque: 1.9,
        ..Drive::default()
    });
    let steps = 400;
    let begun = Instant::now();
    for _ in 0..steps {
        world.step(&drives);
    }
    println!(
        "step: {:.1} µs",
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(steps)
    );

    let renderer = Renderer::new(&scene, 1);
    let snapshot = world.snapshot();
    for (number, camera) in renderer.cameras().iter().enumerate() {
        let frames = 50;
        let begun = Instant::now();
        for frame in 1..frames {
            let _ = renderer.render(&snapshot, number, frame);
        }
        let each = begun.elapsed().as_secs_f64() * 1e3 / (frames - 1) as f64;
        println!("{}: {each:.2} ms", camera.name);
        let image = renderer.render(&snapshot, number, 0);
        std::fs::write(folder.join(format!("{}.jpg", camera.name)), image.jpeg()?)?;
    }
    let image = renderer.view(&snapshot, &scene.view, 960, 640);
    std::fs::write(folder.join("view.jpg"), image.jpeg()?)?;
    Ok(())
}
