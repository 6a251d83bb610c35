//! Makes sure that the folder of the built playground is there, so that the binary builds without npm: it then serves a
//! page that says how to build the real one.

fn main() -> std::io::Result<()> {
    std::fs::create_dir_all("playground/dist")?;
    println!("cargo::rerun-if-changed=playground/dist");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
