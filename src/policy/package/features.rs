//! The graph's inputs and output, matched with what the manifest says about them.

mod shape;

use super::chunk;
use super::component::Chunk;
use super::graph::{Signature, Tensor};
use super::memory::Declared;
use super::node::Node;
use super::robot::{ActionLayout, Robot};
use super::stats::Affine;
use super::{Input, MAX_LED, Output, Pixels, Source};
use crate::messages::{MAX_CAMERAS, MAX_WAYPOINTS};
use crate::policy::finding::Findings;
use shape::{batch_of_one, float32, right_moments, sizes, with_moments};
pub(super) use shape::{place, shape_text};

/// The largest side of a picture a graph may want, pixels.
const MAX_SIDE: usize = 2048;
/// The most values of noise a graph may take.
const MAX_NOISE: usize = 1 << 20;
/// The most values a state may have.
const MAX_STATE: usize = 64;

/// A camera as the package describes it.
pub(super) struct Camera {
    pub(super) name: String,
    /// Height and width.
    pub(super) size: Option<(usize, usize)>,
}

/// The cameras of a package, and where it names them.
pub(super) struct Cameras {
    pub(super) all: Vec<Camera>,
    pub(super) place: &'static str,
}

/// Matches every graph input with what feeds it.
pub(super) fn inputs(
    signature: &Signature,
    cameras: &Cameras,
    robot: &Robot,
    moments: usize,
    memories: &[Declared],
    findings: &mut Findings,
) -> Vec<Input> {
    let mut inputs = Vec::new();
    for tensor in &signature.inputs {
        let short = tensor.name.strip_prefix("observation.");
        let short = short.unwrap_or(&tensor.name);
        let memory = memories.iter().position(|it| it.input == tensor.name);
        let told = chunk::part(short).filter(|_| memory.is_none());
        if let Some(part) = told {
            inputs.extend(chunk::input(tensor, part, signature, findings));
            continue;
        }
        if !float32(tensor, findings) {
            continue;
        }
        if let Some(index) = memory {
            let shape = memories.get(index).map(|it| it.memory.shape.clone());
            inputs.push(Input::plain(
                tensor,
                shape.unwrap_or_default(),
                Source::Memory(index),
            ));
            continue;
        }
        let input = match short {
            "state" => state(tensor, robot, moments, findings),
            "image" | "images" => only_camera(tensor, cameras, moments, findings),
            "noise" => noise(tensor, findings),
            other => match other.strip_prefix("images.") {
                Some(name) => camera_called(tensor, name, cameras, moments, findings),
                None => {
                    findings.error(
                        place(tensor),
                        "nothing here can feed this input",
                        "name inputs state, images or images.<camera>, or name it in memory",
                    );
                    None
                }
            },
        };
        inputs.extend(input);
    }
    if signature.inputs.is_empty() {
        findings.error("graph", "it has no inputs", "export the whole policy");
    }
    if moments > 1 && !inputs.is_empty() && !inputs.iter().any(|it| it.moments() == moments) {
        findings.error(
            "graph",
            format!("it looks at one moment, n_obs_steps is {moments}"),
            "make manifest and graph agree",
        );
    }
    let images = |input: &&Input| matches!(input.source, Source::Image { .. });
    let count = inputs.iter().filter(images).count();
    if count > MAX_CAMERAS {
        findings.error(
            "graph",
            format!("it takes {count} pictures"),
            format!("use at most {MAX_CAMERAS} cameras"),
        );
    }
    for camera in &cameras.all {
        let used = inputs.iter().any(
            |input| matches!(&input.source, Source::Image { camera: name, .. } if *name == camera.name),
        );
        if !used {
            findings.warning(
                cameras.place,
                format!("the graph does not look through {:?}", camera.name),
                "remove the camera",
            );
        }
    }
    inputs
}

fn state(tensor: &Tensor, robot: &Robot, moments: usize, findings: &mut Findings) -> Option<Input> {
    let width = robot.state.as_ref().map(Vec::len).or(robot.state_width);
    let known = with_moments(tensor, &[Some(1), width], moments);
    let shape = sizes(tensor, &known, "[1, values]", findings)?;
    if !batch_of_one(tensor, &shape, findings)
        || !right_moments(tensor, &shape, 1, moments, findings)
    {
        return None;
    }
    let width = *shape.last()?;
    if width > MAX_STATE {
        let what = format!("it has {width} values");
        findings.error(place(tensor), what, format!("use at most {MAX_STATE}"));
        return None;
    }
    Some(Input::plain(tensor, shape, Source::State))
}

