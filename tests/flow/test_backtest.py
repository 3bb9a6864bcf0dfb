"""bog-backtest from the outside: recordings against the model, hand-written cases, faults."""

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "rig"))
from paper_model import PaperModel

DATA = ROOT.parent / "shared" / "market-data"
ROWS = "recv_ns,exch_ns,kind,side,price,size,id,eom\n"
SCRIPT = "time_ns,action,order,side,price,size,latency_ns\n"
FILLS = "time_ns,order,side,price,size,reason\n"
BOOK = ["10,1,R,b,0,0,1,0", "10,1,L,b,1000,50,1,0", "10,1,L,a,1003,40,1,1"]


def run(tmp_path, *args):
    """Run the command in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "bog.cli.backtest", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def replay(tmp_path, rows, script, *more):
    """Run a small recording and return the lines of its fills and the summary."""
    (tmp_path / "events.csv").write_text(ROWS + "".join(row + "\n" for row in rows))
    (tmp_path / "script.csv").write_text(SCRIPT + "".join(line + "\n" for line in script))
    out = tmp_path / "fills.csv"
    done = run(
        tmp_path,
        "--events",
        tmp_path / "events.csv",
        "--orders",
        tmp_path / "script.csv",
        "--fills",
        out,
        *more,
    )
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert text.startswith(FILLS)
    return text[len(FILLS) :].splitlines(), done.stderr


def recording(name):
    """Return the rows of a recording; skip without the data, unless this is CI."""
    path = DATA / name / "events.csv.gz"
    if not path.exists():
        message = f"{path} is not there: the recordings are not part of the project"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with gzip.open(path, "rt") as file:
        assert next(file) == ROWS
        rows = []
        for line in file:
            recv, _, kind, side, px, qty, _, eom = line.split(",")
            rows.append((kind, int(recv), 0 if side == "b" else 1, int(px), int(qty), eom == "1\n"))
    return path, rows


def make_script(rows, orders, seed):
    """Return script lines: orders near and inside the touch, most of them canceled later."""
    dice = random.Random(seed)
    times = sorted(dice.randrange(rows[0][1], rows[-1][1]) for _ in range(orders))
    book = ({}, {})
    lines = []
    at = 0
    for kind, recv, side, px, qty, eom in rows:
        if kind == "L":
            book[side].pop(px, None)
            if qty:
                book[side][px] = qty
        while eom and at < orders and times[at] < recv and book[0] and book[1]:
            bid, ask = max(book[0]), min(book[1])
            side = dice.randrange(2)
            back = dice.choice([0, 0, 0, 0, 1, 2, 5, 10, 30, -1, -2])
            px = bid - back if side == 0 else ask + back
            size = dice.choice([1, 10, 100, 1000, 20000])
            latency = dice.choice([0, 0, 40_000_000, 200_000_000])
            at += 1
            lines.append(f"{times[at - 1]},send,{at},{'ba'[side]},{px},{size},{latency}")
            if dice.random() < 0.8:
                life = dice.choice([0, 1_000_000, 300_000_000, 3_000_000_000, 20_000_000_000])
                latency = dice.choice([0, 0, 100_000_000, 300_000_000])
                lines.append(f"{times[at - 1] + life},cancel,{at},,,,{latency}")
    dice.shuffle(lines)
    return lines


def model_fills(rows, script, model):
    """Return what the independent model fills, as lines of the output."""
    twin = PaperModel(model=model)
    for number, line in enumerate(script, 2):
        time, action, order, side, px, qty, latency = line.split(",")
        if action == "send":
            age = (int(time), number)
            twin.send(
                order, "ba".index(side), int(px), int(qty), int(time), int(latency), age, number
            )
        else:
            twin.cancel(order, int(time), int(latency), number)
    for row in rows:
        twin.row(*row)
    return [
        f"{now},{order},{'ba'[side]},{px},{qty},{reason}"
        for now, order, side, px, qty, reason in twin.fills
    ]


@pytest.mark.parametrize("model", ["risk", "linear", "square", "front"])
@pytest.mark.parametrize(("name", "orders"), [("lighter-btc", 300), ("binance-btcusdt-perp", 800)])
def test_a_recording_fills_line_for_line_as_the_model_says(tmp_path, name, orders, model):
    path, rows = recording(name)
    script = make_script(rows, orders, seed=orders)
    (tmp_path / "script.csv").write_text(SCRIPT + "".join(line + "\n" for line in script))
    out = tmp_path / "fills.csv"
    done = run(
        tmp_path,
        *("--events", path, "--orders", tmp_path / "script.csv", "--fills", out),
        *("--model", model),
    )
    assert done.returncode == 0, done.stderr
    expected = model_fills(rows, script, model)
    assert {line.rsplit(",", 1)[1] for line in expected} >= {"queue", "through"}
    assert out.read_text() == FILLS + "".join(line + "\n" for line in expected)


def test_an_action_takes_effect_before_the_first_row_at_or_after_its_time(tmp_path):
    """Order 1 arrives with the print of time 30 and meets it, order 2 one ns later and does not."""
    rows = [*BOOK, "30,1,T,a,1001,4,7,1", "40,1,T,a,1001,4,8,1"]
    script = ["20,send,1,b,1001,3,10", "20,send,2,b,1002,3,11"]
    fills, summary = replay(tmp_path, rows, script)
    assert fills == ["30,1,b,1001,3,queue", "40,2,b,1002,3,through"]
    assert "5 rows, 2 orders: 2 fills (1 queue, 1 through, 0 cross)" in summary


def test_a_cancel_at_the_time_of_a_print_comes_first(tmp_path):
    rows = [*BOOK, "30,1,T,a,1001,4,7,1"]
    script = ["20,send,1,b,1001,3,0", "20,cancel,1,,,,10"]
    assert replay(tmp_path, rows, script)[0] == []
    script[1] = "20,cancel,1,,,,11"
    assert replay(tmp_path, rows, script)[0] == ["30,1,b,1001,3,queue"]


def test_a_cancel_before_the_arrival_kills_the_order(tmp_path):
    rows = [*BOOK, "90,1,T,a,1001,4,7,1"]
    sent = "20,send,1,b,1001,3,60"
    assert replay(tmp_path, rows, [sent])[0] == ["90,1,b,1001,3,queue"]
    for cancel in ("21,cancel,1,,,,9", "80,cancel,1,,,,0"):
        assert replay(tmp_path, rows, [sent, cancel])[0] == []
        assert replay(tmp_path, rows, [cancel, sent])[0] == []


def test_age_is_send_order_not_arrival_and_not_the_place_in_the_script(tmp_path):
    rows = [*BOOK, "90,1,T,a,1001,4,7,1"]
    script = ["21,send,late,b,1001,3,0", "20,send,early,b,1001,3,60"]
    assert replay(tmp_path, rows, script)[0] == [
        "90,early,b,1001,3,queue",
        "90,late,b,1001,1,queue",
    ]


def test_a_post_only_order_that_crosses_does_not_fill_and_is_counted(tmp_path):
    rows = [*BOOK, "90,1,T,a,990,400,7,1"]
    fills, summary = replay(tmp_path, rows, ["20,send,1,b,1003,3,0", "20,send,2,a,1000,3,0"])
    assert fills == []
    assert "2 rejected (post-only)" in summary


def test_a_crossed_book_fills_at_our_price_and_uses_a_level_once(tmp_path):
    rows = [
        *BOOK,
        "30,1,L,a,1001,6,2,1",
        "31,1,L,b,990,1,3,1",
        "40,1,L,a,1001,9,4,1",
    ]
    fills, _ = replay(tmp_path, rows, ["20,send,1,b,1002,10,0"])
    assert fills == ["30,1,b,1002,6,cross", "40,1,b,1002,4,cross"]


def test_touch_rows_are_no_market(tmp_path):
    rows = [*BOOK, "30,1,B,a,1001,6,2,1", "31,1,B,b,1000,1,2,1"]
    assert replay(tmp_path, rows, ["20,send,1,b,1002,10,0"])[0] == []


def test_the_full_depth_counts(tmp_path):
    """Twenty levels down the order still stands behind what is displayed there."""
    levels = [f"10,1,L,b,{1000 - n},50,1,0" for n in range(1, 30)]
    rows = [*BOOK[:2], *levels, BOOK[2], "30,1,T,a,980,53,7,1"]
    assert replay(tmp_path, rows, ["20,send,1,b,980,10,0"])[0] == ["30,1,b,980,3,queue"]


def test_an_optimistic_model_is_labelled(tmp_path):
    rows = [*BOOK, "30,1,T,a,1000,4,7,1"]
    script = ["20,send,1,b,1000,3,0"]
    fills, summary = replay(tmp_path, rows, script, "--model", "front")
    assert fills == ["30,1,b,1000,3,queue"]
    assert "model front (an optimistic bound, not a result)" in summary
    fills, summary = replay(tmp_path, rows, script)
    assert fills == []
    assert "bound" not in summary


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x,send,1,b,1,1,0", "line 2: time_ns is 'x', must be a whole number of ns"),
        ("-1,send,1,b,1,1,0", "line 2: time_ns is '-1', must be a whole number of ns"),
        ("1,buy,1,b,1,1,0", "line 2: action is 'buy', must be 'send' or 'cancel'"),
        ("1,send,,b,1,1,0", "line 2: order is '', must be a name"),
        ("1,send,1,B,1,1,0", "line 2: side is 'B', must be 'b' (bid) or 'a' (ask)"),
        ("1,send,1,b,0,1,0", "line 2: price is '0', must be a whole number of ticks from 1"),
        ("1,send,1,b,1.5,1,0", "line 2: price is '1.5', must be a whole number of ticks"),
        ("1,send,1,b,1,0,0", "line 2: size is '0', must be a whole number of lots from 1"),
        ("1,send,1,b,1, 3,0", "line 2: size is ' 3', must be a whole number of lots"),
        ("1,send,1,b,1,1,1e6", "line 2: latency_ns is '1e6', must be a whole number of ns"),
        ("1,send,1,b,1,1", "has 6 columns, must have 7"),
        ("1,cancel,9,,,,0", "line 2: order is '9', which no line sends"),
        ("1,send,1,b,1,1,0\n2,send,1,b,1,1,0", "line 3: order is '1', which line 2 sends already"),
        ("9" * 60 + ",send,1,b,1,1,0", "must be a whole number of ns from 0 to"),
    ],
)
def test_each_fault_of_a_script_is_one_line(tmp_path, line, said):
    (tmp_path / "events.csv").write_text(ROWS + "".join(row + "\n" for row in BOOK))
    (tmp_path / "script.csv").write_text(SCRIPT + line + "\n")
    out = tmp_path / "fills.csv"
    done = run(
        tmp_path,
        *("--events", tmp_path / "events.csv", "--orders", tmp_path / "script.csv"),
        *("--fills", out),
    )
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert said in first
    assert last.endswith("1 fault in the script")
    assert not out.exists()


def test_faults_of_several_lines_are_all_named_in_order(tmp_path):
    (tmp_path / "script.csv").write_text(SCRIPT + "1,send,1,q,0,1,0\n2,cancel,1,,,,z\n")
    done = run(
        tmp_path, *("--events", "none", "--orders", tmp_path / "script.csv", "--fills", "none")
    )
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1:3] for line in lines[:3]] == [
        ["line 2", "side is 'q', must be 'b' (bid) or 'a' (ask)"],
        ["line 2", lines[1].split(": ")[2]],
        ["line 3", lines[2].split(": ")[2]],
    ]
    assert lines[3].endswith("3 faults in the script")


@pytest.mark.parametrize("text", ["", "time_ns,action,order\n", ROWS])
def test_a_wrong_header_is_refused(tmp_path, text):
    (tmp_path / "script.csv").write_text(text)
    done = run(
        tmp_path, *("--events", "none", "--orders", tmp_path / "script.csv", "--fills", "none")
    )
    assert done.returncode == 2
    assert "line 1: the header is" in done.stderr


def test_missing_files_and_damaged_recordings_are_one_line(tmp_path):
    script = tmp_path / "script.csv"
    done = run(tmp_path, *("--events", "none", "--orders", script, "--fills", "none"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "script.csv: cannot be read" in done.stderr
    script.write_text(SCRIPT)
    done = run(tmp_path, *("--events", tmp_path / "no", "--orders", script, "--fills", "none"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / "events.csv").write_text(ROWS + "10,1,L,b,abc,50,1,1\n")
    out = tmp_path / "fills.csv"
    done = run(tmp_path, *("--events", tmp_path / "events.csv", "--orders", script, "--fills", out))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_help_teaches_with_an_example(tmp_path):
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    assert (
        "bog-backtest --events events.csv.gz --orders script.csv --fills fills.csv" in done.stdout
    )
    assert SCRIPT.strip() in done.stdout
