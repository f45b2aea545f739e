#!/usr/bin/env python3
"""Compares what Worknode measures of functions with lizard, over any source code.

    pip install lizard==1.24.3
    tests/accuracy/compare.py [--lines N] [--show N] DIR...

Prints, for each language, how many functions both found; how many have the same cyclomatic
complexity (equal); how many more differ by exactly what one counts and the other does not by its
definition (+exact); how many more hold something that the two read differently (+cause); and the
rest one by one. Then the speed of both in this same run, each on one thread, and the classes of
differences with how many there are and the first of each.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from itertools import combinations

LANGUAGES = {
    "C": (".c",),
    "Rust": (".rs",),
    "Python": (".py",),
    "JavaScript": (".js", ".mjs", ".cjs"),
    "Go": (".go",),
    "C++": (".cc", ".cpp"),
    "Java": (".java",),
    "TypeScript": (".ts",),
}
# Generated tables and minified scripts say nothing about how people write.
LONGEST_FILE = 1_000_000
LONGEST_LINE = 2_000


def files(folders, lines):
    """Paths by language, until each has enough lines."""
    found, count = defaultdict(list), Counter()
    for folder in folders:
        for root, names, here in os.walk(folder):
            names[:] = sorted(name for name in names if name not in (".git", "testdata"))
            for name in sorted(here):
                path = os.path.join(root, name)
                language = next((l for l, ends in LANGUAGES.items() if name.endswith(ends)), None)
                if language is None or count[language] >= lines or name.endswith((".min.js", ".d.ts")):
                    continue
                text = readable(path)
                if text is not None:
                    found[language].append((path, text))
                    count[language] += text.count("\n")
    return found, count


def readable(path):
    """The text, when it is one that people wrote."""
    if os.path.islink(path) or os.path.getsize(path) > LONGEST_FILE:
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        return None
    longest = max((len(line) for line in text.split("\n")), default=0)
    return text if longest <= LONGEST_LINE else None


def ours(program, found):
    """What Worknode measures: functions by file, and seconds and lines."""
    paths = "\n".join(path for path, _ in found)
    begun = children()
    answer = subprocess.run(program, input=paths, capture_output=True, text=True, check=True)
    spent = children() - begun
    told = [json.loads(line) for line in answer.stdout.splitlines()]
    by_file = defaultdict(list)
    for function in told[:-1]:
        by_file[function["file"]].append(function)
    return by_file, spent


def children():
    """Processor time of programs that were run and have ended: others may load the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def theirs(found):
    """What lizard measures."""
    import lizard

    analyse = lizard.FileAnalyzer(lizard.get_extensions([]))
    by_file, begun = {}, time.process_time()
    for path, text in found:
        try:
            by_file[path] = analyse.analyze_source_code(path, text).function_list
        except Exception as error:  # what it cannot read is not compared
            print(f"lizard cannot read {path}: {error}", file=sys.stderr)
    return by_file, time.process_time() - begun


def simple(name):
    """The last part of a name, without type parameters, and without the signs of a computed one."""
    return name.replace("::", ".").split("(")[0].split("<")[0].split(".")[-1].strip("[]'\" ")


def pairs(mine, other):
    """Functions that both found: the same end or the same beginning, and the same name if there is one.

    Of several the nearest, by the first line and then by the last.
    """
    by_end, by_line = defaultdict(list), defaultdict(list)
    for function in mine:
        by_end[function["end"]].append(function)
        by_line[function["line"]].append(function)
    used = set()
    for function in other:
        here = [f for f in by_end[function.end_line] + by_line[function.start_line] if id(f) not in used]
        best = nearest(here, function)
        used.add(id(best))
        yield best, function


def nearest(here, function):
    """The one of these that is the other's function; or None."""
    # The last is a name that is a text, which the other leaves out.
    alike = (
        lambda f: simple(f["name"]) == simple(function.name),
        lambda f: f["end"] == function.end_line,
        lambda f: f["name"][:1] in "'\"" and function.name == "(anonymous)",
    )
    same = next(filter(None, ([f for f in here if is_like(f)] for is_like in alike)), [])
    away = lambda f: (abs(f["line"] - function.start_line), abs(f["end"] - function.end_line))
    return min(same, key=away, default=None)