/// Numbers from a seed, for a policy that makes its actions of them.
fn noise(tensor: &Tensor, findings: &mut Findings) -> Option<Input> {
    let shape: Option<Vec<usize>> = tensor.shape.iter().copied().collect();
    let values = |shape: &[usize]| {
        shape
            .iter()
            .try_fold(1usize, |all, it| all.checked_mul(*it))
    };
    let fits = |shape: &Vec<usize>| values(shape).is_some_and(|all| (1..=MAX_NOISE).contains(&all));
    let Some(shape) = shape.filter(fits) else {
        findings.error(
            place(tensor),
            format!("its shape is {}", shape_text(&tensor.shape)),
            format!("export it with fixed sizes, {MAX_NOISE} values at most"),
        );
        return None;
    };
    Some(Input::plain(tensor, shape, Source::Noise))
}

/// The state of manifest and graph must have the same width.
pub(super) fn state_width(inputs: &[Input], robot: &Robot, findings: &mut Findings) {
    let said = robot.state.as_ref().map(Vec::len).or(robot.state_width);
    let graph = inputs
        .iter()
        .find(|input| input.source == Source::State)
        .and_then(|input| input.shape.last().copied());
    if let (Some(said), Some(graph)) = (said, graph)
        && said != graph
    {
        findings.error(
            robot.places.state.clone(),
            format!("it has {said} values, the graph's input {graph}"),
            "make manifest and graph agree",
        );
    }
}

fn only_camera(
    tensor: &Tensor,
    cameras: &Cameras,
    moments: usize,
    findings: &mut Findings,
) -> Option<Input> {
    match cameras.all.as_slice() {
        [camera] => image(tensor, camera, moments, findings),
        _ => {
            findings.error(
                place(tensor),
                format!(
                    "it takes one picture, {} names {}",
                    cameras.place,
                    cameras.all.len()
                ),
                "name one camera, or call the inputs images.<camera>",
            );
            None
        }
    }
}

fn camera_called(
    tensor: &Tensor,
    name: &str,
    cameras: &Cameras,
    moments: usize,
    findings: &mut Findings,
) -> Option<Input> {
    if let Some(camera) = cameras.all.iter().find(|camera| camera.name == name) {
        return image(tensor, camera, moments, findings);
    }
    if !cameras.all.is_empty() {
        findings.error(
            cameras.place,
            format!("it lacks {name:?}, which the graph looks through"),
            "describe that camera",
        );
        return None;
    }
    let camera = Camera {
        name: name.to_owned(),
        size: None,
    };
    image(tensor, &camera, moments, findings)
}

fn image(
    tensor: &Tensor,
    camera: &Camera,
    moments: usize,
    findings: &mut Findings,
) -> Option<Input> {
    let (height, width) = camera.size.unzip();
    let known = with_moments(tensor, &[Some(1), Some(3), height, width], moments);
    let shape = sizes(tensor, &known, "[1, 3, height, width]", findings)?;
    if !batch_of_one(tensor, &shape, findings)
        || !right_moments(tensor, &shape, 3, moments, findings)
    {
        return None;
    }
    let &[.., 3, height, width] = shape.as_slice() else {
        let what = format!("its shape is {}", shape_text(&tensor.shape));
        findings.error(place(tensor), what, "export it with 3 colours");
        return None;
    };
    if height > MAX_SIDE || width > MAX_SIDE {
        findings.error(
            place(tensor),
            format!("its shape is {}", shape_text(&tensor.shape)),
            format!("export it with the shape [1, 3, height, width], sides up to {MAX_SIDE}"),
        );
        return None;
    };
    let source = Source::Image {
        camera: camera.name.clone(),
        width: u32::try_from(width).ok()?,
        height: u32::try_from(height).ok()?,
        pixels: Pixels::Floats,
    };
    Some(Input::plain(tensor, shape, source))
}

/// The cameras of a manifest.
pub(super) fn cameras(root: &Node<'_>, findings: &mut Findings) -> Cameras {
    let list = root
        .get("hardware")
        .and_then(|hardware| hardware.get("cameras"))
        .map(|node| node.list(findings))
        .unwrap_or_default();
    let mut cameras = Vec::new();
    for node in list {
        let Some(name) = node.need("name", findings).and_then(|n| n.text(findings)) else {
            continue;
        };
        cameras.push(Camera {
            name: name.to_owned(),
            size: picture_size(&node, findings),
        });
    }
    Cameras {
        all: cameras,
        place: "manifest.json: hardware.cameras",
    }
}

