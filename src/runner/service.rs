//! Keeps the arm's service book while a run goes on.
//!
//! Owns the thread that writes it. A book that can't be written stops no arm: hours are kept in memory
//! until it can.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use heapless::Vec;

use super::setup::ArmSetup;
use crate::cell::Reminder;
use crate::messages::{FromGuard, MAX_SERVICE, ServiceDue};
use crate::service::{Book, BookError, Count, Standing, Usage};

/// How often it is written: so much is lost when the machine loses its power.
const EVERY: Duration = Duration::from_secs(30);

/// What is due.
pub(super) type Due = Vec<ServiceDue, MAX_SERVICE>;

/// The book being kept.
#[derive(Debug)]
pub(super) struct Service {
    shared: Arc<Shared>,
    closing: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    joints: std::vec::Vec<String>,
    reminders: std::vec::Vec<Reminder>,
    count: Mutex<Count>,
    due: Mutex<Due>,
    /// It could not be written, and that was said.
    told: AtomicBool,
}

impl Service {
    /// Opens the book of `arm`, and says what is due.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn open(arm: &ArmSetup) -> std::io::Result<Service> {
        let joints = arm.arm.model.names().to_vec();
        let shared = Arc::new(Shared {
            path: Book::path(&arm.cell.arm.calibration),
            count: Mutex::new(Count::new(joints.len())),
            joints,
            reminders: arm.cell.service.clone(),
            due: Mutex::default(),
            told: AtomicBool::new(false),
        });
        if let Some(book) = shared.take(Book::read(&shared.path)) {
            let cell = arm.cell.file.display();
            let standings = shared.reminders.iter().map(|it| book.standing(it));
            for due in standings.filter(Standing::due) {
                let name = &due.reminder.name;
                tracing::warn!(
                    "service: {name} is due: {due}; once it is done: `surehand service {cell} --done {name}`"
                );
            }
        }
        let (closing, closed) = channel();
        let writes = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("service".into())
            .spawn(move || {
                while closed.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    writes.save();
                }
            })?;
        Ok(Service {
            shared,
            closing: Some(closing),
            thread: Some(thread),
        })
    }

    /// Takes in what the guard told.
    pub(super) fn hear(&self, message: &FromGuard) {
        match message {
            FromGuard::Telemetry(telemetry) => locked(&self.shared.count).tick(telemetry),
            FromGuard::Asked(asked) => locked(&self.shared.count).asked(asked),
            FromGuard::Welcome { .. }
            | FromGuard::Refused(_)
            | FromGuard::Held(_)
            | FromGuard::Done(_)
            | FromGuard::Status(_) => {}
        }
    }

    /// What is due, as the book stood when it was last written.
    pub(super) fn due(&self) -> Due {
        locked(&self.shared.due).clone()
    }

    /// Writes what has come together.
    pub(super) fn save(&self) {
        self.shared.save();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.closing = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn save(&self) {
        let used = locked(&self.count).take();
        let book = if used.iter().all(|used| *used == Usage::default()) {
            // Somebody may have noted something as done.
            Book::read(&self.path)
        } else {
            Book::update(&self.path, |book| book.add(&self.joints, &used))
        };
        if self.take(book).is_none() {
            locked(&self.count).put_back(&used);
        }
    }

    /// Keeps what is due by `book`.
    fn take(&self, book: Result<Book, BookError>) -> Option<Book> {
        let book = match book {
            Ok(book) => book,
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!("the arm's hours are not written down: {error}");
                }
                return None;
            }
        };
        self.told.store(false, Ordering::Relaxed);
        let standings = self.reminders.iter().map(|it| book.standing(it));
        let due = standings.filter(Standing::due).take(MAX_SERVICE);
        let due = due.map(|it| ServiceDue::new(&it.reminder.name, &it.reminder.say));
        *locked(&self.due) = due.collect();
        Some(book)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding it left plain data behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
