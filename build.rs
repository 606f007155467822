//! Tells the crate the numbers of its migrations, so that `/health` can name those that a database
//! lacks, and how it is built, which `/api/v1/utils/info` tells.

use std::path::Path;
use std::{env, fs};

#[expect(clippy::disallowed_methods, reason = "cargo tells so where to write")]
fn main() {
    println!("cargo:rerun-if-changed=migrations");
    let said = |name: &str| env::var(name).expect("cargo sets it");
    println!("cargo:rustc-env=BUILD_PROFILE={}", said("PROFILE"));
    println!("cargo:rustc-env=BUILD_TARGET={}", said("TARGET"));
    let names = fs::read_dir("migrations").expect("migrations/ can be listed");
    let names = names.map(|entry| entry.expect("an entry can be read").file_name());
    let number = |name: &str| name.split('_').next().and_then(|digits| digits.parse::<i64>().ok());
    let mut numbers: Vec<i64> = names
        .filter_map(|name| name.to_str().filter(|name| name.ends_with(".sql")).map(str::to_owned))
        .map(|name| number(&name).expect("a migration is NNNN_name.sql"))
        .collect();
    numbers.sort_unstable();
    let file = Path::new(&said("OUT_DIR")).join("migrations.rs");
    fs::write(file, format!("&{numbers:?}")).expect("cargo's folder can be written to");
}
