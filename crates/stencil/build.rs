//! Generates the stencils from the uop bodies; see `serigraph-stencil-build`.

fn main() {
    if let Err(error) = serigraph_stencil_build::build() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
