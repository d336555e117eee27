//! Generates the Rust of the wire messages from their `.proto` files, without `protoc`.
//!
//! The result is checked in, so that who builds `amop-wire` needs neither this crate nor a
//! compiler for protobuf. The text depends on the `.proto` files and `Cargo.lock` alone, which is
//! what lets `--check` compare it byte by byte. Comments of the `.proto` files stay there: they
//! are written for the protocol, and rustdoc would misread them.

use crate::workspace::slashed;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The `codegen` command.
#[derive(Debug, clap::Args)]
pub(crate) struct Codegen {
    /// Write nothing; fail when the checked-in file is stale.
    #[arg(long)]
    check: bool,
}

impl Codegen {
    /// Brings the checked-in file up to date, or checks that it is.
    ///
    /// # Errors
    ///
    /// Fails when a `.proto` file does not compile, and with `--check` when the file is stale.
    pub(crate) fn run(&self, root: &Path) -> Result<()> {
        let generated = generate(root)?;
        let is_current = is_checked_in(root, &generated)?;
        if self.check {
            ensure!(is_current, "{GENERATED} is stale; run `{MEND}`");
        } else if !is_current {
            fs::write(root.join(GENERATED), generated)
                .with_context(|| format!("cannot write {GENERATED}"))?;
            println!("wrote {GENERATED}");
        }
        Ok(())
    }
}

/// Says whether the checked-in file is what its `.proto` files give.
///
/// # Errors
///
/// Fails when a `.proto` file does not compile or a file cannot be read.
pub(crate) fn is_current(root: &Path) -> Result<bool> {
    is_checked_in(root, &generate(root)?)
}

/// The checked-in file, from the root.
pub(crate) const GENERATED: &str = "crates/amop-wire/src/generated.rs";

/// The command that mends a stale file.
pub(crate) const MEND: &str = "cargo xtask codegen";

/// How a generated file starts; what starts so is exempt from the rules for written files.
pub(crate) const GENERATED_MARK: &str = "// @generated";

fn is_checked_in(root: &Path, generated: &str) -> Result<bool> {
    match fs::read_to_string(root.join(GENERATED)) {
        Ok(checked_in) => Ok(checked_in == generated),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read {GENERATED}")),
    }
}

fn generate(root: &Path) -> Result<String> {
    let protos = proto_files(root)?;
    // The text of protox's error lacks the file, which its debug form names with line and column.
    let descriptors = protox::compile(protos, [root.join(PROTO_ROOT)])
        .map_err(|error| anyhow!("cannot compile the .proto files\n{error:?}"))?;
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| (prost_build::Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let modules = prost_build::Config::new()
        .bytes(["."])
        .disable_comments(["."])
        .generate(requests)
        .context("cannot generate Rust from the .proto files")?;
    let mut modules = modules.into_iter();
    let (Some((_, messages)), None) = (modules.next(), modules.next()) else {
        bail!("the files under {PROTO_DIR} must declare messages of one package, amop.v1");
    };
    format(root, &format!("{HEADER}\n{messages}"))
}

fn proto_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(root.join(PROTO_DIR)).with_context(|| format!("cannot list {PROTO_DIR}"))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {PROTO_DIR}"))?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "there is no .proto file under {PROTO_DIR}");
    // Directories list their files in any order; the text must not depend on it.
    files.sort_by_key(|path| slashed(path));
    Ok(files)
}

/// Formats as `cargo fmt` would, whose settings rustfmt finds in the current directory.
fn format(root: &Path, text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    let mut input = rustfmt.stdin.take().context("rustfmt has no input")?;
    // Rustfmt reads all before it writes anything, so this cannot wait for a full pipe.
    input.write_all(text.as_bytes()).context("rustfmt stopped reading")?;
    drop(input);
    let output = rustfmt.wait_with_output().context("rustfmt was lost")?;
    ensure!(output.status.success(), "rustfmt refused the generated text");
    String::from_utf8(output.stdout).context("rustfmt wrote no UTF-8")
}

const PROTO_ROOT: &str = "proto";

const PROTO_DIR: &str = "proto/amop/v1";

const HEADER: &str = "// @generated by cargo xtask codegen from proto/amop/v1; do not edit.";

#[cfg(test)]
mod tests {
    use super::{Codegen, GENERATED, GENERATED_MARK, HEADER, PROTO_DIR, generate, is_current};
    use std::{fs, path::Path};
    use tempfile::TempDir;

    #[test]
    fn messages_become_rust_with_shared_bytes_and_without_comments() {
        let root = root_with(&[("b.proto", HELLO), ("a.proto", FRAME)]);

        let text = generate(root.path()).unwrap();

        assert!(text.starts_with(&format!("{HEADER}\n")), "{text}");
        assert!(HEADER.starts_with(GENERATED_MARK));
        assert!(text.contains("pub struct Hello {"), "{text}");
        assert!(text.contains("pub payload: ::prost::bytes::Bytes"), "{text}");
        assert!(text.contains("pub hello: ::core::option::Option<Hello>"), "{text}");
        assert!(!text.contains("A greeting"), "{text}");
        assert_eq!(text, generate(root.path()).unwrap());
    }

    #[test]
    fn the_check_fails_until_the_file_is_written_and_writes_nothing() {
        let root = root_with(&[("hello.proto", HELLO)]);

        let error = check(root.path()).unwrap_err().to_string();
        assert_eq!(error, "crates/amop-wire/src/generated.rs is stale; run `cargo xtask codegen`");
        assert!(!root.path().join(GENERATED).exists());

        Codegen { check: false }.run(root.path()).unwrap();
        check(root.path()).unwrap();
        assert!(is_current(root.path()).unwrap());

        let more = HELLO.replace("}", "  uint32 version = 2;\n}");
        fs::write(root.path().join(PROTO_DIR).join("hello.proto"), more).unwrap();
        check(root.path()).unwrap_err();
        assert!(!is_current(root.path()).unwrap());
    }

    #[test]
    fn a_file_that_does_not_compile_is_named_with_its_line() {
        let root = root_with(&[("hello.proto", "syntax = \"proto3\";\nmessage {}")]);
        let error = generate(root.path()).unwrap_err().to_string();
        assert!(error.contains("hello.proto:2:9"), "{error}");
    }

    #[test]
    fn files_of_two_packages_or_of_none_are_refused() {
        let stray = HELLO.replace("amop.v1", "amop.v2");
        let root = root_with(&[("hello.proto", HELLO), ("stray.proto", &stray)]);
        let error = generate(root.path()).unwrap_err().to_string();
        assert!(error.contains("one package, amop.v1"), "{error}");

        let error = generate(root_with(&[]).path()).unwrap_err().to_string();
        assert_eq!(error, "there is no .proto file under proto/amop/v1");
    }

    fn check(root: &Path) -> anyhow::Result<()> {
        Codegen { check: true }.run(root)
    }

    fn root_with(protos: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("crates/amop-wire/src")).unwrap();
        fs::create_dir_all(root.path().join(PROTO_DIR)).unwrap();
        for (name, text) in protos {
            fs::write(root.path().join(PROTO_DIR).join(name), text).unwrap();
        }
        root
    }

    const HELLO: &str = "syntax = \"proto3\";
package amop.v1;

// A greeting with [brackets] that rustdoc would take for links.
message Hello {
  bytes payload = 1;
}
";

    const FRAME: &str = "syntax = \"proto3\";
package amop.v1;

import \"amop/v1/b.proto\";

message Frame {
  Hello hello = 1;
}
";
}
