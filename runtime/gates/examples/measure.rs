//! Prints what is measured of each function in the files named on standard input, as one JSON
//! object a line, and the time of the measuring alone at the end. For comparisons.

use std::io::{BufRead, Write};
use std::time::Instant;

use worknode_gates::code::{Language, read};

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut spent = std::time::Duration::ZERO;
    let (mut lines, mut bytes) = (0, 0);
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let Ok(text) = String::from_utf8(std::fs::read(&path)?) else {
            continue;
        };
        let Some(language) = Language::of(&path, &text) else {
            continue;
        };
        let begun = Instant::now();
        let module = read(language, &text);
        spent += begun.elapsed();
        lines += text.lines().count();
        bytes += text.len();
        let Ok(module) = module else { continue };
        for function in module.functions {
            let apart = function.unmeasured;
            let told = serde_json::json!({
                "file": path, "line": function.line, "end": function.end, "name": function.path(),
                "complexity": function.complexity, "nesting": function.nesting,
                "parameters": function.parameters, "tries": apart.tries, "finals": apart.finals,
                "wheres": apart.wheres, "bars": apart.bars, "wildcards": apart.wildcards, "defaults": apart.defaults,
            });
            writeln!(out, "{told}")?;
        }
    }
    let told = serde_json::json!({ "lines": lines, "bytes": bytes, "seconds": spent.as_secs_f64() });
    writeln!(out, "{told}")
}