# What one counts and the other does not, by definition: how it is told, and what we call it.
DEFINED = [
    ("`?` counted", "tries"),
    ("`?Sized` counted", "sized"),
    ("`finally` counted", "finals"),
    ("`where` counted", "wheres"),
    ("`case _` counted", "wildcards"),
    ("`||` of a closure counted as `or`", "bars"),
    ("a default value counted", "defaults"),
    ("`#if` counted", "ifs"),
    ("`&& … =` taken for a reference of C++, and not counted", "references"),
    ("`.catch(…)` of a promise taken for the statement", "catches"),
]


def spelled(language, body):
    """What the other counts, or takes away, by how it is written: told from the text."""
    if language == "Rust":
        return {"sized": sum(line.count("?Sized") for line in body)}
    if language in SCRIPTS:
        return {"catches": sum(line.count(".catch(") for line in body)}
    if language not in ("C", "C++"):
        return {}
    # Without comments and texts; of `&&` and what follows, the end is found as the other does.
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"', " ", "\n".join(body), flags=re.DOTALL)
    return {
        "ifs": len(re.findall(r"^\s*#\s*(?:if|ifdef|elif)\b", text, re.MULTILINE)),
        "references": -len(re.findall(r"&&(?:[=!<>]=|[^=;{})])*=(?!=)", text)),
    }


def has(body, *signs):
    """Whether one of the signs stands in the lines."""
    return any(sign in line for line in body for sign in signs)


def matches(body, pattern):
    """Whether the pattern is found in the lines."""
    return re.search(pattern, "\n".join(body)) is not None


SCRIPTS = ("JavaScript", "TypeScript")

# What may stand in a function of a language and be read differently by the two: the languages,
# whether it stands in the lines, and what it is. Of several, the first is told.
SIGNS = (
    (
        ("C",),
        lambda body: any(re.match(r"\s*#\s*(if|el|endif)", line) for line in body),
        "`#if` inside an expression or a signature: other branches read",
    ),
    (
        ("C",),
        lambda body: has(body, "'\\\\'", "'\"'", "'{'", "'}'"),
        "a quoted sign inside, after which the other reads on wrongly",
    ),
    (
        SCRIPTS,
        lambda body: has(body, "`"),
        "a template text inside: `?:` and `&&` in it are ways, and not counted by the other",
    ),
    (
        SCRIPTS,
        lambda body: body[0].rstrip().endswith("=>") or has(body[:1], "=>") and len(body) > 1 and not has(body[:1], "{"),
        "`=>` with an expression of several lines, of which the other reads the first",
    ),
    (
        SCRIPTS,
        lambda body: has(body[1:], "=>", "function") or matches(body[1:], METHOD),
        "a function inside: its ways given to the other of the two",
    ),
    (
        SCRIPTS,
        lambda body: matches(body, r"([=(,:!&|?]|\breturn)\s*/[^/*\s]"),
        "a regular expression inside: signs in it counted",
    ),
    (
        SCRIPTS,
        lambda body: matches(body, r"[?:(=]\s*\{|return \{|&& \{"),
        "an object inside: its braces taken for those of the body",
    ),
    (
        SCRIPTS,
        lambda body: matches(body[:1], r"\)\s*=>\s*\([^()]*\)\s*=>"),
        "`a => b => …`: a function that gives a function, taken for one",
    ),
    (
        SCRIPTS,
        lambda body: matches(body, r"\([^()]*\w\["),
        "`(a[i] …)`: brackets in parentheses, with which the function ends for the other",
    ),
    (
        SCRIPTS,
        lambda body: matches(body, r"[^=!<>]=\s*\((?!.*\)\s*=>)"),
        "`= (…)`: taken for the parameters of a function, and what is decided in it dropped",
    ),
    (
        ("C",),
        lambda body: matches(body, r"\bdo\s+[A-Z]\w+\([^()]*\)\s*while"),
        "`do MACRO(…) while (…)` without a semicolon: no loop of the grammar, and not counted here",
    ),
    (
        ("C++",),
        lambda body: matches(body[:6], r"^[^{]*=[^,{]*\?[^{]*\)[^;]*\{"),
        "`?:` in a default value: not counted by the other",
    ),
    (
        ("C++",),
        lambda body: matches(body[1:], r"\b(class|struct) \w+[^;]*\{"),
        "a class inside: its functions given to the one around it",
    ),
    (
        ("C++",),
        lambda body: matches(body, r"\)\s*:\s+\w+[({]"),
        "initialisers of a constructor, whose decisions the other leaves out",
    ),
    (
        ("Rust",),
        lambda body: matches(body[1:], r"\bfn \w"),
        "a function inside: its ways given to the one around it, or dropped",
    ),
    (
        ("Rust",),
        lambda body: matches(body, r"match unsafe \{"),
        "`match unsafe { … }`: its braces taken for those of the arms",
    ),
    (
        ("Rust",),
        lambda body: matches(body, r"if let [^=;]*\{"),
        "`if let A { … } = …`: braces of the pattern taken for the body, and its `else` for one of `let`",
    ),
    (
        ("Rust",),
        lambda body: any("!" in line and ("(" in line or "{" in line) for line in body),
        "a macro inside: its tokens read differently",
    ),
)
# The end of those above: where nothing else stands in the function.
SIGNS += ((("C", "C++"), lambda body: matches(body, r"&&[^;{}]*="), "`&& … =` taken for a reference of C++, how often not found out"),)
# A method in an object or a class.
METHOD = r"\n\s+(async |static |get |set |\*)*[#\w\[\]]+ ?\([^()]*\) ?\{"


