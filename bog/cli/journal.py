"""bog-journal: read, verify and export what the market maker wrote down."""

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from bog import signed
from bog._core.fold import Fold
from bog._core.journal import PAGE
from bog._core.types import JournalKind, StateWord
from bog.errors import ConfigError, JournalDamaged, run
from bog.journal import RECORD, Run, cut_off, decode, kind_name, read
from bog.recovery import run_files

KINDS = [kind_name(kind) for kind in JournalKind]
EXAMPLES = """\b
Examples:
  bog-journal show journal/ --kind fill | jq -r '[.time_ns,.side,.price,.size]|@tsv'
  bog-journal show journal/m1-r00000003.journal --order 17
  bog-journal check journal/ --signatures
  bog-journal export journal/ --format parquet --out journal.parquet
"""


@click.group(name="bog-journal", epilog=EXAMPLES)
def cli() -> None:
    """Read the journal: every intent, report and risk event of a run, in order.

    PATH is one run's file, m<market>-r<run>.journal, or a directory of them (all its runs in
    order). Nothing here but cut writes to a journal, and a journal that is being written can be read:
    what is shown is what has reached the disk. A torn tail, as the loss of power leaves it, is passed
    over and said on stderr; damage before the tail ends a command with exit code 75.
    """


def runs(path: Path, market: int | None) -> Iterator[Run]:
    """Yield the runs behind `path` in order; say what is torn on stderr."""
    if path.is_dir():
        paths = [found for _, _, found in run_files(path, market)]
        if not paths:
            raise ConfigError(f"{path} holds no journal (files m<market>-r<run>.journal)")
    else:
        paths = [path]
    for file in paths:
        if file.stat().st_size <= PAGE and len(paths) > 1:
            click.echo(f"{file}: empty: its process died while it started", err=True)
            continue
        whole = read(file)
        if whole.torn:
            click.echo(f"{file}: torn tail of {whole.torn} bytes passed over", err=True)
        yield whole


