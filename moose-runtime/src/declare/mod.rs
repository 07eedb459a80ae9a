//! The declarations: `OlapTable`, `Stream`, `IngestApi`, `IngestPipeline`, and the registry of all of them.
