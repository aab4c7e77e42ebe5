//! What the planner watches while a policy leads, and what it does about it.
//!
//! Owns the measurements: they are taken after a plan was sent, so that they keep none waiting. Warns,
//! slows plans down and pauses, as the cell says; stopping is the guard's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::arms::CellLink;
use super::super::chunks::{Apart, Chunks};
use super::super::monitors::Monitors;
use crate::camera::{Cameras, Frame, Look};
use crate::messages::{Raised, Then, Watch};
use crate::policy::finding::Severity;
use crate::policy::{Observation, Policy};
use crate::realtime;
use crate::record::audit::Audit;
use crate::units::MonoTime;

/// Plans that are slowed down take so many times their time.
pub(super) const SLOWER: f64 = 2.0;
/// A pause that was not granted is asked for again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// A camera's usual sharpness follows its pictures by this share of the way a picture.
const FOLLOWS: f64 = 0.05;

/// The monitors with what they need to measure and to tell.
pub struct Watching {
    monitors: Monitors,
    audit: Option<Arc<Audit>>,
    /// The usual sharpness of each camera's pictures.
    usual: Vec<Option<f64>>,
    told: Vec<Raised>,
    /// The policy has not seen anything yet.
    first: bool,
    /// When a pause is asked for again: an operator who holds control keeps the first from being
    /// granted.
    pause_at: Option<MonoTime>,
}

impl Watching {
    /// Watches by `monitors`, and writes what it finds into `audit`.
    #[must_use]
    pub fn new(monitors: Monitors, audit: Option<Arc<Audit>>) -> Watching {
        Watching {
            monitors,
            audit,
            usual: Vec::new(),
            told: Vec::new(),
            first: true,
            pause_at: None,
        }
    }

    /// A policy begins to lead.
    pub(super) fn begin(&mut self, link: &CellLink) {
        self.monitors.restart();
        self.pause_at = None;
        self.tell(link);
    }

    /// Whether plans are to take longer.
    pub(super) fn slow(&self) -> bool {
        self.monitors.slow()
    }

    /// What is so wrong with what a policy sees first that it must not lead: nothing after that.
    pub(super) fn refuses(
        &mut self,
        policy: &Policy,
        observation: &Observation<'_>,
        frames: &[Frame],
    ) -> Option<String> {
        if !self.first {
            return None;
        }
        let mut error = None;
        for finding in policy.wrong_setup(observation, &looks(frames)) {
            match finding.severity {
                Severity::Error => {
                    error.get_or_insert(finding.to_string());
                }
                Severity::Warning => tracing::warn!("{finding}"),
            }
        }
        // One that is refused is looked at again: the pause may take a while to be granted.
        self.first = error.is_some();
        error
    }

    /// What is known at any time.
    pub(super) fn look(
        &mut self,
        link: &CellLink,
        chunks: &[Chunks],
        cameras: &Cameras,
        now: MonoTime,
    ) {
        if let Some(seen) = chunks.iter().filter_map(|it| it.seen_at(now)).min() {
            self.note(link, Watch::Age, now.since(seen) as f64 * 1e-6, now);
        }
        self.note(link, Watch::Repeated, f64::from(cameras.repeated()), now);
        self.tell(link);
        if self.pause_at.is_some_and(|at| now >= at) {
            self.pause(link, now);
        }
    }

    /// How far a new chunk is from the one before.
    pub(super) fn joined(&mut self, link: &CellLink, apart: Option<Apart>, now: MonoTime) {
        if let Some(apart) = apart {
            self.note(link, Watch::Apart, apart.angle, now);
            self.note(link, Watch::ToolApart, apart.distance, now);
        }
    }

    /// What the policy saw.
    pub(super) fn observed(
        &mut self,
        link: &CellLink,
        policy: &Policy,
        observation: &Observation<'_>,
        frames: &[Frame],
        now: MonoTime,
    ) {
        let looks = looks(frames);
        let least = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::min);
        if let Some(contrast) = least(&mut looks.iter().map(|look| look.contrast)) {
            self.note(link, Watch::Blank, contrast, now);
        }
        let shares = self.sharpness(&looks);
        if let Some(share) = least(&mut shares.into_iter()) {
            self.note(link, Watch::Blurred, share, now);
        }
        let (state, pictures) = policy.unfamiliar(observation, &looks);
        for (what, value) in [(Watch::State, state), (Watch::Pictures, pictures)] {
            if let Some(value) = value {
                self.note(link, what, value, now);
            }
        }
        self.tell(link);
    }

    /// The sharpness of each picture as a share of what it usually is. A blurred one does not make
    /// blur the usual.
    fn sharpness(&mut self, looks: &[Look]) -> Vec<f64> {
        self.usual.resize(looks.len(), None);
        let pairs = looks.iter().zip(&mut self.usual);
        pairs
            .map(|(look, usual)| {
                let before = usual.unwrap_or(look.sharpness);
                let share = look.sharpness / before.max(1e-6);
                if share > 0.7 {
                    *usual = Some(before + (look.sharpness - before) * FOLLOWS);
                }
                share
            })
            .collect()
    }

    fn note(&mut self, link: &CellLink, what: Watch, value: f64, now: MonoTime) {
        let Some(raised) = self.monitors.note(what, value, now) else {
            return;
        };
        tracing::warn!("{raised}");
        if let Some(audit) = &self.audit {
            audit.add(
                "watch",
                &json!({
                    "what": what.key(),
                    "value": raised.value,
                    "limit": raised.limit,
                    "then": raised.then.word(),
                    "text": raised.to_string(),
                }),
            );
        }
        if raised.then == Then::Hold {
            self.pause(link, now);
        }
    }

    fn pause(&mut self, link: &CellLink, now: MonoTime) {
        link.pause();
        self.pause_at = Some(MonoTime(now.0 + realtime::nanos(AGAIN)));
    }

    /// Tells the guard, for whoever asks it, when another thing is raised than was told.
    fn tell(&mut self, link: &CellLink) {
        let raised: Vec<Raised> = self.monitors.raised().collect();
        if raised != self.told {
            link.report(|report| report.watch = raised.iter().copied().collect());
            self.told = raised;
        }
    }
}

fn looks(frames: &[Frame]) -> Vec<Look> {
    let each = frames.iter();
    each.map(|frame| Look::of(frame.image.width() as usize, frame.image.data()))
        .collect()
}
