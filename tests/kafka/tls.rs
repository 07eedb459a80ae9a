//! A pipeline on a Kafka that is only talked to with TLS and by those with a password.

use std::{fs, path::Path, process::Command};

use moose_tests::{
    http,
    kafka::{Broker, HOST},
    process::Launch,
};

use crate::stage::{LATE, Stage};

const USER: &str = "shop";
const PASSWORD: &str = "pass for the shop";
/// What the keystore is closed with.
const STORE_PASSWORD: &str = "pass for the store";
const WRONG: &str = "pass for another shop";

#[tokio::test]
async fn an_event_goes_through_a_kafka_with_tls_and_scram() {
    let Some(stage) = Stage::on(secured_broker).await else { return };
    let mut process = secured_copy(&stage, "one", PASSWORD).start();
    let addresses = process.addresses(LATE).await;
    let event = r#"{"id":"in secret","userId":"u","timestamp":"2026-01-01T00:00:00Z","eventType":"click"}"#;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT id FROM events", "in secret").await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    assert!(!process.output().contains(PASSWORD), "{}", process.output());
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_no_password_is_shown() {
    let Some(stage) = Stage::on(secured_broker).await else { return };
    let refused = |launch: Launch, reason: &str| {
        let (status, output) = launch.environment("RUST_LOG", "debug").run();
        assert_eq!(status.code(), Some(5), "{output}");
        let told = output.lines().any(|line| line.contains("set `kafka.properties`") && line.contains(reason));
        assert!(told, "it does not say `{reason}`:\n{output}");
        assert!(![PASSWORD, WRONG].iter().any(|password| output.contains(password)), "{output}");
    };
    refused(secured_copy(&stage, "wrong-password", WRONG), "invalid credentials with SASL mechanism SCRAM-SHA-512");
    let nobody_vouches = secured_copy(&stage, "unknown-authority", PASSWORD)
        .environment("MOOSE_KAFKA__PROPERTIES__SSL__CA__LOCATION", "/etc/ssl/certs/ca-certificates.crt");
    refused(nobody_vouches, "certificate verify failed");
}

/// A copy that says who it is, all of it by its environment.
fn secured_copy(stage: &Stage, name: &str, password: &str) -> Launch {
    let authority = stage.directory.path().join("broker/authority.pem");
    stage
        .copy(name)
        .environment("MOOSE_KAFKA__PROPERTIES__SECURITY__PROTOCOL", "SASL_SSL")
        .environment("MOOSE_KAFKA__PROPERTIES__SASL__MECHANISM", "SCRAM-SHA-512")
        .environment("MOOSE_KAFKA__PROPERTIES__SASL__USERNAME", USER)
        .environment("MOOSE_KAFKA__PROPERTIES__SASL__PASSWORD", password)
        .environment("MOOSE_KAFKA__PROPERTIES__SSL__CA__LOCATION", &authority.display().to_string())
}

/// A broker whose clients need TLS and a password; its certificate is vouched for by itself, in `authority.pem`.
fn secured_broker(directory: &Path) -> Broker {
    fs::create_dir_all(directory).expect("a directory for the broker");
    let address = format!("san=ip:{HOST}");
    let store = ["-keystore", "broker.p12", "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-alias", "broker"];
    let made = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", &address, "-ext", "bc=ca:true"];
    keytool(directory, &[&made[..], &store].concat());
    keytool(directory, &[&["-exportcert", "-rfc", "-file", "authority.pem"], &store[..]].concat());

    let login = format!(
        "listener.name.clients.scram-sha-512.sasl.jaas.config=\
         org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{USER}\" password=\"{PASSWORD}\";"
    );
    let keystore = format!("ssl.keystore.location={}", directory.join("broker.p12").display());
    // The broker is a client of itself.
    let truststore = format!("ssl.truststore.location={}", directory.join("authority.pem").display());
    let store_password = format!("ssl.keystore.password={STORE_PASSWORD}");
    let user = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
    let properties = [
        "listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms=SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512",
        &login,
        "ssl.keystore.type=PKCS12",
        &keystore,
        &store_password,
        "ssl.truststore.type=PEM",
        &truststore,
    ];
    Broker::start_formatted(directory, &properties, &["--add-scram", &user])
}

fn keytool(directory: &Path, arguments: &[&str]) {
    let output = Command::new("keytool").args(arguments).current_dir(directory).output().expect("Java's keytool");
    assert!(output.status.success(), "keytool {arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
}
