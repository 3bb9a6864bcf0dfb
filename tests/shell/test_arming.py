"""Arming: the token binds what bog-arm showed, is good once, for ten minutes, for its owner."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import arming, config, credentials
from bog.errors import ConfigError
from bog.settings import Settings

NOW = 1_800_000_000 * 10**9
BUILD = "bog-mm 1 0123456789ab"
MINUTE = 60 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the keys of an account, which hold no real secret."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("quoting", "guardian"):
        (keys / name).write_text("not a key")
        (keys / name).chmod(0o600)
    return tmp_path


def settings_of(folder: Path, **changed: Any) -> Settings:
    """Return the settings of a live account; `changed` has two underscores for a dot."""
    tree: dict[str, Any] = {
        "execution": {"mode": "live", "dry_run": False},
        "feed": {"source": "huginn"},
        "journal": {"directory": str(folder / "journal")},
        "live": {
            "account_index": 17, "chain_id": 300, "rest_url": "http://127.0.0.1:7",
            "ws_url": "ws://127.0.0.1:7/stream", "quoting_credential": f"{folder}/keys/quoting",
            "quoting_index": 2, "guardian_credential": f"{folder}/keys/guardian",
            "guardian_index": 4, "arm_directory": str(folder / "arm"),
        },
    }  # fmt: skip
    for key, value in changed.items():
        section, name = key.split("__", 1)
        tree.setdefault(section, {})[name] = value
    return config.load("production", tree, {})


def armed(folder: Path, **changed: Any) -> str:
    settings = settings_of(folder, **changed)
    return arming.write(str(folder / "arm"), arming.facts_of(settings, [1], BUILD), NOW)


def refused(path: str, settings: Settings, markets: list[int] | None = None, build: str = BUILD,
            now: int = NOW + MINUTE) -> str:  # fmt: skip
    with pytest.raises(ConfigError) as error:
        arming.consume(path, settings, markets or [1], build, now)
    assert not Path(path).exists() or "mode" in str(error.value) or "names" in str(error.value)
    return str(error.value)


def test_what_is_shown_names_account_chain_market_limits_fees_keys_and_build(folder: Path) -> None:
    facts = arming.facts_of(settings_of(folder), [1, 0], BUILD)
    assert facts["account"] == "17"
    assert facts["chain"] == "300 (testnet)"
    assert (facts["rest_url"], facts["ws_url"]) == ("http://127.0.0.1:7", "ws://127.0.0.1:7/stream")
    assert facts["markets"] == "1 BTC, 0 ETH"
    assert (facts["maker_fee_ppm"], facts["tier"]) == ("0", "standard of 2026-09-26")
    assert facts["market 1 risk.max_position"] == facts["market 0 risk.max_position"] == "1"
    assert facts["quoting key"] == f"index 2, {folder}/keys/quoting"
    assert facts["taking key"] == "none"
    assert facts["build"] == BUILD
    assert facts["sends"] == "orders"
    assert facts["market 1 configuration"] == config.config_hash(settings_of(folder).of(1))
    assert not any("not a key" in value for value in facts.values())


def test_a_token_is_private_and_good_once(folder: Path) -> None:
    path = armed(folder)
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert os.stat(folder / "arm").st_mode & 0o7777 == 0o700
    assert arming.consume(path, settings_of(folder), [1], BUILD, NOW + MINUTE) == {}
    assert os.listdir(folder / "arm") == []
    line = refused(path, settings_of(folder))
    assert "No such file" in line and "bog-arm makes a new one" in line


def test_of_many_starts_with_one_token_one_gets_it(folder: Path) -> None:
    path, settings = armed(folder), settings_of(folder)
    won, lost = [], []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        try:
            won.append(arming.consume(path, settings, [1], BUILD, NOW + MINUTE))
        except ConfigError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


OTHER: list[tuple[str, dict[str, Any]]] = [
    ("account", {"live__account_index": 18}),
    ("chain", {"live__chain_id": 304}),
    ("rest_url", {"live__rest_url": "http://127.0.0.1:8"}),
    ("ws_url", {"live__ws_url": "ws://127.0.0.1:8/stream"}),
    ("sends", {"execution__dry_run": True}),
    ("gateway", {"live__gateway": "json"}),
    ("strategy", {"strategy__name": "inventory"}),
    ("tier", {"execution__tier": "premium"}),
    ("portfolio.max_exposure_quote", {"portfolio__max_exposure_quote": 1000}),
    ("market 1 risk.max_position", {"risk__max_position": "1.5"}),
    ("market 1 risk.max_daily_loss", {"risk__max_daily_loss": "5000.01"}),
    ("quoting key", {"live__quoting_index": 7}),
    ("guardian key", {"live__guardian_index": 7}),
    ("max_decision_age_ms", {"live__max_decision_age_ms": 251}),
    ("tx_expiry_sec", {"live__tx_expiry_sec": 16}),
    ("dead_man_sec", {"live__dead_man_sec": 361}),
    ("journal", {"journal__directory": "/elsewhere"}),
    ("market 1 configuration", {"breaker__max_fills": 199}),
]


@pytest.mark.parametrize(("fact", "changed"), OTHER, ids=[fact for fact, _ in OTHER])
def test_another_start_than_the_one_agreed_to_is_refused_by_the_name_of_what_differs(
    folder: Path, fact: str, changed: dict[str, Any]
) -> None:
    path = armed(folder)
    line = refused(path, settings_of(folder, **changed))
    assert f": {fact} is " in line and line.endswith("run bog-arm again"), line


def test_another_build_or_other_markets_are_refused(folder: Path) -> None:
    line = refused(armed(folder), settings_of(folder), build="bog-mm 1 ba9876543210")
    assert ": build is 'bog-mm 1 ba9876543210' now and was 'bog-mm 1 0123456789ab'" in line
    assert ": markets is " in refused(armed(folder), settings_of(folder), markets=[0])
    assert ": markets is " in refused(armed(folder), settings_of(folder), markets=[1, 0])


def test_a_token_lives_ten_minutes_and_not_before_it_was_made(folder: Path) -> None:
    settings = settings_of(folder)
    arming.consume(armed(folder), settings, [1], BUILD, NOW)
    arming.consume(armed(folder), settings, [1], BUILD, NOW + 10 * MINUTE - 1)
    for now in (NOW - 1, NOW + 10 * MINUTE, NOW + 1000 * MINUTE):
        assert "want 0 to 600" in refused(armed(folder), settings, now=now)


def edited(path: str, **changed: Any) -> str:
    token = json.loads(Path(path).read_text()) | changed
    Path(path).write_text(json.dumps(token))
    return path


def test_a_token_that_was_edited_is_refused(folder: Path) -> None:
    settings = settings_of(folder)
    for changed in (
        {"until_ns": NOW + 1000 * MINUTE}, {"version": 2}, {"digest": "0" * 64}, {"facts": []},
        {"made_ns": "now"}, {"facts": {}},
    ):  # fmt: skip
        refused(edited(armed(folder), **changed), settings)
    path = armed(folder)
    facts = json.loads(Path(path).read_text())["facts"]
    assert "(extra)" in refused(
        edited(
            path, facts=facts | {"extra": "1"}, digest=arming.digest(facts | {"extra": "1"}, {})
        ),
        settings,
    )
    Path(path := armed(folder)).write_bytes(b"x" * 70_000)
    assert "not a token" in refused(path, settings)


def test_a_token_of_another_mode_or_another_kind_of_file_is_refused(folder: Path) -> None:
    settings = settings_of(folder)
    path = armed(folder)
    os.chmod(path, 0o644)
    assert "has mode 644, want 600" in refused(path, settings)
    os.chmod(path, 0o600)
    os.link(path, folder / "second")
    with pytest.raises(ConfigError, match="not a regular file of one name"):
        arming.consume(path, settings, [1], BUILD, NOW)
    os.unlink(folder / "second")
    (folder / "way").symlink_to(path)
    with pytest.raises(ConfigError, match="symbolic links"):
        arming.consume(str(folder / "way"), settings, [1], BUILD, NOW)
    with pytest.raises(ConfigError, match="Is a directory"):
        arming.consume(str(folder), settings, [1], BUILD, NOW)
    assert Path(path).exists()


def test_a_folder_that_others_may_write_to_gets_no_token(folder: Path) -> None:
    (folder / "arm").mkdir()
    (folder / "arm").chmod(0o777)
    with pytest.raises(ConfigError, match="others may write to"):
        armed(folder)
    assert os.listdir(folder / "arm") == []


def test_a_token_adopts_what_was_agreed_to_and_no_other_position(folder: Path) -> None:
    settings = settings_of(folder)
    facts = arming.facts_of(settings, [1], BUILD)
    held = {1: [500, -20, 123_456_789]}
    said = arming.adopts_of(settings, held)
    assert said == {
        "market 1 adopts": "position -0.00020 that cost 123.456789, in place of 0.00500"
    }
    path = arming.write(str(folder / "arm"), facts, NOW, held)
    assert arming.consume(path, settings, [1], BUILD, NOW + 1) == held
    for rows in ([], [[1, 500, -21, 123_456_789]], [[1, 500, -20]], "x", None):
        path = arming.write(str(folder / "arm"), facts, NOW, held)
        edited(path, adopted=rows)
        with pytest.raises(ConfigError, match="digest is not of these facts"):
            arming.consume(path, settings, [1], BUILD, NOW + 1)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), min_size=2, max_size=6), st.data())
def test_law_a_digest_is_of_every_name_and_value_in_their_order(
    facts: dict[str, str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(facts)))
    before = arming.digest(facts, {})
    assert arming.digest(dict(facts), {}) == before
    assert arming.digest(facts | {name: facts[name] + "1"}, {}) != before
    assert arming.digest({k: v for k, v in facts.items() if k != name}, {}) != before
    assert arming.digest(dict(reversed(facts.items())), {}) != before


# where keys are kept


def test_a_credential_is_a_private_file_that_nobody_else_can_replace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "keys" / "quoting"
    assert credentials.find("k", str(path)) == str(path)
    for mode in (0o640, 0o604, 0o700, 0o660):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=rf"^k: .* has mode {mode:03o}, want 600 or 400$"):
            credentials.find("k", str(path))
    path.chmod(0o400)
    credentials.find("k", str(path))
    with pytest.raises(ConfigError, match="No such file"):
        credentials.find("k", str(folder / "keys" / "nothing"))
    (folder / "keys" / "way").symlink_to(path)
    with pytest.raises(ConfigError, match="not a regular file"):
        credentials.find("k", str(folder / "keys" / "way"))
    (folder / "keys").chmod(0o777)
    with pytest.raises(ConfigError, match="others may replace files"):
        credentials.find("k", str(path))
    (folder / "keys").chmod(0o700)
    # a name without a slash is one of systemd's, never a file that happens to lie here
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="systemd handed over no credentials"):
        credentials.find("k", "quoting")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "keys"))
    assert credentials.find("k", "quoting") == str(path)