def by_definition(mine, gap):
    """The differences of definition that make up `gap`; or None."""
    there = [(name, mine[key]) for name, key in DEFINED if mine.get(key)]
    for size in range(1, len(there) + 1):
        for some in combinations(there, size):
            if gap == sum(count for _, count in some):
                return " + ".join(name for name, _ in some)
    return None


def cause(language, text, mine, other):
    """What stands in the function that the two read differently; or None."""
    body = text.split("\n")[mine["line"] - 1 : mine["end"]]
    found = next((words for languages, stands, words in SIGNS if language in languages and stands(body)), None)
    if found is None and language in SCRIPTS and other.end_line > mine["end"]:
        return "an arrow function without braces, which ends later for the other: what follows is given to it"
    return found


# What only the other finds, and is no function that is measured here: the languages, whether it is
# that, of the lines before it and its own, and what it is.
ONLY_THEIRS = (
    (
        ("Rust",),
        lambda _, lines, __: ";" in " ".join(lines).split("{")[0],
        "a declaration without a body, given the next one's",
    ),
    (("TypeScript",), lambda _, lines, __: is_declared(lines), "a declaration without a body"),
    (
        SCRIPTS,
        lambda before, lines, _: is_chosen(before[-3:], lines[0]),
        "a call or a value between `?` and `:`, taken for a function and its type",
    ),
    (
        ("C",),
        lambda _, lines, __: matches(lines, r"^[^{]*\)[^{]*;[^{]*\{"),
        "a function of old C: types of parameters after the parentheses, and a pointer before the name",
    ),
    (
        ("C",),
        lambda _, lines, __: has(lines, "_asm"),
        "a function in another language: nothing here follows the grammar of C",
    ),
    (
        ("Java",),
        lambda _, lines, __: has(lines[:1], "= new "),
        "a class without a name: its functions are measured, each on its own",
    ),
    (
        ("Java",),
        lambda _, lines, __: re.match(r"\s*\w+\(", lines[0]) and not has(lines[:1], ";"),
        "a value of an enumeration with a body: its functions are measured, each on its own",
    ),
    (
        SCRIPTS,
        lambda _, __, name: name in ("if", "for", "while", "switch", "catch"),
        "a statement taken for a method of that name",
    ),
    (
        SCRIPTS,
        lambda before, lines, _: has(before[-2:] + lines, "=>"),
        "an arrow function without braces, or on the lines of another: its end is elsewhere",
    ),
    (
        SCRIPTS,
        lambda _, lines, __: matches(lines, r"= .*function|^\s+get "),
        "a getter, or a function in an expression: its end is elsewhere",
    ),
)


def no_function(language, text, function):
    """Why what only the other found is no function that is measured here; or None."""
    whole = text.split("\n")
    before, lines = whole[: function.start_line - 1], whole[function.start_line - 1 : function.end_line]
    kinds = (kind for kind in ONLY_THEIRS if language in kind[0])
    return next((words for _, is_it, words in kinds if is_it(before, lines, function.name)), None)


def is_declared(lines):
    """Whether the lines only declare: without a body, whose braces would stand after the parentheses."""
    text = "".join(lines).rstrip()
    types = re.match(r"\s*(export )?function \w+", text) and text.count("{") == text.count("}")
    return text.endswith((";", ",")) and ("{" not in text or bool(types))