def wanted(
    whole: Run, kinds: tuple[str, ...], order: int | None
) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return the records of the given kinds (all when none is given) and of one order."""
    records = whole.records
    if kinds:
        codes = [kind for kind in JournalKind if kind_name(kind) in kinds]
        records = records[np.isin(records["kind"], codes)]
    if order is not None:
        of_order = (records["kind"] >= JournalKind.J_PLACE) & (
            records["kind"] <= JournalKind.J_UNKNOWN
        )
        records = records[of_order & (records["id"] == order)]
    return records


path_argument = click.argument("path", type=click.Path(exists=True, path_type=Path))
market_option = click.option("--market", type=int, help="Only this market's runs of a directory.")
kind_option = click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these; may be repeated."
)
order_option = click.option("--order", type=int, help="Only the life of this order id.")


@cli.command()
@path_argument
@market_option
@kind_option
@order_option
@click.option("--follow", is_flag=True, help="Wait for more of the last run, until Ctrl-C.")
def show(
    path: Path, market: int | None, kinds: tuple[str, ...], order: int | None, follow: bool
) -> None:
    """Print records as JSON lines: names for numbers, prices and sizes in the market's decimals.

    Money (fee, paid, peak, equity) is in the quote currency, exact. Times are those of the engine's
    clock: Unix nanoseconds in a replay or simulation, CLOCK_MONOTONIC when attached to a feed, then
    unix_offset_ns of the run record makes them Unix time.
    """
    last = None
    for last in runs(path, market):
        for record in wanted(last, kinds, order).tolist():
            click.echo(json.dumps(decode(last.header, record)))
    while follow and last is not None:
        shown = len(last.records)
        time.sleep(0.2)
        last = read(last.path)
        news = Run(last.path, last.header, last.records[shown:], last.torn)
        for record in wanted(news, kinds, order).tolist():
            click.echo(json.dumps(decode(last.header, record)))


@cli.command()
@path_argument
@market_option
@click.option("--signatures", is_flag=True, help="Verify what was signed in each run, too.")
def check(path: Path, market: int | None, *, signatures: bool) -> None:
    """Verify seals and numbers, replay every record, and say what does not add up.

    After each record: cash = realized - cost - fees + funding, exactly; each order moves only as
    an order can; a run starts with what the run before it left. One closing line; exit code 75
    when anything is wrong.

    With --signatures each signed transaction beside a run (m<market>-r<run>.signed) is hashed again
    and its signature verified; a line says how many there are and whose. On paper nothing is signed.
    """
    files = records = torn = 0
    findings = []
    before: dict[int, Fold] = {}
    for whole in runs(path, market):
        files += 1
        records += len(whole.records)
        torn += whole.torn
        fold = Fold()
        for number, record in enumerate(whole.records, 1):
            was_ready = fold.ready
            doubt = fold.apply(record.tobytes())
            if not doubt and fold.ready and not fold.adds_up:
                doubt = f"cash, cost and profit do not add up: {fold.words}"
            if record["market"] != whole.header.market:
                doubt = f"it is of market {record['market']}"
            if fold.ready and not was_ready and whole.header.market in before:
                doubt = doubt or carried(before[whole.header.market], fold)
            if doubt:
                findings.append(f"{whole.path}: record {number}: {doubt}")
        if fold.ready:
            before[whole.header.market] = fold
        if signatures:
            findings += check_signed(whole)
    for finding in findings[:20]:
        click.echo(finding, err=True)
    summary = f"{files} runs, {records} records, {torn} torn bytes"
    if findings:
        raise JournalDamaged(f"{summary}: {len(findings)} findings")
    click.echo(f"{path}: sound: {summary}")


def check_signed(whole: Run) -> list[str]:
    """Verify the signed transactions of a run, say whose they are, and return what is wrong."""
    path = signed.beside(whole.path)
    if not path.exists():
        click.echo(f"{whole.path}: nothing was signed")
        return []
    found = signed.read(path)
    if found.torn:
        click.echo(f"{path}: torn tail of {found.torn} bytes passed over", err=True)
    owner = found.owner
    if owner is None:
        click.echo(f"{path}: nothing was signed")
        return []
    click.echo(
        f"{path}: {found.count} transactions, {len(found.findings)} findings; key "
        f"{owner.key_index} of account {owner.account} on chain {owner.chain_id}, public key "
        f"{owner.public_key.hex()}"
    )
    if owner.account != whole.header.account:
        return [f"{path}: it is of account {owner.account}, its journal of {whole.header.account}"]
    return list(found.findings)


def carried(before: Fold, now: Fold) -> str:
    """Return which state words a run did not take over from the run before it."""
    wrong = [
        str(StateWord(word).name)
        for word, (left, taken) in enumerate(zip(before.words, now.words, strict=True))
        if left != taken and word != StateWord.W_LEVEL  # a level above RUN ends with its run
    ]
    return f"differs from the end of the run before in {', '.join(wrong)}" if wrong else ""


@cli.command()
@path_argument
@market_option
@kind_option
@order_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet"]),
    required=True,
    help="jsonl: as `show` prints; csv, parquet: one column a field, integers as on disk.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
def export(
    path: Path,
    market: int | None,
    kinds: tuple[str, ...],
    order: int | None,
    *,
    form: str,
    out: Path,
) -> None:
    """Write records to a file for other tools.

    CSV and Parquet have the run, the kind's name and a column for each field of a record
    (docs/formats.md), and keep ticks, lots and quanta as integers; price_decimals and size_decimals
    stand in each row. Parquet needs pyarrow: pip install 'bog-mm[data]'.
    """
    parts = [(whole.header, wanted(whole, kinds, order)) for whole in runs(path, market)]
    count = sum(len(records) for _, records in parts)
    if form == "jsonl":
        with out.open("w") as file:
            for header, records in parts:
                for record in records.tolist():
                    file.write(json.dumps(decode(header, record)) + "\n")
    else:
        columns = table(parts)
        if form == "csv":
            with out.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(
                    zip(*(column.tolist() for column in columns.values()), strict=True)
                )
        else:
            write_parquet(columns, out)
    click.echo(f"{out}: {count} records as {form}", err=True)


def table(parts: list[Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of several runs, one after the other."""
    records = np.concatenate([records for _, records in parts])
    lengths = [len(records) for _, records in parts]
    names = np.array([kind_name(kind) for kind in range(256)])
    columns = {
        "run": np.repeat([header.run for header, _ in parts], lengths),
        "name": names[records["kind"]],
    }
    for decimals in ("price_decimals", "size_decimals"):
        columns[decimals] = np.repeat([getattr(header, decimals) for header, _ in parts], lengths)
    return columns | {name: records[name] for name in RECORD.names or ()}


def write_parquet(columns: dict[str, np.ndarray[Any, Any]], out: Path) -> None:
    """Write columns as one Parquet file, zstd with the kind's name as a dictionary."""
    try:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            "--format parquet needs pyarrow, which is not installed: pip install 'bog-mm[data]'"
        ) from None
    parquet.write_table(pyarrow.table(columns), out, compression="zstd", use_dictionary=["name"])


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def cut(file: Path) -> None:
    """Cut a damaged FILE, the newest of its market, where the damage begins.

    For a host that lost power with pages of the journal on the disk that follow pages which are not:
    bog-live refuses such a file, because it cannot tell them from records that were lost since. What
    is kept had been written before; the file as it was stays beside it, as FILE.damaged. What happened
    after the cut only the venue knows: on paper it is lost. A live start asks for it: orders that
    rest are canceled, fills are booked and halt, a position that differs halts.
    """
    before, at = cut_off(file)
    click.echo(
        f"{file}: cut after record {(at - PAGE) // RECORD.itemsize}, {before - at} bytes are in"
        f" {file.name}.damaged only"
    )


def main() -> None:
    """Run the command and leave with its exit code."""
    run(cli)


if __name__ == "__main__":
    main()
