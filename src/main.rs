//! The command line of `aiplatform`.
fn main() {
    println!("{}", aiplatform::crd::yaml().unwrap_or_default());
}
