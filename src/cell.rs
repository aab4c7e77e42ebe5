//! The cell file.
