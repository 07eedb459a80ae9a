//! The running application: configuration in, pipeline out.