def is_chosen(before, line):
    """Whether a line begins with or after the `?` of a choice, comments apart."""
    above = re.sub(r"//[^\n]*", "", "\n".join(before)).rstrip()
    return line.lstrip().startswith("? ") or above.endswith("?")


def arguments():
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=120_000, help="lines of each language at least, if there are")
    parser.add_argument("--show", type=int, default=5, help="unexplained differences to show for each language")
    parser.add_argument("--measure", help="the measuring program; built when not given")
    parser.add_argument("folders", nargs="+")
    return parser.parse_args()


def built():
    """The measuring program, built."""
    build = ["cargo", "build", "--release", "--package", "worknode-gates", "--example", "measure", "--message-format=json"]
    told = subprocess.run(build, capture_output=True, text=True, check=True).stdout.splitlines()
    return [m["executable"] for m in map(json.loads, told) if m.get("executable")][-1]


class Tally:
    """How the two compare in one language."""

    def __init__(self, language):
        self.language = language
        self.counts, self.reasons = Counter(), Counter()
        self.shown, self.examples = [], {}

    def count(self, path, text, a, b):
        """Counts one function, ours and theirs."""
        if a is None:
            self.counts["missing"] += 1
            reason = no_function(self.language, text, b)
            self.told(f"only theirs: {reason}" if reason else None, "only theirs", path, a, b)
            return
        self.counts["both"] += 1
        gap = b.cyclomatic_complexity - a["complexity"]
        if not gap:
            self.counts["equal"] += 1
            return
        body = text.split("\n")[a["line"] - 1 : a["end"]]
        exact = by_definition({**a, **spelled(self.language, body)}, gap)
        reason = exact or cause(self.language, text, a, b)
        self.counts["exact" if exact else "cause" if reason else "one" if abs(gap) == 1 else "more"] += 1
        self.told(reason, "differs", path, a, b)

    def told(self, reason, kind, path, a, b):
        """Notes a difference: its reason with the first example, or itself when there is none."""
        if reason is None:
            self.shown.append((kind, path, b, a))
            return
        self.reasons[reason] += 1
        here = a["complexity"] if a else "-"
        example = f"{'/'.join(path.split('/')[-3:])}:{b.start_line} {b.name}, {here} against {b.cyclomatic_complexity}"
        self.examples.setdefault(reason, example)

    def print_row(self, lines, seconds, their_seconds):
        """One line of the table, and what explains the differences."""
        tally = self.counts
        both = max(tally["both"], 1)
        share = lambda n: f"{100 * n / both:.1f}%"
        equal, exact, seen = tally["equal"], tally["exact"], tally["cause"]
        columns = [
            f"{self.language:11} {lines:8} {tally['both']:6}",
            f"{share(equal):>7} {share(equal + exact):>7} {share(equal + exact + seen):>7}",
            f"{tally['one']:5} {tally['more']:5} {tally['missing']:11}",
            f"{lines / max(seconds, 1e-9):10.0f} {lines / max(their_seconds, 1e-9):8.0f}",
            f"{their_seconds / max(seconds, 1e-9):6.1f}",
        ]
        print(" ".join(columns))
        for reason, times in self.reasons.most_common():
            print(f"            {times} x {reason} ({self.examples[reason]})")

    def print_shown(self, most):
        """The first of those that nothing explains."""
        for kind in ("differs", "only theirs"):
            of_kind = [entry for entry in self.shown if entry[0] == kind]
            for _, path, b, a in of_kind[:most]:
                here = a["complexity"] if a else "-"
                print(f"{self.language} {kind}: {path}:{b.start_line} {b.name}: {here} against {b.cyclomatic_complexity}")


def main():
    """Compares what both programs measure, language by language."""
    options = arguments()
    program = options.measure or built()
    found, count = files(options.folders, options.lines)
    print("language       lines   both   equal +exact  +cause    ±1  more only theirs    lines/s   theirs  times")
    tallies = []
    for language, sources in found.items():
        mine, seconds = ours([program], sources)
        other, their_seconds = theirs(sources)
        texts = dict(sources)
        tally = Tally(language)
        for path, functions in other.items():
            for a, b in pairs(list(mine.get(path, [])), functions):
                tally.count(path, texts[path], a, b)
        tally.print_row(count[language], seconds, their_seconds)
        tallies.append(tally)
    for tally in tallies:
        tally.print_shown(options.show)


if __name__ == "__main__":
    main()