/// Height and width by the `shape` of `node`, where it has one.
pub(super) fn picture_size(node: &Node<'_>, findings: &mut Findings) -> Option<(usize, usize)> {
    let shape = node.get("shape")?;
    match shape.shape(findings)?.as_slice() {
        [3, height, width] => Some((*height, *width)),
        other => {
            let what = format!("it is {other:?}");
            findings.error(shape.place(), what, "make it [3, height, width]");
            None
        }
    }
}

/// The graph's action output.
pub(super) fn output(
    signature: &Signature,
    graph: &str,
    chunk: Option<&Chunk>,
    findings: &mut Findings,
) -> Option<Output> {
    let named = signature.outputs.iter().find(|out| out.name == "action");
    let tensor = match (named, signature.outputs.as_slice()) {
        (Some(tensor), _) | (None, [tensor]) => tensor,
        (None, several) => {
            findings.error(
                graph,
                format!("none of its {} outputs is called action", several.len()),
                "name the output action",
            );
            return None;
        }
    };
    if !float32(tensor, findings) {
        return None;
    }
    let shape = match tensor.shape.len() {
        2 => sizes(tensor, &[Some(1), None], "[1, values]", findings)?,
        _ => sizes(
            tensor,
            &[Some(1), chunk.map(|chunk| chunk.size), None],
            "[1, chunk, values]",
            findings,
        )?,
    };
    if !batch_of_one(tensor, &shape, findings) {
        return None;
    }
    let (length, width) = match *shape.as_slice() {
        [_, width] => (1, width),
        [_, length, width] => (length, width),
        _ => return None,
    };
    if let Some(chunk) = chunk
        && chunk.size != length
    {
        findings.error(
            chunk.place.clone(),
            format!("it is {}, the graph gives {length}", chunk.size),
            "make manifest and graph agree",
        );
    }
    if length > MAX_WAYPOINTS {
        findings.error(
            place(tensor),
            format!("it gives {length} actions at once, {MAX_WAYPOINTS} at most can be followed"),
            "train or export with a shorter chunk",
        );
        return None;
    }
    Some(Output {
        tensor: tensor.name.clone(),
        chunk: length,
        width,
        denormalise: Affine::identity(width),
    })
}

/// The actions of manifest, graph and robot must have the same width.
pub(super) fn action_width(output: &Output, robot: &Robot, findings: &mut Findings) {
    let place = &robot.places.action;
    if let Some(said) = robot.action_width
        && said != output.width
    {
        findings.error(
            place.clone(),
            format!("it has {said} values, the graph gives {}", output.width),
            "make manifest and graph agree",
        );
    }
    let expected = match &robot.action {
        ActionLayout::Tool { .. } => Some(5),
        ActionLayout::Joint {
            order: Some(order), ..
        } => Some(order.len()),
        ActionLayout::Joint { order: None, .. } => robot.joints(),
    };
    let found = robot.action_width.unwrap_or(output.width);
    let too_many = found > MAX_LED;
    if too_many || expected.is_some_and(|expected| expected != found) {
        let expected = expected.unwrap_or(MAX_LED);
        findings.error(
            place.clone(),
            format!("it has {found} values, the robot {expected} joints"),
            "give one value a joint, in the joints' order",
        );
    }
}

/// What `model.input_features` says must agree with the graph.
pub(super) fn declared(model: &Node<'_>, inputs: &[Input], findings: &mut Findings) {
    let Some(list) = model.get("input_features") else {
        return;
    };
    for node in list.list(findings) {
        let feature = node.get("init_args").unwrap_or(node);
        let Some(name) = feature.get("name").and_then(|node| node.text(findings)) else {
            continue;
        };
        let Some(declared) = feature.get("shape") else {
            continue;
        };
        let Some(shape) = declared.shape(findings) else {
            continue;
        };
        let short = |name: &str| name.strip_prefix("observation.").map(str::to_owned);
        let name = short(name).unwrap_or_else(|| name.to_owned());
        let input = inputs.iter().find(|input| {
            let tensor = short(&input.tensor).unwrap_or_else(|| input.tensor.clone());
            let camera = matches!(&input.source, Source::Image { camera, .. } if *camera == name);
            tensor == name || camera
        });
        match input {
            None => findings.error(
                feature.place(),
                format!("{name:?} is no input of the graph"),
                "make manifest and graph agree",
            ),
            Some(input) => {
                let batched = input.shape == shape;
                let rows = input.shape.get(1..) == Some(shape.as_slice());
                if !batched && !rows && input.moment() != shape.as_slice() {
                    let graph = input.moment();
                    findings.error(
                        declared.place(),
                        format!("it is {shape:?}, the graph's input is {graph:?}"),
                        "make manifest and graph agree",
                    );
                }
            }
        }
    }
}
