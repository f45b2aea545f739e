//! An example of each command, as people would type it. A test reads each as the program does.

/// The examples of the command at `path`, as in `task add`; those that stand beside its declaration
/// are not here.
pub(super) fn of(path: &str) -> &'static [&'static str] {
    let found = match path.split(' ').next().unwrap_or_default() {
        "task" => TASK,
        "node" => NODE,
        "plan" | "escalation" | "gate" => PLAN,
        "trigger" | "membrane" | "dead-letter" => TRIGGER,
        "decision" | "issue" | "memory" | "message" => NOTES,
        "hooks" => HOOKS,
        _ => MORE,
    };
    let found = found.iter().find(|(name, _)| *name == path);
    found.map_or(&[], |(_, lines)| lines)
}

type Examples = &'static [(&'static str, &'static [&'static str])];

const MORE: Examples = &[
    (
        "init",
        &["worknode init", "worknode init --template webapp-claude"],
    ),
    (
        "check",
        &["worknode check", "worknode check --json | jq .warnings"],
    ),
    ("run", &["worknode run", "worknode run --agents 2 --base develop"]),
    (
        "up",
        &["worknode up -d", "worknode up -d --listen 127.0.0.1:7878"],
    ),
    (
        "down",
        &[
            "worknode down",
            "worknode down --keep-agents --reason 'a new version'",
            "worknode down --dry-run",
        ],
    ),
    (
        "status",
        &[
            "worknode status",
            "worknode status --watch",
            "worknode status --json | jq .tasks",
        ],
    ),
    (
        "prompts",
        &["worknode prompts", "worknode prompts --json | jq '.[].what'"],
    ),
    ("prompts list", &["worknode prompts list"]),
    ("prompts show", &["worknode prompts show 5e884898"]),
    ("prompts allow", &["worknode prompts allow 5e884898"]),
    (
        "prompts deny",
        &["worknode prompts deny 5e884898 --reason 'use the staging database'"],
    ),
    ("ps", &["worknode ps", "worknode ps --watch --every 5s"]),
    ("top", &["worknode top", "worknode top --by usd"]),
    ("agent list", &["worknode agent list --json | jq '.[].status'"]),
    ("agent show", &["worknode agent show coder-1"]),
    (
        "agent resume",
        &["worknode agent resume coder-1", "worknode agent resume --all"],
    ),
    (
        "spawn",
        &[
            "worknode spawn coder --task api",
            "worknode spawn reviewer --prompt 'Is the README still true?' --max-duration 10m --usd 0.5",
        ],
    ),
    (
        "kill",
        &[
            "worknode kill coder-1 --reason 'it loops'",
            "worknode kill webapp/foundation --dry-run",
            "worknode kill --all --grace 1s",
        ],
    ),
    ("freeze", &["worknode freeze coder-1 --reason 'I want to look'"]),
    ("thaw", &["worknode thaw coder-1"]),
    (
        "panic",
        &[
            "worknode panic --reason 'it deletes things'",
            "worknode panic --dry-run",
        ],
    ),
    (
        "unpanic",
        &["worknode unpanic", "worknode unpanic --up-to landings"],
    ),
    (
        "logs",
        &[
            "worknode logs coder-1",
            "worknode logs -f coder-1 coder-2 reviewer",
            "worknode logs --all -f --stderr",
        ],
    ),
    (
        "events",
        &[
            "worknode events -n 20",
            "worknode events -f --type task_completed --type run_exited",
            "worknode events --where 'event.type == \"run_exited\" && agent.name == \"coder-1\"'",
            "worknode events --since 2026-11-21T09:00:00Z --json | jq .type",
        ],
    ),
    (
        "why",
        &[
            "worknode why api",
            "worknode why daily-review@2026-11-21T09:00:00Z --json",
        ],
    ),
    ("reload", &["worknode reload"]),
    (
        "emit",
        &["worknode emit compilation_failed exit_code=101 crate=store --node api"],
    ),
    ("mcp", &["claude mcp add worknode -- worknode mcp"]),
    (
        "approve",
        &[
            "worknode approve api --note 'well done'",
            "worknode approve api --commit 3f2a9c1d0b8e7f6a5c4d3e2f1a0b9c8d7e6f5a4b",
        ],
    ),
    (
        "reject",
        &["worknode reject api --reason 'the errors are swallowed'"],
    ),
    ("audit verify", &["worknode audit verify"]),
    ("demo", &["worknode demo", "worknode demo --dir /tmp/demo"]),
    (
        "import claude-agents",
        &[
            "worknode import claude-agents --dry-run",
            "worknode import claude-agents ~/.claude/agents",
        ],
    ),
    (
        "import instructions",
        &["worknode import instructions AGENTS.md --name coder --driver codex"],
    ),
    (
        "doctor",
        &[
            "worknode doctor",
            "worknode doctor --json | jq '.[] | select(.ok | not)'",
        ],
    ),
    (
        "schema",
        &[
            "worknode schema config > worknode.schema.json",
            "worknode schema task list",
        ],
    ),
    (
        "completions",
        &[
            "worknode completions bash > ~/.local/share/bash-completion/completions/worknode",
            "worknode completions zsh > ~/.zfunc/_worknode",
            "worknode completions fish > ~/.config/fish/completions/worknode.fish",
        ],
    ),
    ("man", &["worknode man ~/.local/share/man/man1"]),
    (
        "hook",
        &["worknode hook < event.json", "worknode hook --pre-commit"],
    ),
    (
        "capability new",
        &[
            "worknode capability new ada --below webapp --for 2h > ada.token",
            "worknode capability new linter --only read --file 'src/**' --audience webapp > linter.token",
        ],
    ),
    (
        "capability show",
        &[
            "worknode capability show ada.token",
            "worknode capability show --json | jq .operations",
        ],
    ),
    (
        "capability attenuate",
        &[
            "worknode capability attenuate ada.token --only read --for 10m --note 'for the linter' > reader.token",
        ],
    ),
    (
        "capability verify",
        &[
            "worknode capability verify ada.token",
            "worknode capability verify - < ada.token",
        ],
    ),
    (
        "capability revoke",
        &[
            "worknode capability revoke --token ada.token --reason 'the laptop is lost'",
            "worknode capability revoke --task api --epoch 3",
            "worknode capability revoke --below webapp --dry-run",
        ],
    ),
    ("capability rotate", &["worknode capability rotate --grace 1d"]),
];

