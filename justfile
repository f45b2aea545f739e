# What is done to this repository, and how. `just` lists it.

_default:
    @just --list --unsorted

# See a scripted team build a small web application.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# All tests: units, properties, and end to end through the real program.
test *ARGS:
    cargo test --workspace {{ARGS}}

# The real clients, installed with npm, against a model on loopback, end to end to a landed commit.
test-clients *ARGS:
    cargo test --package worknode --features clients --test clients -- --nocapture {{ARGS}}

# Whatever the API's own document says can be asked, and much that it does not, of a real daemon. --examples N, --seed N.
test-api *ARGS:
    cargo build --package worknode
    python3 tests/api/run.py {{ARGS}}

# Traces by way of a collector that others made, installed with pip, to the test's own endpoint.
test-collector *ARGS:
    cargo test --package worknode --test e2e telemetry -- --include-ignored {{ARGS}}

# Explores the rules in every order of crashes, losses and lapses, further than the tests do; MODEL_STEPS=N per scene.
model *ARGS:
    cargo test --release --package worknode-actors --lib model:: -- --include-ignored --nocapture --test-threads 1 {{ARGS}}

# A million claims on a few tasks, none given twice.
contention *ARGS:
    cargo test --release --package worknode --test e2e contention -- --include-ignored --nocapture {{ARGS}}

# Kills daemon, shims and agents at every step and at random; prints what held. --seed N, --only STEP.
faults *ARGS:
    cargo test --package worknode --features faults --test faults -- {{ARGS}}

# What is measured of functions, compared with lizard (`pip install lizard`) over the folders named.
accuracy *ARGS:
    python3 tests/accuracy/compare.py {{ARGS}}

# Formatting, lints, documentation, and our own gates (worknode.toml): nothing may be left to say.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --quiet -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet
    just gates

# Our own gates over the whole repository; `just gates --format github` for other forms.
gates *ARGS:
    cargo run --quiet --package worknode -- gate run --gate complexity --gate docs --gate secrets {{ARGS}}

# Exactly what decides whether a change lands.
ci: test check

# Every benchmark, as one table; `just bench --json` for programs, `just bench NAME` for one.
bench *ARGS:
    cargo bench --package worknode --bench speed -- {{ARGS}}
