//! The schema of the checked-in definition as JSON: reading it takes a command a hundredth of the time that deriving
//! it from the types does. A test holds that both are the same.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

const DEFINITION: &str = "../crds/aiplatform.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DEFINITION}");
    let definition: Value = serde_saphyr::from_str(&fs::read_to_string(DEFINITION)?)?;
    let schema = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .ok_or_else(|| format!("{DEFINITION} has no schema: run make generate"))?;
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    Ok(fs::write(Path::new(&folder).join("schema.json"), serde_json::to_vec(schema)?)?)
}
