"""The drawings of these pages: `python -m docs.generate.drawings` writes them anew, and a test compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.generate.canvas import Canvas
from docs.generate.packages import packages

FOLDER: Final = Path(__file__).parents[1] / "drawings"


def due_time() -> Canvas:
    """What happens to one due time, from left to right."""
    canvas = Canvas(
        860,
        190,
        "One due time on the time line: scheduledFor is the trigger's own instant, calendar and jitter move it to "
        "dueAt, the leader acts at firedAt, the worker begins at startedAt and ends at finishedAt.",
    )
    y = 96
    canvas.arrow((20, y), (840, y), kind="strong")
    stops = (
        (100, "scheduledFor", "the trigger's own instant,", "the identity of the due time"),
        (300, "dueAt", "after calendar", "and jitter"),
        (440, "firedAt", "the leader", "has made the run"),
        (590, "startedAt", "a worker", "has begun"),
        (750, "finishedAt", "the run is in", "a final state"),
    )
    for x, name, *lines in stops:
        canvas.parts.append(f'<circle class="box main" cx="{x}" cy="{y}" r="6"/>')
        canvas.words((x, y + 28), name, kind="name code")
        for number, line in enumerate(lines):
            canvas.words((x, y + 48 + 16 * number), line, kind="soft")
    for left, right, text in ((100, 300, "moved by rules"), (300, 440, "lateness"), (590, 750, "an attempt")):
        canvas.parts.append(f'<path class="arrow" d="M{left},{y - 16} v-10 H{right} v10"/>')
        canvas.words(((left + right) / 2, y - 34), text, kind="soft")
    return canvas


def states() -> Canvas:
    canvas = Canvas(
        860,
        330,
        "The states of a run. PENDING to QUEUED to RUNNING to SUCCEEDED. A failed attempt goes to RETRYING and back to "
        "QUEUED, a lost one back to QUEUED at once, the last one to DEAD. All that is not final can become CANCELLED. "
        "A due time that is not to run is SKIPPED from the beginning.",
    )
    size, final = (130, 54), (155, 54)
    canvas.box((30, 90), size, "PENDING", "waits for its turn", kind="main", code=True)
    canvas.box((240, 90), size, "QUEUED", "on the bus", kind="main", code=True)
    canvas.box((450, 90), size, "RUNNING", "a worker has it", kind="main", code=True)
    canvas.box((240, 220), size, "RETRYING", "waits out a backoff", kind="main", code=True)
    canvas.box((690, 20), final, "SUCCEEDED", "final", kind="good", code=True)
    canvas.box((690, 100), final, "DEAD", "final; redriven as new", kind="bad", code=True)
    canvas.box((690, 180), final, "CANCELLED", "final", code=True)
    canvas.box((690, 260), final, "SKIPPED", "final; never begun", code=True)
    canvas.arrow((160, 117), (236, 117), kind="strong")
    canvas.arrow((370, 109), (446, 109), kind="strong")
    canvas.arrow((450, 132), (374, 132), label="lost", at=(412, 148), kind="dashed")
    canvas.arrow((580, 102), (686, 50), label="success", at=(625, 66), kind="strong")
    canvas.arrow((580, 121), (686, 127), label="attempts used up", at=(636, 114))
    canvas.arrow((515, 144), (374, 236), label="an attempt failed", at=(392, 184))
    canvas.arrow((290, 220), (290, 148), label="its time has come", at=(225, 190))
    canvas.arrow((650, 207), (686, 207))
    canvas.words((644, 211), "any of these, when cancelled", kind="soft right")
    canvas.arrow((650, 287), (686, 287))
    canvas.words((644, 291), "due, but not to run", kind="soft right")
    canvas.words((95, 62), "made by a schedule", kind="soft")
    canvas.words((95, 78), "or by a call", kind="soft")
    return canvas


def things() -> Canvas:
    canvas = Canvas(
        860,
        370,
        "What belongs to a tenant: schedules name due times, go by a calendar and order a job; each due time becomes a "
        "run with attempts; workers carry runs of their jobs out; every change is an event.",
    )
    canvas.frame((10, 10), (840, 350), "a tenant: everything below belongs to exactly one")
    canvas.box((40, 130), (150, 64), "schedule", "when, and what", kind="main")
    canvas.box((40, 270), (150, 60), "calendar", "open and closed days")
    canvas.box((270, 130), (130, 64), "due time", "one instant")
    canvas.box((480, 130), (140, 64), "run", "with its attempts", kind="main")
    canvas.box((480, 270), (140, 60), "job", "a kind of work")
    canvas.box((706, 130), (126, 64), "worker", "your program", kind="main")
    canvas.box((706, 270), (126, 60), "lane", "one job's work", "on the bus")
    canvas.box((270, 270), (130, 60), "miss", "a record, no run")
    canvas.box((270, 40), (350, 44), "events", kind="good")
    canvas.words((636, 67), "every change is one", kind="soft left")
    canvas.arrow((190, 162), (266, 162), label="names", at=(228, 154))
    canvas.arrow((115, 270), (115, 198), label="moves or closes", at=(176, 238))
    canvas.arrow((400, 162), (476, 162), label="is one", at=(438, 154), kind="strong")
    canvas.arrow((335, 194), (335, 266), label="or is in one", at=(376, 236))
    canvas.arrow((550, 194), (550, 266), label="of one", at=(574, 236))
    canvas.arrow((620, 300), (702, 300), label="has one", at=(661, 292))
    canvas.arrow((769, 270), (769, 198), label="feeds", at=(792, 236))
    canvas.arrow((706, 162), (624, 162), label="carries out", at=(664, 154), kind="strong")
    canvas.arrow((115, 130), (115, 62), (266, 62), kind="dashed")
    canvas.arrow((550, 130), (550, 88), kind="dashed")
    return canvas


def way_of_a_run() -> Canvas:
    canvas = Canvas(
        860,
        440,
        "The way of a run: a call stores a schedule in Postgres; the leader's tick turns its due time into a run "
        "and sends work to the job's lane on NATS; a worker reports; the intake stores that; the relay tells events.",
    )
    canvas.box((20, 70), (120, 60), "HTTP, CLI", "a schedule", "is stored")
    canvas.frame((190, 30), (330, 350), "Postgres: the truth")
    canvas.frame((580, 30), (140, 350), "NATS: a transport")
    canvas.box((215, 70), (120, 60), "schedules", "next due time")
    canvas.box((375, 170), (120, 60), "runs", "with attempts")
    canvas.box((375, 290), (120, 60), "events", "log and outbox")
    canvas.box((215, 170), (120, 60), "1  fire", "leader's tick", kind="main")
    canvas.box((375, 70), (120, 60), "2  send", "leader", kind="main")
    canvas.box((215, 240), (120, 40), "4  take reports", kind="main")
    canvas.box((215, 300), (120, 40), "5  tell: relay", kind="main")
    canvas.box((595, 70), (110, 60), "lane", "ROTA_WORK")
    canvas.box((595, 190), (110, 60), "reports", "ROTA_REPORTS")
    canvas.box((595, 310), (110, 54), "stream", "ROTA_EVENTS")
    canvas.box((755, 70), (95, 180), "3  worker", "your program,", "anywhere", kind="main")
    canvas.box((755, 310), (95, 54), "listeners")
    canvas.arrow((140, 100), (211, 100))
    canvas.arrow((275, 130), (275, 166))
    canvas.arrow((335, 200), (371, 200), kind="strong")
    canvas.arrow((435, 170), (435, 134), kind="strong")
    canvas.arrow((495, 100), (591, 100), kind="strong", label="work", at=(549, 92))
    canvas.arrow((705, 100), (751, 100), kind="strong")
    canvas.arrow((755, 220), (709, 220))
    canvas.arrow((595, 236), (560, 236), (560, 260), (339, 260), label="STARTED, then the result", at=(648, 275))
    canvas.arrow((335, 250), (400, 250), (400, 234))
    canvas.arrow((470, 230), (470, 286), label="each change", at=(430, 280), kind="dashed")
    canvas.arrow((375, 320), (339, 320))
    canvas.arrow((275, 340), (275, 402), (650, 402), (650, 368), label="in the order of commits", at=(420, 396))
    canvas.arrow((705, 337), (751, 337))
    return canvas


DRAWINGS: Final[Mapping[str, Callable[[], Canvas]]] = {
    "due-time": due_time,
    "states": states,
    "things": things,
    "way-of-a-run": way_of_a_run,
    "packages": packages,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), "utf-8")


if __name__ == "__main__":
    main()
