"""Load, memory, idle and lateness of APScheduler: ALL jobs, of which TOGETHER share a second.

Prints one object of JSON.
"""

import json
import sys
import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger


def resident():
    """Bytes of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def main():
    """Measures, in the order in which they do not disturb each other."""
    everything, together, idle = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    ran = []
    done = threading.Event()
    # Half a minute ahead of now, so that none is due while jobs are loaded and the idle process is
    # watched; it comes round every minute in any case.
    second = int(time.time() + 45) % 60

    def job():
        ran.append(time.time())
        if len(ran) >= together:
            done.set()

    def idly():
        pass

    scheduler = BackgroundScheduler(timezone="UTC")
    before = resident()
    begun = time.perf_counter()
    for at in range(everything):
        if at < together:
            trigger = CronTrigger(second=second, timezone="UTC")
        else:
            trigger = CronTrigger(
                month=1, day=1, hour=at // 60 % 24, minute=at % 60, second=0, timezone="UTC"
            )
        scheduler.add_job(job if at < together else idly, trigger, misfire_grace_time=None)
    scheduler.start()
    load = time.perf_counter() - begun
    memory = resident() - before
    ran.clear()
    done.clear()
    used = time.process_time()
    time.sleep(idle)
    used = (time.process_time() - used) / idle
    ran.clear()
    done.clear()
    done.wait(120)
    due = int(ran[0]) if ran else 0
    late = [at - due for at in ran[:together]]
    scheduler.shutdown(wait=False)
    print(json.dumps({"load": load, "memory": memory, "idle": used, "late": late}))


main()