const TASK: Examples = &[
    ("task", &["worknode task list", "worknode task show api"]),
    (
        "task list",
        &[
            "worknode task list",
            "worknode task list --json | jq '.[] | select(.status == \"failed\").key'",
        ],
    ),
    ("task show", &["worknode task show api"]),
    (
        "task add",
        &["worknode task add 'Write the API' --file 'src/api/**' --depends-on schema --gate tests"],
    ),
    (
        "task progress",
        &["worknode task progress --percent 40 'the parser is done'"],
    ),
    (
        "task submit",
        &["git commit -am 'The API' && worknode task submit"],
    ),
    (
        "task block",
        &["worknode task block 'the schema says nothing of users'"],
    ),
    ("task release", &["worknode task release 'this is not mine'"]),
    ("task claim", &["worknode task claim api --as ada --lease 10m"]),
    (
        "task next",
        &[
            "worknode task next --as ada --skill rust --wait 30s",
            "worknode task next --where 'priority > 3'",
        ],
    ),
    ("task renew", &["worknode task renew api --epoch 3"]),
    (
        "task hand-over",
        &["worknode task hand-over api --epoch 3 --to grace"],
    ),
    ("task fail", &["worknode task fail 'the tests need a network'"]),
    (
        "task cancel",
        &[
            "worknode task cancel api --reason 'not wanted any more'",
            "worknode task cancel api --dry-run",
        ],
    ),
    (
        "task undo",
        &["worknode task undo api --reason 'it broke the build'"],
    ),
    ("task retry", &["worknode task retry api"]),
];

const NODE: Examples = &[
    (
        "node create",
        &["worknode node create department sales --parent root --tag europe"],
    ),
    ("node get", &["worknode node get webapp/foundation/schema"]),
    (
        "node set",
        &["worknode node set schema estimate=2h reviewed=true"],
    ),
    ("node rename", &["worknode node rename sales trade"]),
    ("node move", &["worknode node move sales headquarters"]),
    (
        "node archive",
        &[
            "worknode node archive sales --reason 'closed'",
            "worknode node archive sales --dry-run",
        ],
    ),
    ("node restore", &["worknode node restore sales"]),
    ("node children", &["worknode node children webapp --kind phase"]),
    ("node ancestors", &["worknode node ancestors schema"]),
    (
        "node descendants",
        &["worknode node descendants webapp --status failed"],
    ),
    ("node links", &["worknode node links api"]),
    ("node tag", &["worknode node tag api urgent"]),
    ("node untag", &["worknode node untag api urgent"]),
    ("node assign", &["worknode node assign api ada"]),
    ("node unassign", &["worknode node unassign api ada"]),
    ("node link", &["worknode node link api depends_on schema"]),
    ("node unlink", &["worknode node unlink api depends_on schema"]),
    (
        "node emit",
        &["worknode node emit api compilation_failed exit_code=101"],
    ),
    ("node events", &["worknode node events api -n 10"]),
    (
        "node watch",
        &["worknode node watch webapp --type task_completed --json"],
    ),
];

const PLAN: Examples = &[
    ("plan", &["worknode plan check", "worknode plan show"]),
    ("plan check", &["worknode plan check"]),
    (
        "plan show",
        &[
            "worknode plan show",
            "worknode plan show --json | jq '.phases[].name'",
        ],
    ),
    (
        "plan add",
        &["worknode plan add 'Write the API' --phase foundation --file 'src/api/**' --estimate 45m"],
    ),
    (
        "plan change",
        &["worknode plan change api --deadline 2026-12-01T18:00:00+01:00 --reason 'agreed with Ada'"],
    ),
    (
        "plan cancel",
        &[
            "worknode plan cancel api --reason 'bought instead'",
            "worknode plan cancel api --dry-run",
        ],
    ),
    (
        "plan deviation",
        &["worknode plan deviation", "worknode plan deviation foundation"],
    ),
    ("escalation", &["worknode escalation list"]),
    ("escalation list", &["worknode escalation list"]),
    (
        "escalation settle",
        &["worknode escalation settle task_failed:api --reason 'split in two'"],
    ),
    ("gate", &["worknode gate list", "worknode gate run --diff main"]),
    ("gate list", &["worknode gate list"]),
];

