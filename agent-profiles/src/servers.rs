//! The servers that a repository names for its agents: `.mcp.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::driver::McpServer;

/// Longest file that is read, in bytes.
pub const LENGTH: usize = 256 * 1024;
/// Most servers of one repository.
pub const SERVERS: usize = 32;

/// What a file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// Those that an agent is given: programs that it starts.
    pub given: Vec<McpServer>,
    /// Those that it is not given, each with why.
    pub left_out: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "mcpServers", default)]
    servers: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Program {
    command: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Reads the text of the file. `own` is the name that the runtime's own server has: nobody else's.
///
/// # Errors
/// When it is not JSON of that form; says where.
pub fn read(text: &str, own: &str) -> Result<Servers, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    let mut servers = Servers::default();
    for (name, said) in file.servers {
        match serde_json::from_value::<Program>(said) {
            _ if name == own => servers
                .left_out
                .push(format!("{name}: the runtime's own server has that name")),
            _ if servers.given.len() >= SERVERS => {
                servers
                    .left_out
                    .push(format!("{name}: more than {SERVERS} servers"));
            }
            Ok(Program { command, args, env }) => servers.given.push(McpServer {
                name,
                command,
                args,
                env,
            }),
            Err(_) => servers
                .left_out
                .push(format!("{name}: it is not a program to be started")),
        }
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_given_and_the_rest_is_named() {
        let text = r#"{"mcpServers": {
            "files": {"type": "stdio", "command": "npx", "args": ["-y", "files"], "env": {"A": "b"}},
            "far": {"type": "http", "url": "https://example.org/mcp"},
            "worknode": {"command": "sh"}
        }}"#;
        let servers = read(text, "worknode").unwrap();
        assert_eq!(servers.given.len(), 1);
        assert_eq!(
            (servers.given[0].name.as_str(), servers.given[0].env["A"].as_str()),
            ("files", "b")
        );
        assert_eq!(servers.left_out.len(), 2, "{:?}", servers.left_out);
        assert_eq!(read("{}", "worknode").unwrap(), Servers::default());
        assert!(read("[", "worknode").is_err());
    }

    #[test]
    fn p8_no_more_than_a_few() {
        let many: Vec<String> = (0..40)
            .map(|n| format!(r#""s{n}": {{"command": "x"}}"#))
            .collect();
        let text = format!(r#"{{"mcpServers": {{{}}}}}"#, many.join(","));
        let servers = read(&text, "worknode").unwrap();
        assert_eq!((servers.given.len(), servers.left_out.len()), (SERVERS, 8));
    }
}
