//! `aiplatform`: nothing but an entry, and the heap that the program uses.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    aiplatform::cli::main()
}
