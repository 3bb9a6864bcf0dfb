"""Looks for a key and each k where they must not be: `python tests/rig/sign_scan.py DIR`.

DIR holds a private key file, `key`. Started by root it first becomes nobody. A forked victim loads
the key and signs; this process knows the key from the file afterwards, so from each signature it
computes k = s + e sk and searches memory, files, /proc and a core dump for any 8 bytes
of them. Prints what it searched, one line each; leaves with 1 at the first find.
"""

import base64
import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from bog._core.signer import NotSigned, Signer, harden

ORDER = 0x7FFFFFFD800000077FFFFFF1000000167FFFFFE6CFB80639E8885C39D724A09CE80FD996948BFFE1
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
NOBODY = 65534
SETTINGS = {
    "chain_id": 300, "account_index": 7, "key_index": 4, "markets": {}, "daily_notional": 0,
    "pairs": 64,
}  # fmt: skip


def become_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # a process that changed its user is closed to its own kind; open it again
        assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.alarm(120)


class Victim:
    """A child that holds the key and does what it is told, one line each way."""

    def __init__(self, key: Path, hardened: bool = False) -> None:
        to_child, self.out = os.pipe()
        self.into, from_child = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            die_with_parent()
            os.close(self.out)
            os.close(self.into)
            try:
                self.serve(key, hardened, os.fdopen(to_child), os.fdopen(from_child, "w"))
            finally:
                os._exit(1)
        os.close(to_child)
        os.close(from_child)
        self.reader = os.fdopen(self.into)

    @staticmethod
    def serve(key: Path, hardened: bool, commands: object, answers: object) -> None:
        if hardened:
            harden()
        signer = Signer.from_file(key, **SETTINGS)
        for line in commands:
            verb, count = line.split()
            if verb == "sign":
                answer = [signer.cancel_all(n, 1).text.decode() for n in range(int(count))]
            elif verb == "fill":
                answer = signer.fill(int(count))
            elif verb == "fork":
                answer = os.fork()
                if answer == 0:
                    die_with_parent()
                    try:
                        signer.cancel_all(1, 1)
                        Path("forked").write_text("signed")
                    except NotSigned as refused:
                        Path("forked").write_text(str(refused))
                    signal.pause()
            elif verb == "abort":
                signal.signal(signal.SIGABRT, signal.SIG_DFL)
                os.abort()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    def ask(self, command: str) -> object:
        os.write(self.out, command.encode() + b"\n")
        return json.loads(self.reader.readline())

    def end(self) -> None:
        os.write(self.out, b"abort 0\n")
        os.waitpid(self.pid, 0)


def memory(pid: int) -> tuple[bytes, bytes]:
    """Return (locked vaults, everything else) of a process."""
    vault, rest, flags = [], [], {}
    place = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            place = line
        elif head == "VmFlags:":
            flags[place] = set(line.split()[1:])
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for mapping, has in flags.items():
            low, high = (int(x, 16) for x in mapping.split()[0].split("-"))
            if "wr" not in has or "[v" in mapping:
                continue
            file.seek(low)
            data = b""
            while len(data) < high - low:
                part = file.read(high - low - len(data))
                if not part:
                    break
                data += part
            (vault if {"lo", "dd", "wf"} <= has else rest).append(data)
    return b"\0".join(vault), b"\0".join(rest)


def limbs(number: int) -> list[bytes]:
    data = (number % ORDER).to_bytes(40, "little")
    return [data[at : at + 8] for at in range(0, 40, 8)]


def ks(key: int, texts: object) -> list[bytes]:
    """Return the 8-byte parts of the k of signatures, and of their products with the key."""
    found = []
    for text in texts:
        signature = base64.b64decode(json.loads(text)["Sig"])
        s, e = (int.from_bytes(part, "little") for part in (signature[:40], signature[40:]))
        found += limbs(s + e * key) + limbs(e * key)
    return found


