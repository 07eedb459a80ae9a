//! The front door: HTTP requests in, records in the stream out.
