//! What a URDF says of the chain between two of its links, of any length, read through `k`.
//!
//! Owns every error that a URDF can be wrong by: each is one line naming the file, the joint or
//! link, and the remedy. Never keeps anything of `k`: its numbers are taken over.

use nalgebra::{Matrix3, Unit, Vector3};

use crate::chain::{Chain, Driver, Joint, Motion};
use crate::frame::Frame;
use crate::model::{Limits, MAX_JOINTS, Model};

/// Why a URDF does not give a chain.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}: {what}; {remedy}")]
pub struct DescriptionError {
    /// The URDF.
    pub file: String,
    /// What is wrong, naming joint or link.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// A joint of the chain with what the URDF says of it.
#[derive(Debug, Clone, PartialEq)]
struct Named {
    name: String,
    joint: Joint,
    driver: Driver,
}

/// A variable of the chain: a joint that follows no other.
#[derive(Debug, Clone, PartialEq)]
struct Variable {
    name: String,
    lower: f64,
    upper: f64,
    velocity: f64,
}

/// The chain from one link to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    joints: Vec<Named>,
    variables: Vec<Variable>,
    tip: Frame,
}

impl Description {
    /// Reads the chain from link `base` to link `tip` out of the text of a URDF; `file` is its name
    /// in errors.
    ///
    /// # Errors
    /// One line naming file, joint or link, and remedy.
    pub fn read(
        file: &str,
        text: &str,
        base: &str,
        tip: &str,
    ) -> Result<Description, DescriptionError> {
        Reader { file, base, tip }.read(text)
    }

    /// How many variables move the chain, 1 to [`MAX_JOINTS`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Never: a chain has a joint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The names of the joints that are variables, base first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// Of a joint that moves in the chain: how many moving ones are before it, and where it is with
    /// every variable at 0.
    pub(crate) fn moving(&self, joint: &str) -> Option<(usize, f64)> {
        let index = self.joints.iter().position(|named| named.name == joint)?;
        let named = self.joints.get(index)?;
        Some((index, named.driver.offset))
    }

    /// The chain as a model of exactly `N` variables; `None` when it has another number.
    #[must_use]
    pub fn model<const N: usize>(&self) -> Option<Model<N>> {
        let variables: [Variable; N] = self.variables.clone().try_into().ok()?;
        let chain = if self.joints.len() == N {
            let joints: Vec<Joint> = self.joints.iter().map(|named| named.joint).collect();
            let joints: [Joint; N] = joints.try_into().ok()?;
            Chain::new(&joints, self.tip)
        } else {
            let joints: Vec<_> = self.joints.iter().map(|it| (it.joint, it.driver)).collect();
            Chain::coupled(&joints, self.tip)?
        };
        Some(Model {
            limits: Limits {
                lower: variables.each_ref().map(|variable| variable.lower),
                upper: variables.each_ref().map(|variable| variable.upper),
                velocity: variables.each_ref().map(|variable| variable.velocity),
            },
            names: variables.map(|variable| variable.name),
            chain,
        })
    }
}

/// The steps of reading one URDF; every error carries the file.
struct Reader<'a> {
    file: &'a str,
    base: &'a str,
    tip: &'a str,
}

