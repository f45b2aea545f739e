//! Results that nobody looks at.

use crate::{
    change::File,
    code::{Call, Function, Language},
    finding::Finding,
};

/// Functions of the C library whose result tells whether they worked.
const C: [&str; 30] = [
    "fread", "fwrite", "fopen", "fclose", "fflush", "fseek", "fgets", "fputs", "scanf", "sscanf", "fscanf",
    "read", "write", "open", "close", "malloc", "calloc", "realloc", "remove", "rename", "system", "setuid",
    "chdir", "chmod", "chown", "dup2", "pipe", "fork", "stat", "mkdir",
];
/// Methods of Java that answer with `false` where others throw.
const JAVA: [&str; 9] = [
    "delete",
    "mkdir",
    "mkdirs",
    "renameTo",
    "createNewFile",
    "setReadable",
    "setWritable",
    "setExecutable",
    "offer",
];

/// Calls whose result is thrown away.
pub(super) fn of(file: &File, function: &Function) -> Vec<Finding> {
    let Some(language) = file.language() else {
        return Vec::new();
    };
    let own = file.after.text().unwrap_or_default();
    let lost = |call: &&Call| {
        let told = call.discarded && matches!(language, Language::Rust | Language::Go);
        told || (call.alone && gives_something(language, call, own))
    };
    function
        .calls
        .iter()
        .filter(lost)
        .map(|call| {
            let message = format!("the result of `{}` is thrown away", call.name);
            super::about("results", file, function, call.line, message)
                .hint("look at it, or hand it to the caller")
        })
        .collect()
}

/// Does a call that stands alone give something that is lost then?
fn gives_something(language: Language, call: &Call, own: &str) -> bool {
    let name = call.name.as_str();
    match language {
        Language::C | Language::Cpp => C.contains(&name),
        Language::Rust => name == "ok",
        Language::Go => go_returns_error(own, name),
        Language::Java => JAVA.contains(&name),
        Language::JavaScript | Language::TypeScript | Language::Tsx => !call.awaited && is_async(own, name),
        Language::Python => !call.awaited && has(own, &["async def ", name, "("]),
    }
}

/// Is there a function of this name in the file whose last result is an error?
fn go_returns_error(text: &str, name: &str) -> bool {
    let head = |line: &&str| line.starts_with("func ") && line.contains(&format!("{name}("));
    text.lines().filter(head).any(|line| {
        let signature = line.split(" {").next().unwrap_or(line).trim_end();
        signature.trim_end_matches(')').ends_with("error")
    })
}

fn is_async(text: &str, name: &str) -> bool {
    has(text, &["async function ", name, "("])
        || has(text, &["async ", name, "("])
        || has(text, &["const ", name, " = async"])
}

fn has(text: &str, parts: &[&str]) -> bool {
    text.contains(&parts.concat())
}
