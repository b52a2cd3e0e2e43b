//! Makes the wire types from the .proto file. Needs no protoc: the descriptor comes from protox.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=pointsman/v1/agent.proto");
    let descriptors = protox::compile(["pointsman/v1/agent.proto"], ["."])?;
    tonic_prost_build::configure()
        .build_transport(false)
        // Holds a one-time token: nobody may print it by accident.
        .skip_debug(["pointsman.v1.EnrolRequest"])
        .codec_path("crate::SmallCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
