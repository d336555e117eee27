//! Writes commands that work when they are typed into a shell.

use std::env;
use std::path::{Path, PathBuf};

/// The command that starts one of our programs: the bare name if the shell finds it, else the file
/// beside this program, else what cargo makes of it.
pub(crate) fn program(name: &str) -> String {
    let beside = env::current_exe().ok().and_then(|own| own.parent().map(|dir| dir.join(name)));
    let beside = beside.filter(|path| path.is_file());
    match (in_path(name), beside) {
        (Some(found), Some(beside)) if found == beside => name.to_owned(),
        (_, Some(beside)) => quote(&beside),
        (Some(_), None) => name.to_owned(),
        (None, None) => format!("cargo run --release --bin {name} --"),
    }
}

/// A path as one word of a shell.
pub(crate) fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+,:=@%".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_path_is_one_word() {
        assert_eq!(quote(Path::new("/a-b/c.d_e")), "/a-b/c.d_e");
        assert_eq!(quote(Path::new("a b")), "'a b'");
        assert_eq!(quote(Path::new("it's")), r"'it'\''s'");
        assert_eq!(quote(Path::new("")), "''");
        assert_eq!(quote(Path::new("$(x)")), "'$(x)'");
    }
}
