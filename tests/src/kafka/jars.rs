//! Apache Kafka's jars: got through Maven once per machine, and what is done where they can't be had.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use super::VERSION;

/// The broker, its command-line tools, and what its log is written with: it has nothing of its own.
const JARS: [(&str, &str, &str); 3] = [
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
];
/// The namespace of a Maven project.
const POM: &str = "http://maven.apache.org/POM/4.0.0";
/// Names the services without which tests fail instead of being skipped, divided by commas.
const REQUIRE: &str = "MOOSE_TEST_REQUIRE";

/// Whether Apache Kafka can be run. Where it can't, that is said with the test's name, past what captures the output of
/// tests.
///
/// # Panics
/// When it can't, and `MOOSE_TEST_REQUIRE` names `kafka`.
pub fn is_there() -> bool {
    let Err(reason) = found() else { return true };
    let required = std::env::var(REQUIRE).is_ok_and(|services| services.split(',').any(|name| name.trim() == "kafka"));
    assert!(!required, "Apache Kafka can't be run, and {REQUIRE} asks for it: {reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Where nobody reads the errors nobody is told.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: Apache Kafka can't be run: {reason}");
    false
}

/// Where the jars are.
///
/// # Panics
/// When they can't be had; [`is_there`] asks first.
pub(super) fn directory() -> &'static Path {
    match found() {
        Ok(place) => place,
        Err(reason) => panic!("Apache Kafka can't be run: {reason}"),
    }
}

/// The directory of the jars, fetched by whoever asks first on this machine.
fn found() -> Result<&'static Path, &'static str> {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = DIRECTORY.get_or_init(|| {
        let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        java.map_err(|error| format!("Java can't be run ({error}): install Java 17"))?;
        let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        let place = cache.join("moose/kafka").join(VERSION);
        if !JARS.iter().all(|(_, artifact, version)| place.join(format!("{artifact}-{version}.jar")).exists()) {
            fetch(&place)?;
        }
        Ok(place)
    });
    found.as_deref().map_err(String::as_str)
}

/// Gets the jars through Maven, which checks them; they appear in their place all at once.
fn fetch(place: &Path) -> Result<(), String> {
    let parent = place.parent().expect("a place in the cache");
    fs::create_dir_all(parent).expect("the cache can be written");
    let work = tempfile::tempdir_in(parent).expect("the cache can be written");
    let dependency = |(group, artifact, version): &(&str, &str, &str)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             </dependency>"
        )
    };
    let dependencies = JARS.iter().map(dependency).collect::<Vec<_>>().concat();
    let project = format!(
        "<project xmlns=\"{POM}\"><modelVersion>4.0.0</modelVersion><groupId>moose</groupId><artifactId>kafka</artifactId>\
         <version>1</version><dependencies>{dependencies}</dependencies></project>"
    );
    fs::write(work.path().join("pom.xml"), project).expect("the cache can be written");
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "--strict-checksums", "dependency:copy-dependencies", "-DoutputDirectory=lib"])
        .current_dir(work.path())
        .output();
    let output =
        fetched.map_err(|error| format!("Maven, which gets its jars, can't be run ({error}): install `maven`"))?;
    if !output.status.success() {
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(format!("Maven could not get the jars of version {VERSION}:\n{said}{errors}"));
    }
    // What is there lacks some of it, or somebody was faster and has brought the same.
    let _ = fs::remove_dir_all(place);
    if fs::rename(work.path().join("lib"), place).is_err() {
        assert!(place.exists(), "{} can't be made", place.display());
    }
    Ok(())
}
