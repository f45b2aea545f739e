#!/usr/bin/env python3
"""Expectations of other implementations of cron, for `tests/differential.rs`.

    pip install cronsim==2.8 croniter==7.0.0 tzdata==2026.6
    python3 generate.py

Writes `cronsim.json` and `croniter.json` beside this file. The seed is fixed, so that the same
versions give the same files. A case is [expression, zone, from, [next, ...]], instants in
seconds since 1970.

Cronsim follows Debian's cron, as we do: it is asked around every turn of a clock. Croniter has
rules of its own for turns and for stars in the day fields: it is asked for dates, far from turns.
"""

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

HERE = Path(__file__).parent
UTC = timezone.utc
NEXT = 6

# Instants in UTC near which the clocks of a zone are put.
TURNS = {
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00", "1996-10-27T01:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00", "2006-04-02T07:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30", "1985-10-26T15:30"],
    "America/Sao_Paulo": ["2018-11-04T03:00", "2019-02-17T02:00", "2010-10-17T03:00"],
    "Asia/Kolkata": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "Pacific/Apia": ["2011-12-30T10:00", "2011-09-24T14:00", "2012-03-31T14:00"],
    "America/St_Johns": ["2026-03-08T05:30", "2026-11-01T04:30"],
    "Africa/Casablanca": ["2026-02-15T02:00", "2026-03-22T02:00"],
}


def field(low, high):
    """A field of an expression: any, a step, a value, a range, a list."""
    kind = random.randrange(10)
    a, b = sorted((random.randint(low, high), random.randint(low, high)))
    if kind < 3:
        return "*"
    if kind < 4:
        return f"*/{random.randint(1, min(high, 20))}"
    if kind < 7:
        return str(a)
    if kind < 8:
        # Croniter takes 3-3 for a star.
        return f"{a}-{b}" if b > a else str(a)
    if kind < 9:
        return f"{a}-{b}/{random.randint(1, 5)}" if b > a else str(a)
    return ",".join(str(random.randint(low, high)) for _ in range(random.randint(2, 4)))


def hour():
    """An hour, most often one in which clocks are turned."""
    if random.random() < 0.6:
        return random.choice(["0", "1", "2", "3", "1-3", "*", "*/2", "23", "1,2", "0-4/2", "2,3"])
    return field(0, 23)


def days(special):
    """Day, month and weekday; now and then one of `special`."""
    if random.random() < 0.5:
        return ["*", "*", "*"]
    day, month, weekday = field(1, 28), field(1, 12), field(0, 6)
    if random.random() < 0.3:
        day, month, weekday = random.choice(["31", "30", "29", "L", "LW"]), "*", "*"
    if special and random.random() < 0.4:
        day, month, weekday = random.choice(special)
    if random.random() < 0.2:
        weekday = random.choice(["MON", "MON-FRI", "SUN", "SAT,SUN", "7", "TUE-THU"])
    return [day, month, weekday]


def stamps(found):
    """Seconds since 1970."""
    return [int(at.timestamp()) for at in found]


def cronsim_cases(count):
    """Expressions near the turns of clocks, and what cronsim makes of them."""
    special = [["L", "*", "*"], ["LW", "*", "*"], ["*", "*", "1#2"], ["*", "*", "FRI#1"], ["*", "*", "5L"],
               ["13", "*", "5L"], ["L", "2", "*"], ["*", "*", "0L,3#3"], ["*", "3,10", "7#5"]]
    cases = []
    while len(cases) < count:
        zone = random.choice(list(TURNS))
        turn = datetime.fromisoformat(random.choice(TURNS[zone])).replace(tzinfo=UTC)
        start = turn + timedelta(seconds=random.randint(-100_000, 60_000))
        expression = " ".join([field(0, 59), hour(), *days(special)])
        # The two disagree where a star is not the first item of a list; see differential.rs.
        if any("*" in part and not part.startswith("*") for part in expression.split()):
            continue
        try:
            ticks = CronSim(expression, start.astimezone(ZoneInfo(zone)))
            found = stamps(next(ticks) for _ in range(NEXT))
        except Exception:
            continue
        cases.append([expression, zone, int(start.timestamp()), found])
    return cases


def croniter_cases(count):
    """Expressions far from any turn of a clock, and what croniter makes of them."""
    special = [["L", "*", "*"], ["*", "*", "MON#2"], ["*", "*", "FRI#1,WED#3"], ["*", "*", "L5"], ["*", "*", "L0"]]
    cases = []
    while len(cases) < count:
        # Neither has a turn near its start, or within the range of what is asked for.
        zone = random.choice(["UTC", "Asia/Kolkata", "Asia/Tokyo"])
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randint(0, 100_000_000))
        day, month, weekday = days(special)
        if "W" in day or (day.startswith("*/") and weekday != "*") or (weekday.startswith("*/") and day != "*"):
            continue
        expression = " ".join([field(0, 59), field(0, 23), day, month, weekday])
        try:
            ticks = croniter(expression, start.astimezone(ZoneInfo(zone)))
            found = stamps(ticks.get_next(datetime) for _ in range(NEXT))
        except Exception:
            continue
        # Croniter writes the last Friday as L5.
        ours = expression.rsplit(" ", 1)
        if ours[1].startswith("L"):
            ours[1] = ours[1][1:] + "L"
        cases.append([" ".join(ours), zone, int(start.timestamp()), found])
    return cases


def write(name, cases):
    """One case a line, so that changes can be read."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


random.seed(20261121)
write("cronsim.json", cronsim_cases(1500))
write("croniter.json", croniter_cases(800))
