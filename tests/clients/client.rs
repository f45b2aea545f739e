//! What a user of each client has on their machine: the program, and where its provider is.

use std::{fs, path::Path};

use serde_json::json;

use crate::stub::Stub;

/// The key that all of them have for their provider.
pub(crate) const KEY: &str = "sk-stub-0000";

/// One of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    ClaudeCode,
    Codex,
    Gemini,
    OpenCode,
}

impl Client {
    /// Its driver.
    pub(crate) const fn driver(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::OpenCode => "opencode",
        }
    }

    /// The npm package with the version that the drivers were measured with. Claude Code's own
    /// package gives an old version to a Node before 22; that of the program itself needs no Node.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::ClaudeCode => "@anthropic-ai/claude-code-linux-x64@2.1.330",
            Self::Codex => "@openai/codex@0.169.0",
            Self::Gemini => "@google/gemini-cli@0.61.0",
            Self::OpenCode => "opencode-linux-x64@1.18.34",
        }
    }

    /// The directory in `node_modules` in which its program is.
    pub(crate) const fn bin(self) -> &'static str {
        match self {
            Self::ClaudeCode => "@anthropic-ai/claude-code-linux-x64",
            Self::Codex | Self::Gemini => ".bin",
            Self::OpenCode => "opencode-linux-x64/bin",
        }
    }

    /// Its program.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::OpenCode => "opencode",
        }
    }

    /// What the agent's entry says beside its driver. OpenCode's models are the user's own.
    pub(crate) const fn entry(self) -> &'static str {
        match self {
            Self::OpenCode => "model = \"stub/stub-model\"",
            Self::ClaudeCode | Self::Codex | Self::Gemini => "",
        }
    }

    /// Makes the home of somebody who has used it before, with the stub as the provider, and says
    /// what stands in their environment.
    pub(crate) fn settle(self, home: &Path, stub: &Stub) -> Vec<(&'static str, String)> {
        let fresh = std::env::var_os("FRESH").is_some();
        let make = |name: &str| {
            if fresh {
                return;
            }
            let path = home.join(name);
            fs::create_dir_all(&path).unwrap();
        };
        let write = |name: &str, text: &str| {
            if !fresh || name.contains("opencode.json") {
                fs::create_dir_all(home.join(name).parent().unwrap()).unwrap();
                fs::write(home.join(name), text).unwrap();
            }
        };
        let key = KEY.to_owned();
        match self {
            Self::ClaudeCode => {
                make(".claude");
                write(".claude.json", r#"{"hasCompletedOnboarding":true}"#);
                vec![("ANTHROPIC_BASE_URL", stub.url()), ("ANTHROPIC_API_KEY", key)]
            }
            Self::Codex => {
                make(".codex");
                let provider = format!(
                    "model_provider = \"stub\"\n[model_providers.stub]\nname = \"stub\"\n\
                     base_url = \"{}/v1\"\nenv_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\n",
                    stub.url()
                );
                write(".codex/config.toml", &provider);
                vec![("OPENAI_API_KEY", key)]
            }
            Self::Gemini => {
                make(".gemini");
                vec![("GOOGLE_GEMINI_BASE_URL", stub.url()), ("GEMINI_API_KEY", key)]
            }
            Self::OpenCode => {
                for place in [".config", ".local/share", ".cache", ".local/state"] {
                    make(&format!("{place}/opencode"));
                }
                let models = json!({ "stub-model": {
                    "name": "Stub",
                    "tool_call": true,
                    "limit": { "context": 200_000, "output": 8_000 },
                    "cost": { "input": 2, "output": 10 },
                } });
                let provider = json!({
                    "npm": "@ai-sdk/openai-compatible",
                    "options": { "baseURL": format!("{}/v1", stub.url()), "apiKey": key },
                    "models": models,
                });
                let config = json!({ "provider": { "stub": provider } });
                write(".config/opencode/opencode.json", &config.to_string());
                Vec::new()
            }
        }
    }
}
