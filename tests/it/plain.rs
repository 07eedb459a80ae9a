//! A ClickHouse server of somebody else's: a user with a password and few grants, settings of the profile, and bounds on them.

use std::path::Path;

use moose_runtime::{app::App, config::Config, declare::Program};
use moose_tests::{
    engine::{self, Plain},
    http,
    pipelines::NUMBERS,
    wait::eventually,
};
use tempfile::TempDir;

use crate::stage::{LATE, PIPELINE, post_numbers};

const PROGRAM: Program = Program { name: "test", version: "0", schema: None };

fn config(directory: &TempDir, url: &str, password: &str) -> Config {
    let mut config = Config { data_dir: directory.path().join("data"), ..Config::default() };
    config.http.listen.set_port(0);
    config.management.listen.set_port(0);
    config.clickhouse.url = Some(url.to_owned());
    "app".clone_into(&mut config.clickhouse.user);
    password.clone_into(&mut config.clickhouse.password);
    "moose".clone_into(&mut config.clickhouse.database);
    config
}

#[tokio::test]
async fn a_pipeline_comes_in_with_its_password_alone_and_is_exact_under_the_servers_bounds() {
    let directory = TempDir::new().expect("a temporary directory");
    let grants = [
        "GRANT ALL ON moose.*",
        "GRANT SELECT ON system.*",
        "GRANT CREATE TEMPORARY TABLE, KILL QUERY ON *.*",
        "GRANT TABLE ENGINE ON *",
    ];
    let plain = Plain::default()
        .user("app", "a-password", &grants)
        .setting("max_insert_threads", "4")
        .setting("async_insert", "1")
        .constraint("max_memory_usage", "<max>2000000000</max>");
    let server = engine::start_as(Path::new(PIPELINE), &directory.path().join("server"), &plain).await;
    let start = |password: &'static str| {
        let app = App::new(PROGRAM).resources(&[&NUMBERS]);
        app.config(config(&directory, &server.url(), password)).engine_program(PIPELINE).start()
    };
    let refused = format!("{:?}", start("another").await.expect_err("nobody comes in with another password"));
    assert!(refused.contains("516") && !refused.contains("another"), "{refused}");
    let app = start("a-password").await.expect("its own password");
    post_numbers(&app, 0..2000).await;
    let url = format!("{}/?database=moose&user=app&password=a-password", server.url());
    eventually(LATE, || async {
        let found = http::sql(&url, "SELECT count(), uniqExact(id) FROM numbers").await;
        if found == "2000\t2000" { Ok(()) } else { Err(format!("{found} {:?}", app.health().failures())) }
    })
    .await;
    app.stop().await.expect("an orderly stop");
    assert!(server.stop(LATE).await, "the server ends in order");
}
