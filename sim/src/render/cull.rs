//! Which shapes a ray can meet at all: lists by tile of the picture, and by cell of the lamp's view.
//!
//! The lists only leave out what bounding spheres prove out of reach; they never decide a hit.

use nalgebra::{Point3, Vector3};

use super::eye::Eye;
use super::solid::Placed;

/// Pixels a side of a tile.
const TILE: u32 = 12;
/// Cells a side of the lamp's view.
const CELLS: usize = 32;

/// For each tile of a picture, the shapes its rays can meet.
pub(super) struct Tiles {
    across: usize,
    lists: Vec<Vec<u16>>,
}

impl Tiles {
    pub(super) fn new(solids: &[Placed], eye: &Eye) -> Self {
        let [width, height] = eye.size();
        let mut lists = Vec::new();
        for top in (0..height).step_by(TILE as usize) {
            for left in (0..width).step_by(TILE as usize) {
                let (left, top, tile) = (left as f32, top as f32, TILE as f32);
                let axis = eye.ray(left + tile / 2.0, top + tile / 2.0);
                // The corner farthest from the axis bounds the cone of the tile's rays.
                let spread = [(0.0, 0.0), (tile, 0.0), (0.0, tile), (tile, tile)]
                    .map(|(x, y)| axis.dot(&eye.ray(left + x, top + y)))
                    .into_iter()
                    .fold(1.0, f32::min)
                    .acos();
                lists.push(select(solids, |solid| {
                    let towards = solid.centre() - eye.at();
                    let distance = towards.norm();
                    distance <= solid.bound()
                        || (axis.dot(&towards) / distance).clamp(-1.0, 1.0).acos()
                            <= spread + (solid.bound() / distance).asin() + 1e-3
                }));
            }
        }
        Self {
            across: width.div_ceil(TILE) as usize,
            lists,
        }
    }

    /// The shapes a pixel can show.
    pub(super) fn at(&self, x: u32, y: u32) -> &[u16] {
        &self.lists[(y / TILE) as usize * self.across + (x / TILE) as usize]
    }
}

/// The shapes as the lamp sees them: flat, from infinitely far away.
pub(super) struct Shadows {
    towards: Vector3<f32>,
    u: Vector3<f32>,
    v: Vector3<f32>,
    low: [f32; 2],
    /// cells a metre
    scale: [f32; 2],
    lists: Vec<Vec<u16>>,
}

impl Shadows {
    pub(super) fn new(solids: &[Placed], towards: &Vector3<f32>) -> Self {
        let u = towards
            .cross(&Vector3::y())
            .try_normalize(1e-3)
            .unwrap_or_else(Vector3::x);
        let v = towards.cross(&u);
        let flat = |solid: &Placed| {
            let centre = solid.centre().coords;
            [centre.dot(&u), centre.dot(&v)]
        };
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for solid in solids {
            for (axis, at) in flat(solid).into_iter().enumerate() {
                low[axis] = low[axis].min(at - solid.bound());
                high[axis] = high[axis].max(at + solid.bound());
            }
        }
        let cell = [0, 1].map(|axis| ((high[axis] - low[axis]) / CELLS as f32).max(1e-6));
        let mut lists = vec![Vec::new(); CELLS * CELLS];
        for (number, solid) in (0u16..).zip(solids) {
            let at = flat(solid);
            let span = [0, 1].map(|axis| {
                let index = |side: f32| {
                    let cells = (at[axis] + side - low[axis]) / cell[axis];
                    (cells.max(0.0) as usize).min(CELLS - 1)
                };
                index(-solid.bound())..=index(solid.bound())
            });
            for row in span[1].clone() {
                for column in span[0].clone() {
                    lists[row * CELLS + column].push(number);
                }
            }
        }
        Self {
            towards: *towards,
            u,
            v,
            low,
            scale: cell.map(|side| 1.0 / side),
            lists,
        }
    }

    /// Whether the lamp does not reach a point of a surface.
    pub(super) fn dark(
        &self,
        solids: &[Placed],
        point: &Point3<f32>,
        normal: &Vector3<f32>,
    ) -> bool {
        if normal.dot(&self.towards) <= 0.0 {
            return true;
        }
        let x = (point.coords.dot(&self.u) - self.low[0]) * self.scale[0];
        let y = (point.coords.dot(&self.v) - self.low[1]) * self.scale[1];
        let side = CELLS as f32;
        if !(0.0..side).contains(&x) || !(0.0..side).contains(&y) {
            return false;
        }
        let list = &self.lists[y as usize * CELLS + x as usize];
        let start = point + normal * 2e-4;
        list.iter().any(|&at| {
            solids[usize::from(at)]
                .enter(&start, &self.towards)
                .is_some()
        })
    }
}

fn select(solids: &[Placed], keep: impl Fn(&Placed) -> bool) -> Vec<u16> {
    (0u16..)
        .zip(solids)
        .filter(|(_, solid)| keep(solid))
        .map(|(at, _)| at)
        .collect()
}
