//! What may be compiled into the product: each package is from the registry, under a licence that `deny.toml` allows.

use std::{path::Path, process::Command};

use serde::Deserialize;
use spdx::{Expression, LicenseReq, Licensee, ParseMode};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// The licences of `deny.toml`.
fn allowed(text: &str) -> Vec<Licensee> {
    let list = text.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(|name| Licensee::parse(name).expect("a licence of SPDX's list")).collect()
}

fn is_allowed(license: &str, allowed: &[Licensee]) -> bool {
    let may = |wanted: &LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(wanted));
    // Some write `MIT/Apache-2.0`.
    Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(may))
}

#[test]
fn what_is_compiled_in_is_from_the_registry_and_under_a_licence_that_is_allowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
    let deny = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml");
    let allowed = allowed(&deny);
    assert!(allowed.len() > 5, "the list of licences in deny.toml is found");
    assert!(is_allowed("MIT/GPL-3.0", &allowed) && is_allowed("(MIT OR GPL-3.0) AND ISC", &allowed));
    assert!(
        !is_allowed("MIT AND GPL-3.0", &allowed)
            && !is_allowed("GPL-3.0-or-later", &allowed)
            && !is_allowed("", &allowed)
    );

    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
        .current_dir(root)
        .output()
        .expect("cargo is there");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("what cargo metadata prints");
    let findings: Vec<String> = metadata
        .packages
        .iter()
        .filter_map(|Package { name, version, license, source }| {
            // Packages of this repository have no source.
            let source = source.as_deref()?;
            let license = license.as_deref().unwrap_or_default();
            if !source.starts_with("registry+") {
                return Some(format!("{name} {version} is from {source}: packages come from the registry"));
            }
            let finding =
                format!("{name} {version} is under {license:?}: look at it, then allow it in deny.toml or do without");
            (!is_allowed(license, &allowed)).then_some(finding)
        })
        .collect();
    assert!(metadata.packages.len() > 100, "{} packages", metadata.packages.len());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