impl Reader<'_> {
    fn error(&self, what: String, remedy: impl Into<String>) -> DescriptionError {
        DescriptionError {
            file: self.file.to_owned(),
            what,
            remedy: remedy.into(),
        }
    }

    fn read(&self, text: &str) -> Result<Description, DescriptionError> {
        let robot = urdf_rs::read_from_string(text).map_err(|error| {
            let error = error.to_string().replace('\n', " ");
            self.error(
                format!("is not a URDF ({error})"),
                "correct the file or give another",
            )
        })?;
        self.check_tree(&robot)?;
        let path = self.path(&robot)?;
        let tree = k::Chain::<f64>::from(geometry_alone(&robot, &path));
        let path: Result<Vec<_>, _> = path
            .into_iter()
            .map(|joint| Ok((joint, self.geometry(joint, &tree)?)))
            .collect();
        self.describe(&robot, &path?)
    }

    /// Whether joints and links hang together.
    fn check_tree(&self, robot: &urdf_rs::Robot) -> Result<(), DescriptionError> {
        for joint in &robot.joints {
            for link in [&joint.parent.link, &joint.child.link] {
                if !robot.links.iter().any(|other| other.name == *link) {
                    return Err(self.error(
                        format!(
                            "joint `{}` is at link `{link}`, which is not there",
                            joint.name
                        ),
                        "correct its <parent> and <child>",
                    ));
                }
            }
            let twins = robot.joints.iter().filter(|other| other.name == joint.name);
            if twins.count() > 1 {
                return Err(self.error(
                    format!("joint `{}` is given twice", joint.name),
                    "give each joint a name of its own",
                ));
            }
            let parents = robot.joints.iter();
            let parents = parents.filter(|other| other.child.link == joint.child.link);
            if parents.count() > 1 {
                return Err(self.error(
                    format!("link `{}` is the child of two joints", joint.child.link),
                    "a chain is a tree: hang it from one",
                ));
            }
            if let Some(mimic) = &joint.mimic
                && !robot.joints.iter().any(|other| other.name == mimic.joint)
            {
                return Err(self.error(
                    format!(
                        "joint `{}` mimics `{}`, which is not there",
                        joint.name, mimic.joint
                    ),
                    "correct the <mimic> element",
                ));
            }
        }
        Ok(())
    }

    /// The joints from base to tip.
    fn path<'r>(
        &self,
        robot: &'r urdf_rs::Robot,
    ) -> Result<Vec<&'r urdf_rs::Joint>, DescriptionError> {
        for link in [self.base, self.tip] {
            if !robot.links.iter().any(|other| other.name == link) {
                let names: Vec<&str> = robot.links.iter().map(|l| l.name.as_str()).collect();
                return Err(self.error(
                    format!("there is no link `{link}`"),
                    format!("links are: {}", names.join(", ")),
                ));
            }
        }
        let mut path = Vec::new();
        let mut link = self.tip;
        while link != self.base {
            let joint = robot.joints.iter().find(|joint| joint.child.link == link);
            // More steps than joints: they go round in a ring.
            let Some(joint) = joint.filter(|_| path.len() < robot.joints.len()) else {
                return Err(self.error(
                    format!(
                        "link `{}` does not hang from link `{}`",
                        self.tip, self.base
                    ),
                    "name the base and the tip of one chain",
                ));
            };
            path.push(joint);
            link = &joint.parent.link;
        }
        path.reverse();
        Ok(path)
    }

    /// Where `joint` sits and what it does, by `k`.
    fn geometry(
        &self,
        joint: &urdf_rs::Joint,
        tree: &k::Chain<f64>,
    ) -> Result<Joint, DescriptionError> {
        let name = &joint.name;
        let of = |what: &str| format!("joint `{name}` {what}");
        let node = tree
            .find(name)
            .ok_or_else(|| self.error(of("hangs from nothing"), "connect it to the base"))?;
        let node = node.joint();
        let origin = node.origin();
        let columns: [[f64; 3]; 3] = (*origin.rotation.to_rotation_matrix().matrix()).into();
        let translation: [f64; 3] = origin.translation.vector.into();
        let origin = Frame {
            rotation: Matrix3::from(columns),
            translation: Vector3::from(translation),
        };
        if !(origin.rotation.iter().chain(origin.translation.iter())).all(|it| it.is_finite()) {
            return Err(self.error(
                of("has an <origin> that is not finite"),
                "correct its xyz and rpy",
            ));
        }
        let (axis, motion) = match &node.joint_type {
            k::JointType::Rotational { axis } => (axis.into_inner().into(), Motion::Turning),
            k::JointType::Linear { axis } => (axis.into_inner().into(), Motion::Sliding),
            k::JointType::Fixed => ([0.0, 0.0, 1.0], Motion::Turning),
        };
        let axis = Unit::try_new(Vector3::from(axis), 1e-6)
            .filter(|axis: &Unit<Vector3<f64>>| axis.iter().all(|it| it.is_finite()));
        let axis = axis.ok_or_else(|| {
            self.error(
                of("has an <axis> of no direction"),
                "give it one that is not zero",
            )
        })?;
        Ok(Joint {
            origin,
            axis,
            motion,
        })
    }

    /// Folds fixed joints, finds what each moving one follows, and reads the limits.
    fn describe(
        &self,
        robot: &urdf_rs::Robot,
        path: &[(&urdf_rs::Joint, Joint)],
    ) -> Result<Description, DescriptionError> {
        let moving: Vec<_> = (path.iter().map(|(joint, _)| *joint))
            .filter(|joint| joint.joint_type != urdf_rs::JointType::Fixed)
            .collect();
        if moving.is_empty() || moving.len() > MAX_JOINTS {
            return Err(self.error(
                format!(
                    "{} joints move between link `{}` and link `{}`",
                    moving.len(),
                    self.base,
                    self.tip
                ),
                format!("1 to {MAX_JOINTS} are solved: name other links, or fix some joints"),
            ));
        }
        let own: Vec<_> = (moving.iter().copied())
            .filter(|joint| joint.mimic.is_none())
            .collect();
        let mut variables = Vec::new();
        for joint in &own {
            variables.push(self.variable(joint)?);
        }
        let mut pending = Frame::IDENTITY;
        let mut joints = Vec::new();
        for (joint, geometry) in path {
            pending = pending.then(&geometry.origin);
            if joint.joint_type == urdf_rs::JointType::Fixed {
                continue;
            }
            joints.push(Named {
                name: joint.name.clone(),
                joint: Joint {
                    origin: std::mem::replace(&mut pending, Frame::IDENTITY),
                    ..*geometry
                },
                driver: self.driver(robot, joint, &own)?,
            });
        }
        let mut description = Description {
            joints,
            variables,
            tip: pending,
        };
        self.narrow(path, &mut description)?;
        Ok(description)
    }

    /// What moves `joint`: itself, or at the end of a row of mimics the joint that they follow.
    fn driver(
        &self,
        robot: &urdf_rs::Robot,
        joint: &urdf_rs::Joint,
        own: &[&urdf_rs::Joint],
    ) -> Result<Driver, DescriptionError> {
        let (mut at, mut multiplier, mut offset) = (joint, 1.0, 0.0);
        for _ in 0..=robot.joints.len() {
            let Some(mimic) = &at.mimic else {
                let variable = own.iter().position(|other| other.name == at.name);
                let variable = variable.ok_or_else(|| {
                    self.error(
                        format!(
                            "joint `{}` follows `{}`, which is not between the links",
                            joint.name, at.name
                        ),
                        "name links with both between them, or fix the joint",
                    )
                })?;
                return Ok(Driver {
                    variable,
                    multiplier,
                    offset,
                });
            };
            let (by, and) = (mimic.multiplier.unwrap_or(1.0), mimic.offset.unwrap_or(0.0));
            if !(by.is_finite() && and.is_finite()) {
                return Err(self.error(
                    format!("joint `{}` has a <mimic> that is not finite", at.name),
                    "correct its multiplier and offset",
                ));
            }
            // multiplier · (by · leader + and) + offset
            offset += multiplier * and;
            multiplier *= by;
            // That the leader is there was checked.
            let leader = robot.joints.iter().find(|other| other.name == mimic.joint);
            at = leader.unwrap_or(at);
        }
        Err(self.error(
            format!("joint `{}` mimics itself in the end", joint.name),
            "correct the <mimic> elements",
        ))
    }

    fn variable(&self, joint: &urdf_rs::Joint) -> Result<Variable, DescriptionError> {
        let name = &joint.name;
        let (lower, upper) = self.span(joint)?;
        let velocity = joint.limit.velocity;
        if !(velocity.is_finite() && velocity > 0.0) {
            return Err(self.error(
                format!("joint `{name}` has no speed limit above zero"),
                "give it a <limit> with velocity in rad/s or m/s",
            ));
        }
        Ok(Variable {
            name: name.clone(),
            lower,
            upper,
            velocity,
        })
    }

    /// The positions that the URDF lets `joint` take.
    fn span(&self, joint: &urdf_rs::Joint) -> Result<(f64, f64), DescriptionError> {
        use urdf_rs::JointType;
        let name = &joint.name;
        let (lower, upper) = (joint.limit.lower, joint.limit.upper);
        match joint.joint_type {
            JointType::Continuous => Ok((f64::NEG_INFINITY, f64::INFINITY)),
            JointType::Revolute | JointType::Prismatic
                if lower.is_finite() && upper.is_finite() && lower < upper =>
            {
                Ok((lower, upper))
            }
            JointType::Revolute | JointType::Prismatic => Err(self.error(
                format!("joint `{name}` has the limits {lower} to {upper}"),
                "give it a <limit> with lower < upper, in radians or metres",
            )),
            JointType::Fixed | JointType::Floating | JointType::Planar | JointType::Spherical => {
                Err(self.error(
                    format!("joint `{name}` has a type that is not solved"),
                    "revolute, continuous, prismatic and fixed joints are",
                ))
            }
        }
    }

    /// A joint that follows another takes its own limits along: the variable is narrowed to where
    /// all that follow it are inside theirs.
    fn narrow(
        &self,
        path: &[(&urdf_rs::Joint, Joint)],
        description: &mut Description,
    ) -> Result<(), DescriptionError> {
        for named in &description.joints {
            let Some((joint, _)) = path.iter().find(|(joint, _)| joint.name == named.name) else {
                continue;
            };
            let Driver {
                variable,
                multiplier,
                offset,
            } = named.driver;
            if joint.mimic.is_none() || multiplier == 0.0 {
                continue;
            }
            let (lower, upper) = self.span(joint)?;
            let (one, other) = ((lower - offset) / multiplier, (upper - offset) / multiplier);
            if let Some(variable) = description.variables.get_mut(variable) {
                variable.lower = variable.lower.max(one.min(other));
                variable.upper = variable.upper.min(one.max(other));
                let room = variable.lower < variable.upper;
                if !room {
                    return Err(self.error(
                        format!(
                            "joint `{}` leaves `{}`, which it follows, no range",
                            named.name, variable.name
                        ),
                        "correct their limits",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// `path` as a robot of its own, without limits and mimics: `k` panics on wrong ones, and they are
/// read here.
fn geometry_alone(robot: &urdf_rs::Robot, path: &[&urdf_rs::Joint]) -> urdf_rs::Robot {
    let joints = path.iter().map(|joint| urdf_rs::Joint {
        mimic: None,
        limit: urdf_rs::JointLimit::default(),
        ..(*joint).clone()
    });
    urdf_rs::Robot {
        joints: joints.collect(),
        ..robot.clone()
    }
}

#[cfg(test)]
mod tests;
