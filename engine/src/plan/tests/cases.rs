//! Readable cases, as folders. Being written.
