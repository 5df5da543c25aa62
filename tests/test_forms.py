"""Every form of a leak, wherever it is met: as a file, staged, in history. One repository holds them all."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import defaultdict

from scanner import gitcommand
from scanner.examples import expand
from scanner.model import Source
from scanner.pipeline import scan
from scanner.rules import load_builtin
from scanner.sources.history import History
from scanner.sources.staged import Staged
from scanner.sources.tree import WorkTree
from tests.confirm import keys_made
from tests.confirm.test_aws import ALONE, NEAR_MISSES, NO_IDS, PAIRS, fill
from tests.confirm.test_console import COMMANDS, MAILS, NO_MAILS
from tests.conftest import Repo, Secrets
from tests.decode.test_decode import ENCODINGS

Found = dict[str, set[tuple[str, int, int, str]]]


GENERIC = {rule.id for rule in load_builtin().rules if rule.generic}
"""What looks like a key of AWS and is none may still be a password by its name."""


def found(source: Source) -> Found:
    """By path: rule, line, column and fingerprint of what a source yields."""
    report = scan([source])
    assert report.skipped == ()
    places: Found = defaultdict(set)
    for finding in report.findings:
        for where in finding.locations:
            places[where.origin.path or ""].add((finding.rule.id, where.line, where.column, finding.fingerprint))
    return places


def test_every_form_is_found_as_a_file_staged_and_in_history(repo: Repo, secrets: Secrets) -> None:
    forms: dict[str, tuple[str, set[str]]] = {}
    for name, text in PAIRS.items():
        content = fill(text, secrets.aws_id(), secrets.aws_secret(), "IQoJb3JpZ2lu" + secrets.aws_secret() * 5)
        forms[f"pair {name}"] = content, {"aws-access-key-id", "aws-secret-access-key"}
    for name, text in ALONE.items():
        forms[f"alone {name}"] = fill(text, "", secrets.aws_secret()), {"aws-secret-access-key"}
    for name, text in MAILS.items():
        forms[f"mail {name}"] = expand(text).replace("<PW>", secrets.password()), {"aws-console-password"}
    for rule, texts in COMMANDS.items():
        for number, text in enumerate(texts):
            forms[f"{rule} {number}"] = expand(text).replace("<PW>", secrets.password()), {rule}
    for name, text in {**NEAR_MISSES, **NO_IDS, **NO_MAILS}.items():
        if "beside an id" not in name:
            forms[f"near miss {name}"] = expand(text).replace("<PW>", secrets.password()), set()
    binary = _keys_and_encodings(secrets)
    for name, (content, _) in forms.items():
        repo.write(f"{name.replace('/', '-')}.txt", content)
    for name, (data, _) in binary.items():
        repo.write(name, data)
    repo.git("add", "-A")
    repository = gitcommand.find(str(repo.path))
    assert repository

    tree, staged = found(WorkTree(repository)), found(Staged(repository))
    repo.git("commit", "-q", "-m", "everything")
    history = found(History(repository))
    repo.git("gc", "-q")
    packed = found(History(repository))

    assert len(forms) > 180
    for name, (content, rules) in forms.items():
        path = f"{name.replace('/', '-')}.txt"
        generic = GENERIC if name.startswith("near miss") else set()
        assert {row[0] for row in tree[path]} - {"aws-session-token"} - generic == rules, (name, content)
        assert tree[path] == staged[path] == history[path] == packed[path], name
    assert len(binary) > 30
    for name, (_, rules) in binary.items():
        assert {row[0] for row in tree[name]} == rules, name
        assert tree[name] == staged[name] == history[name] == packed[name], name


def _keys_and_encodings(secrets: Secrets) -> dict[str, tuple[bytes, set[str]]]:
    """By file name: every kind of armoured key, and an AWS pair in every encoding and in archives."""
    pair = {"aws-access-key-id", "aws-secret-access-key"}
    found = {
        f"key {name}".replace("/", "-"): (text().encode(), {rule}) for name, (rule, text, _, _) in keys_made.ARMOURED.items()
    }
    for name, (encode, _) in ENCODINGS.items():
        found[f"encoded {name}".replace("/", "-").replace("\\", "-")] = encode(secrets.aws_file().encode()), pair
    found["latin-1.ini"] = ("; Schlüssel für München\n" + secrets.aws_file()).encode("latin-1"), pair
    found["latin-1 notes.txt"] = (
        f"clé d'accès: {secrets.aws_id()}\nclé secrète: {secrets.aws_secret()}\n".encode("latin-1"),
        pair,
    )
    config = f'o.config={{accessKeyId:"{secrets.aws_id()}",secretAccessKey:"{secrets.aws_secret()}"}};'
    filler = "function a(b,c){return b.secret?c[b.token]:'x'+b}" * 30_000
    found["app.min.js"] = (filler + config + filler).encode(), pair
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/a.env", secrets.aws_file())
    content = secrets.aws_file().encode()
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        member = tarfile.TarInfo("a.env")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return found | {"a.zip": (zipped.getvalue(), pair), "a.tar.gz": (tarred.getvalue(), pair)}
