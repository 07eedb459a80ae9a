//! The build-script side: the declarations, evaluated, become DDL and a fingerprint.