def absent(where: str, data: bytes, needles: list[bytes]) -> None:
    """Search every byte of `data`: for all 8-byte needles at once, for longer ones each."""
    words = np.unique(np.frombuffer(b"".join(n for n in needles if len(n) == 8), np.uint64))
    found = [n for n in needles if len(n) != 8 and n in data]
    for shift in range(8):
        view = np.frombuffer(data, np.uint64, max(len(data) - shift, 0) // 8, shift)
        near = np.minimum(np.searchsorted(words, view), len(words) - 1)
        found += [int(at) * 8 + shift for at in np.flatnonzero(words[near] == view)]
    if found:
        sys.exit(f"sign_scan: secrets in {where}: {found[:9]}")
    print(f"no secret in {where}: {len(data)} bytes, {len(needles)} needles", flush=True)


def core_of(pid: int) -> Path | None:
    for name in ("core", f"core.{pid}"):
        if Path(name).exists():
            return Path(name)
    return None


def main() -> None:
    signal.alarm(120)
    folder = Path(sys.argv[1])
    become_nobody(folder)
    victim = Victim(folder / "key")
    assert victim.ask("fill 64") == 64
    used = victim.ask("sign 20")
    vault, rest = memory(victim.pid)
    later = victim.ask("sign 44")
    slow = victim.ask("sign 5")
    _, rest_after = memory(victim.pid)
    vault_after = memory(victim.pid)[0]
    assert victim.ask("fill 8") == 8
    child = victim.ask("fork 0")
    for _ in range(1000):
        if Path("forked").exists() and Path("forked").read_text():
            break
        time.sleep(0.01)
    child_vault, child_rest = memory(child)
    last = victim.ask("sign 8")

    # from here on this process knows the key; it forks no more that should not
    text = (folder / "key").read_text().strip().removeprefix("0x")
    plain = bytes.fromhex(text)
    key = int.from_bytes(plain, "little")
    inside = limbs(key * 2**320)
    words = [text[at : at + 16].encode() for at in range(0, 80, 16)]
    words += [word.upper() for word in words] + [base64.b64encode(plain)[at : at + 12]
                                                for at in range(0, 48, 12)]  # fmt: skip
    secret = limbs(key) + inside + words + ks(key, used + slow)
    # the search finds what is there
    for needle in inside + [n for at, n in enumerate(ks(key, later)) if at % 10 < 5]:
        assert needle in vault, "the vault does not hold what it must"
    absent("memory outside the vault", rest, secret + ks(key, later))
    absent("memory after a slow signature", rest_after, secret + ks(key, later + last))
    absent("the vault: a key in plain form, a used k", vault, limbs(key) + ks(key, used))
    absent("the vault after all were used", vault_after, ks(key, used + later + slow))
    assert "has no key" in Path("forked").read_text(), Path("forked").read_text()
    everything = secret + ks(key, later + last)
    assert child_vault == b"", "a child inherits no lock, so its vault is among the rest"
    absent("a forked child", child_rest, everything)
    os.kill(child, signal.SIGKILL)
    for name in ("cmdline", "environ", "maps", "status", "stat", "limits", "comm"):
        absent(f"/proc/PID/{name}", Path(f"/proc/{victim.pid}/{name}").read_bytes(), everything)
    victim.end()
    core = core_of(victim.pid)
    if core:
        data = core.read_bytes()
        assert b"cancel_all" in data, "the core dump is empty"
        absent("the core dump", data, everything)
        core.unlink()
    else:
        print("no core dump to search: this host's core_pattern puts it elsewhere")
    hardened = Victim(folder / "key", hardened=True)
    hardened.ask("sign 1")
    try:
        memory(hardened.pid)
        sys.exit("sign_scan: a hardened process can be read by its own user")
    except PermissionError:
        print("a hardened process cannot be read")
    hardened.end()
    assert core_of(hardened.pid) is None, "a hardened process left a core dump"
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "key":
            absent(f"file {path.name}", path.read_bytes(), everything)
    print("scanned")


main()
