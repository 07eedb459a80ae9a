//! The state that all requests of the front door share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use prometheus_client::metrics::counter::Counter;

use super::seldom::Seldom;
use crate::{
    config::HttpConfig,
    inlet::Inlet,
    memory::Share,
    record::ErrorCode,
    telemetry::{ApiLabel, Component, Health, Metrics, RejectionLabel},
};

/// State that all requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) apis: BTreeMap<String, Arc<Api>>,
    pub(super) health: Arc<Health>,
    pub(super) seldom: Seldom,
    pub(super) http: HttpConfig,
    pub(super) memory: Share,
    pub(super) body_pause: Duration,
}

/// An ingest API in service.
#[derive(Debug)]
pub(super) struct Api {
    /// The last part of the path, and the label in the metrics.
    pub(super) name: String,
    /// Where its records go.
    pub(super) inlet: Inlet,
    /// The component in health that shows failures of its stream.
    pub(super) stream: Component,
    accepted: Counter,
    rejected: BTreeMap<ErrorCode, Counter>,
}

impl Api {
    pub(super) fn new(name: String, inlet: Inlet, metrics: &Metrics) -> Self {
        // Created now, so that an API that was never used is in the metrics too.
        let accepted = metrics.records_accepted.get_or_create_owned(&ApiLabel { api: name.clone() });
        let counter = |code: &ErrorCode| {
            let label = RejectionLabel { api: name.clone(), reason: code.name() };
            (*code, metrics.records_rejected.get_or_create_owned(&label))
        };
        let rejected = ErrorCode::ALL.iter().map(counter).collect();
        Self { stream: Component::Stream { stream: inlet.topic().to_owned() }, name, inlet, accepted, rejected }
    }

    pub(super) fn count(&self, accepted: usize, rejected: &BTreeMap<ErrorCode, usize>) {
        self.accepted.inc_by(accepted as u64);
        for (code, records) in rejected {
            if let Some(counter) = self.rejected.get(code) {
                counter.inc_by(*records as u64);
            }
        }
    }
}
