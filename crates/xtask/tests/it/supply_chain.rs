//! What may come into the graph of dependencies: from where, under which licence, and what may not at all.
//!
//! Tests and not a `deny.toml`, because they run with nothing but cargo. They know no advisories: those need a database
//! from the network.

use cargo_metadata::semver::VersionReq;
use spdx::{Expression, ParseMode};

use crate::support::{assert_none, metadata};

/// The licences that the graph needs now. All are permissive; one that is not here is looked at before it enters.
const LICENCES: &[&str] =
    &["Apache-2.0", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "MIT-0", "PostgreSQL", "Unicode-3.0", "Zlib"];

/// What must not be in the graph, and why.
const BANNED: &[(&str, &str, &str)] = &[
    ("openssl-sys", "*", "needs OpenSSL's headers where it is built; TLS is rustls"),
    ("native-tls", "*", "another TLS on each platform; TLS is rustls"),
    ("h2", "<0.4", "RUSTSEC-2026-0258; actix-web is used without `http2`"),
    ("rsa", "*", "RUSTSEC-2023-0071; signatures come from aws-lc"),
    ("libsqlite3-sys", "<0.38", "two SQLites cannot be linked into one program"),
];

#[test]
fn every_licence_is_permissive() {
    let mut problems = Vec::new();
    for package in &metadata().packages {
        let Some(licence) = &package.license else {
            problems.push(format!("{} {} names no licence", package.name, package.version));
            continue;
        };
        // Lax: older manifests write `MIT/Apache-2.0`.
        let permitted = Expression::parse_mode(licence, ParseMode::LAX).map(|expression| {
            expression.evaluate(|requirement| {
                // An exception (`WITH …`) only ever permits more than the licence without it.
                requirement.license.id().is_some_and(|id| LICENCES.contains(&id.name))
            })
        });
        match permitted {
            Ok(true) => {}
            Ok(false) => problems.push(format!("{} {} is under {licence}", package.name, package.version)),
            Err(error) => problems.push(format!("{} {}: {}", package.name, package.version, error.reason)),
        }
    }
    assert_none(&problems, "choose another library; a permissive licence that is missing here is added to LICENCES");
}

#[test]
fn everything_comes_from_the_public_registry() {
    let problems: Vec<String> = metadata()
        .packages
        .iter()
        .filter_map(|package| {
            let source = package.source.as_ref()?;
            (!source.is_crates_io()).then(|| format!("{} {} comes from {source}", package.name, package.version))
        })
        .collect();
    assert_none(&problems, "use a released version from crates.io");
}

#[test]
fn nothing_banned_is_in_the_graph() {
    let mut problems = Vec::new();
    for (name, versions, reason) in BANNED {
        let versions = VersionReq::parse(versions).unwrap();
        for package in metadata().packages.iter().filter(|package| package.name.as_str() == *name) {
            if versions.matches(&package.version) {
                problems.push(format!("{name} {}: {reason}", package.version));
            }
        }
    }
    assert_none(
        &problems,
        "`cargo tree --workspace --target all -i NAME` shows who brings it: switch that feature off",
    );
}

#[test]
fn nothing_in_the_graph_is_a_pre_release() {
    let problems: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| !package.version.pre.is_empty())
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert_none(&problems, "use a released version");
}
