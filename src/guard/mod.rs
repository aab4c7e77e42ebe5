//! The guard: sole owner of the serial port; one real-time thread; the shell around control and bus.

mod clients;
mod stats;
