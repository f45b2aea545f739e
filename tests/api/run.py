#!/usr/bin/env python3
"""Asks a real daemon everything that its own document says can be asked, and much that it does not.

    tests/api/run.py [--examples N] [--seed N] [--keep] [--only NAME] [-- ARGS FOR SCHEMATHESIS]

Makes a team in a temporary folder, starts it with a port on loopback, and lets schemathesis make
requests out of /api/v1/openapi.json: right ones and wrong ones, in four passes. In the first it
makes up whatever the paths name; in the second the paths name what is there; in the third
everything is stopped; in the fourth capabilities are taken back, its own among them. None may be answered with a 5xx, with a status or a form that the document
does not have, or be accepted although it is wrong. What it needs is installed into
target/schemathesis at the first run.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv

SCHEMATHESIS = "schemathesis==4.32.5"
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
])

TEAM = """
[team]
name = "t"

[daemon]
listen = "{address}"

[[agent]]
name = "coder"
profile = "implementation"
command = ["sleep", "600"]
sandbox = "off"
count = 2

[[trigger]]
name = "daily"
cron = "0 9 * * *"
[trigger.spawn]
profile = "validation"
task = {{ title = "Look at what landed" }}
"""

# Whoever stops the daemon has nobody left to ask, and a stream has no end to wait for.
NEVER = ["/api/v1/shutdown", "/api/v1/nodes/{id}/watch"]
# These leave nothing to do for the others.
LAST = ["/api/v1/kill", "/api/v1/panic", "/api/v1/unpanic", "/api/v1/agents/{id}/kill"]
# After these the token may be worth nothing, and whatever is asked would be refused alike.
TAKEN = ["/api/v1/capabilities/revoke", "/api/v1/capabilities/rotate"]


def installed():
    """The program, in a folder of its own."""
    folder = TARGET / "schemathesis"
    program = folder / "bin" / "schemathesis"
    mark = folder / SCHEMATHESIS
    if not mark.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, SCHEMATHESIS], check=True)
        mark.touch()
    return program


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Team:
    """A team with something of everything in it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        (folder / "worknode.toml").write_text(TEAM.format(address=address))
        (folder / ".gitignore").write_text(".worknode/\n")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", folder]
        for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Begin"]):
            subprocess.run([*git, *args], check=True)

    def __enter__(self):
        self.worknode("up", "-d")
        self.token = (self.folder / ".worknode/keys/operator.token").read_text().strip()
        return self

    def __exit__(self, *_):
        self.worknode("down")

    def worknode(self, *args):
        """What the program prints in the team's folder, as the owner of its socket; it has to succeed."""
        done = subprocess.run([self.program, *args], cwd=self.folder, check=True, stdout=subprocess.PIPE)
        return done.stdout

    def ask(self, method, path, body=None):
        """What the daemon answers to one request of the operator."""
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def furnish(self):
        """Puts something of everything there; answers what the paths can name."""
        task = self.ask("POST", "/tasks", {"title": "Later", "key": "later", "agent": "nobody"})
        self.ask("POST", "/tasks", {"title": "Held", "key": "held", "agent": "nobody"})
        self.ask("POST", "/tasks/held/claim", {"agent": "t", "lease": "1h"})
        decision = self.ask("POST", "/decisions", {"question": "Which store?", "decision": "SQLite"})
        issue = self.ask("POST", "/issues", {"error": "database is locked", "fix": "one writer"})
        self.ask("PUT", "/memory/notes/plan", {"value": {"done": 3}})
        sent = self.ask("POST", "/messages", {"to": "coder-1", "text": "The schema has changed"})
        self.ask("POST", "/events", {"name": "deployed", "data": {"where": "staging"}})
        return {
            "tasks": "held", "plan": task["id"], "agents": "coder-1", "nodes": task["id"], "runs": "coder-1",
            "why": "held", "decisions": decision["id"], "issues": issue["id"], "triggers": "daily",
            "messages": sent["sent"][0]["message"], "memory": "notes/plan",
        }


def settings(folder, known):
    """What schemathesis is told in a file: a stream never, and what the paths name."""
    lines = ["[[operations]]", 'include-path = "/api/v1/memory"', "[operations.parameters]", '"query.watch" = false', ""]
    parts = {"runs": "of", "why": "of", "triggers": "name", "messages": "stamp", "memory": "key"}
    for tag, name in (known or {}).items():
        part = parts.get(tag, "id")
        lines += ["[[operations]]", f'include-path-regex = "^/api/v1/{tag}/.*\\\\{{{part}\\\\}}"',
                  "[operations.parameters]", f'"path.{part}" = {json.dumps(name)}', ""]
    path = folder / ("there.toml" if known else "made-up.toml")
    path.write_text("\n".join(lines))
    return path


def one_pass(name, program, team, options, config, filters):
    """One run of the testing program over the team; whether everything it found was sound."""
    print(f"== {name}", flush=True)
    command = [
        program, "--config-file", config, "run", f"{team.url}/api/v1/openapi.json",
        "--header", f"Authorization: Bearer {team.token}", "--header", "Accept: application/json",
        "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(options.examples),
        "--request-timeout", "30", "--continue-on-failure", "--no-shrink", "--generation-database", "none",
        "--warnings", "off", "--suppress-health-check", "all", *filters, *options.more,
    ]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    began = time.monotonic()
    code = subprocess.run(command, cwd=team.folder).returncode
    print(f"== {name}: {'sound' if code == 0 else 'NOT SOUND'} after {time.monotonic() - began:.0f} s", flush=True)
    return code == 0


def main():
    """Makes a team, and asks its API everything that its description allows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=5, help="made-up requests for each operation and pass")
    parser.add_argument("--seed", type=int, help="the same requests as in an earlier run")
    parser.add_argument("--keep", action="store_true", help="leave the team's folder")
    parser.add_argument("--only", choices=["made-up", "there", "last", "taken"], help="one pass")
    parser.add_argument("more", nargs="*", help="handed on to schemathesis")
    options = parser.parse_args()
    # Whoever ends this ends the team too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tester = installed()
    program = TARGET / "debug" / "worknode"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="worknode-api-"))
    sound = True
    try:
        with Team(program, folder) as team:
            known = team.furnish()
            config = {False: settings(folder, None), True: settings(folder, known)}
            without = [arg for path in [*NEVER, *LAST, *TAKEN] for arg in ("--exclude-path", path)]
            last = [arg for path in LAST for arg in ("--include-path", path)]
            taken = [arg for path in TAKEN for arg in ("--include-path", path)]
            passes = [("made-up", config[False], without), ("there", config[True], without),
                      ("last", config[True], last), ("taken", config[True], taken)]
            for name, file, filters in passes:
                if options.only in (None, name):
                    # Who is refused because of the token finds nothing out.
                    assert team.ask("GET", "/status")["team"] == "t"
                    sound &= one_pass(name, tester, team, options, file, filters)
            # Whatever it was asked, it still answers.
            assert json.loads(team.worknode("status", "--json"))["team"] == "t"
    finally:
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
