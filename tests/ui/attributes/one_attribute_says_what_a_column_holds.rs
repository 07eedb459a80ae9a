//! A column has one of `default`, `materialized`, `alias` and `ephemeral`, in its form.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    #[olap(default = "1", materialized = "2")]
    pub both: u8,
    #[olap(alias = "1", ephemeral)]
    pub other: u8,
    #[olap(materialized)]
    pub bare: u8,
    #[olap(alias("lower(id)"))]
    pub listed: String,
    #[olap(ephemeral = 5)]
    pub number: u8,
    #[olap(default = "")]
    pub empty: u8,
}

fn main() {}
