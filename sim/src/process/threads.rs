//! Threads that end with what owns them. Owns the word that tells them to; never what they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::SimError;

/// Tells every thread to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A thread that looks at its [`Stop`] often; dropping this sets it and waits for the end.
#[derive(Debug)]
pub(super) struct Thread {
    stop: Stop,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts `work`, which returns soon after `stop` is set.
    pub(super) fn start(
        name: &'static str,
        stop: Stop,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<Thread, SimError> {
        let handle = std::thread::Builder::new()
            .name(name.into())
            .spawn(work)
            .map_err(|source| SimError::Start { what: name, source })?;
        let handle = Some(handle);
        Ok(Thread { stop, handle })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}