const TRIGGER: Examples = &[
    (
        "trigger",
        &["worknode trigger list", "worknode trigger next daily-review"],
    ),
    ("trigger list", &["worknode trigger list"]),
    ("trigger show", &["worknode trigger show daily-review"]),
    (
        "trigger next",
        &[
            "worknode trigger next -n 3",
            "worknode trigger next --cron '0 9 * * MON-FRI' --timezone Europe/Berlin",
        ],
    ),
    (
        "trigger explain",
        &["worknode trigger explain --cron '30 2 * * *' --timezone Europe/Berlin"],
    ),
    ("trigger fire", &["worknode trigger fire daily-review"]),
    ("trigger pause", &["worknode trigger pause daily-review"]),
    ("trigger resume", &["worknode trigger resume daily-review"]),
    ("trigger runs", &["worknode trigger runs daily-review -n 5"]),
    (
        "trigger simulate",
        &["worknode trigger simulate --to 2027-01-01T00:00:00Z --run-time 20m"],
    ),
    ("trigger add", &["worknode trigger add nightly.toml --dry-run"]),
    ("trigger remove", &["worknode trigger remove nightly"]),
    ("membrane", &["worknode membrane show webapp"]),
    ("membrane show", &["worknode membrane show webapp"]),
    (
        "membrane test",
        &["worknode membrane test webapp --event event.json"],
    ),
    ("membrane set", &["worknode membrane set sales membrane.json"]),
    (
        "membrane clear",
        &[
            "worknode membrane clear sales",
            "worknode membrane clear sales --dry-run",
        ],
    ),
    ("dead-letter", &["worknode dead-letter list"]),
    ("dead-letter list", &["worknode dead-letter list webapp"]),
    (
        "dead-letter show",
        &["worknode dead-letter show 2026-11-21T10:24:30.123Z-0004-00009f2c"],
    ),
    (
        "dead-letter replay",
        &["worknode dead-letter replay 2026-11-21T10:24:30.123Z-0004-00009f2c"],
    ),
    (
        "dead-letter discard",
        &["worknode dead-letter discard 2026-11-21T10:24:30.123Z-0004-00009f2c --dry-run"],
    ),
];

const NOTES: Examples = &[
    (
        "decision add",
        &["worknode decision add 'Which store?' 'SQLite' --because 'nothing to install' --confidence 0.8"],
    ),
    ("decision list", &["worknode decision list --on api"]),
    ("decision show", &["worknode decision show 0199a2c4"]),
    ("decision search", &["worknode decision search store"]),
    (
        "issue add",
        &["cargo test 2>&1 | worknode issue add - --file src/store.rs"],
    ),
    ("issue list", &["worknode issue list --open"]),
    ("issue show", &["worknode issue show 0199a2c4"]),
    ("issue search", &["cargo test 2>&1 | worknode issue search -"]),
    (
        "issue resolve",
        &["worknode issue resolve 0199a2c4 --cause 'two writers' --fix 'one connection that writes'"],
    ),
    ("issue helped", &["worknode issue helped 0199a2c4"]),
    (
        "memory set",
        &["worknode memory set swarm/coder/phase2 '{\"done\": 3}' --ttl 7d"],
    ),
    ("memory get", &["worknode memory get swarm/coder/phase2"]),
    ("memory list", &["worknode memory list swarm/coder"]),
    (
        "memory delete",
        &[
            "worknode memory delete swarm/coder/phase2",
            "worknode memory delete swarm/coder/phase2 --dry-run",
        ],
    ),
    ("memory watch", &["worknode memory watch swarm/coder"]),
    (
        "message send",
        &["worknode message send coder-1 'The schema has changed: read docs/schema.md'"],
    ),
    ("message list", &["worknode message list coder-1 --all"]),
    (
        "message ack",
        &["worknode message ack 2026-11-21T10:24:30.123Z-0004-00009f2c"],
    ),
];

const HOOKS: Examples = &[
    ("hooks install", &["worknode hooks install"]),
    ("hooks remove", &["worknode hooks remove"]),
    (
        "hooks pre-task",
        &["worknode hooks pre-task --description 'Design the schema'"],
    ),
    (
        "hooks session-restore",
        &["worknode hooks session-restore --session-id swarm-123"],
    ),
    (
        "hooks post-edit",
        &["worknode hooks post-edit --file schema.sql --memory-key swarm/coder/schema"],
    ),
    (
        "hooks notify",
        &["worknode hooks notify --message 'The schema is there'"],
    ),
    ("hooks post-task", &["worknode hooks post-task --task-id schema"]),
    (
        "hooks session-end",
        &["worknode hooks session-end --export-metrics true"],
    ),
];
