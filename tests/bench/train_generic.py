"""Train the judgement of generic secrets: what `scanner/data/generic_model.json` holds.

    python tests/bench/train_generic.py LABELS [--negatives TREE …] [--write] [--report 0.4] [--stop 0.8]

LABELS is a folder with `meta/*.csv` and `data/` in the layout of the public CredData set; none of it is
kept here. Needs `pip install lightgbm scikit-learn`. It prints precision and recall by
cross-validation over repositories (no repository is judged by a model that saw it) and, with
`--write`, trains on all of them. `docs/generic.md` explains the choices.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from scanner.confirm.generic_features import features
from scanner.confirm.generic_forms import Candidate, candidates, starts
from scanner.confirm.generic_model import hopeless
from scanner.engine import open_engine
from scanner.model import RuleSet
from scanner.rules import builtin_folder, load

COUNTED = {"Password", "Secret", "Token", "Key", "Auth", "API", "URL Credentials"}
LEFT_OUT = {"UUID", "Nonce", "Salt", "AWS S3 Bucket", "Tencent WeChat API App ID", "Firebase Domain"}
FOLDS = 12
OUT = Path(__file__).resolve().parents[2] / "scanner" / "data" / "generic_model.json"
SHAPE = {
    "n_estimators": 200, "num_leaves": 6, "learning_rate": 0.08, "min_child_samples": 15, "subsample": 0.8, "subsample_freq": 1,
    "colsample_bytree": 0.5, "reg_lambda": 5, "verbose": -1, "n_jobs": 2, "random_state": 0,
}  # fmt: skip

Place = tuple[str, int, int]

ELSEWHERE = (
    ("sql", b"IDENTIFIED BY", b"", b"'", b"CREATE USER 'shop'@'%' IDENTIFIED BY '", b"';"),
    ("sql", b"role shop with password", b"", b"'", b"ALTER role shop with password '", b"';"),
    ("call", b"connect", b"(", b'"', b'    connect("db.acme.io", "shop", "', b'")'),
    ("call", b"auth", b"=(", b"'", b"requests.get(url, auth=('shop', '", b"'))"),
    ("call", b"Credentials", b"(", b'"', b'new Credentials("shop", "', b'");'),
    ("short", b"mysql -h db -u shop -p", b"", b"", b"mysql -h db -u shop -p", b" shop"),
    ("user", b"curl -u shop:", b"", b"", b"curl -u shop:", b" https://api.acme.io/orders"),
    ("flag", b"--password", b" ", b"", b"tool login --user shop --password ", b""),
    ("connection", b"Password", b"=", b"", b"Server=db.acme.io;Database=shop;User Id=shop;Password=", b";"),
    ("dsn", b"shop", b"", b"", b'dsn := "shop:', b'@tcp(db.acme.io:3306)/shop"'),
    ("default", b"DB_PASSWORD", b":-", b"", b"      POSTGRES_PASSWORD: ${DB_PASSWORD:-", b"}"),
    ("default", b"db.password", b":", b"", b"    password: ${db.password:", b"}"),
    ("default", b"process.env.DB_PASSWORD", b" || ", b"'", b"  password: process.env.DB_PASSWORD || '", b"',"),
    ("default", b"JWT_SECRET", b" ?? ", b'"', b'const secret = process.env.JWT_SECRET ?? "', b'";'),
    ("default", b"--password", b"=", b'"', b'parser.add_argument("--password", default="', b'")'),
    ("assign", b"DB_PASSWORD", b", ", b'"', b'password = os.environ.get("DB_PASSWORD", "', b'")'),
    ("assign", b"X-API-KEY", b", ", b'"', b'request.setRequestHeader("X-API-KEY", "', b'")'),
    ("constant", b"WIFI_PASSWORD", b" ", b'"', b'#define WIFI_PASSWORD "', b'"'),
    ("constant", b"API_KEY", b" ", b'"', b'#define API_KEY "', b'"'),
    ("constant", b"password", b" = ", b'"', b'Dim password As String = "', b'"'),
    ("constant", b"PASSWORD", b" = ", b'"', b'const PASSWORD: &str = "', b'";'),
    ("called", b"mysqli_connect", b"(", b'"', b'$db = mysqli_connect("db.acme.io", "shop", "', b'", "shop");'),
    ("called", b"jwt.sign", b"(", b"'", b"  return jwt.sign({ id }, '", b"', { expiresIn: '1h' })"),
    ("called", b"#password", b", ", b'"', b'  await page.fill("#password", "', b'");'),
    ("typed", b"sqlplus shop", b"/", b"", b"sqlplus shop/", b"@db"),
    ("typed", b"echo", b" ", b"", b'echo "root:', b'" | chpasswd'),
    ("typed", b"snmpwalk -v3 -u shop -A", b" ", b"", b"snmpwalk -v3 -u shop -A ", b" srv"),
    ("directive", b"requirepass", b" ", b"", b"requirepass ", b""),
    ("directive", b"username shop password", b" 0 ", b"", b"username shop password 0 ", b""),
    ("generic", b"apiKey", b": ", b"'", b"  apiKey: '", b"',"),
    ("generic", b"ENCRYPTION_KEY", b"=", b"", b"ENCRYPTION_KEY=", b""),
    ("noted", b"password", b" is ", b"", b"the password is ", b""),
    ("noted", b"login", b": ", b"", b"login: shop / ", b""),
    ("noted", b"Password", b" | ", b"`", b"| Password | `", b"` |"),
)
"""Forms that the labelled set hardly has: form, name, separator, quote, what stands before and after."""


class Row(NamedTuple):
    """A candidate: the labelled place it touches, whether it is a credential (None: not said), its group and its features."""

    place: Place
    truth: bool | None
    group: str
    found: Candidate
    weight: float


class Label(NamedTuple):
    true: bool
    any_true: bool
    counted: bool
    values: tuple[tuple[int, bool], ...]  # column where a value starts, whether it is true


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--negatives", type=Path, nargs="*", default=[])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--report", type=float, default=0.4)
    parser.add_argument("--stop", type=float, default=0.8)
    given = parser.parse_args()
    look = Look()
    labels = read_labels(given.labels)
    rows = list(labelled(given.labels, labels, look))
    extra = [*invented(rows), *(row for tree in given.negatives for row in unlabelled(tree, look))]
    print(f"{len(rows)} candidates, {Counter(row.truth for row in rows)}; {len(extra)} more for training alone")
    if given.write:
        write(rows + extra, given)
    else:
        validate(rows, extra, labels)
    return 0


class Look:
    """The generic rules as a scan would run them, without the judgement."""

    def __init__(self) -> None:
        files = ("generic", "code", "commands", "directives", "keys", "notes")
        self.rules: RuleSet = load([os.path.join(builtin_folder(), f"{name}.yaml") for name in files])
        self._engine = open_engine(self.rules)

    def candidates(self, data: bytes) -> Iterator[Candidate]:
        seen = set()
        anchors = sorted(anchor for anchor in self._engine.anchors(data) if anchor[0] < len(self.rules.rules))
        for index, ends in groupby(anchors, key=lambda anchor: anchor[0]):
            rule = self.rules.rules[index]
            for low, high in starts(sorted({end for _, end in ends}), rule.width):
                for found in candidates(rule, data, low, high):
                    if (found.start, found.end) not in seen and not hopeless(found):
                        seen.add((found.start, found.end))
                        yield found


def read_labels(folder: Path) -> dict[Place, Label]:
    rows: dict[Place, list[dict[str, str]]] = defaultdict(list)
    for file in sorted((folder / "meta").glob("*.csv")):
        with open(file, newline="") as lines:
            for row in csv.DictReader(lines):
                rows[row["FilePath"], int(row["LineStart"]), int(row["LineEnd"])].append(row)
    return {place: _label(found) for place, found in rows.items()}


def _label(rows: list[dict[str, str]]) -> Label:
    kinds = {kind for row in rows for kind in row["Category"].split(":")}
    true = {kind for row in rows if row["GroundTruth"] == "T" for kind in row["Category"].split(":")}
    values = tuple((int(row["ValueStart"]), row["GroundTruth"] == "T") for row in rows if row["ValueStart"])
    any_true = any(row["GroundTruth"] == "T" for row in rows)
    return Label(bool(true & COUNTED), any_true, bool(kinds & COUNTED) and not kinds & LEFT_OUT, values)


def labelled(folder: Path, labels: dict[Place, Label], look: Look) -> Iterator[Row]:
    by_file: dict[str, list[Place]] = defaultdict(list)
    for place in labels:
        by_file[place[0]].append(place)
    sizes: Counter[str] = Counter(path.split("/")[1] for path, _, _ in labels)
    for path, places in by_file.items():
        data = (folder / path).read_bytes()
        lines = [0] + [at + 1 for at, byte in enumerate(data) if byte == 10] + [len(data)]
        group = path.split("/")[1]
        for found in look.candidates(data):
            line = bisect_right(lines, found.start)
            here = [place for place in places if place[1] <= line <= place[2]]
            truth, touched = _truth(found, here, labels, data, lines)
            yield Row(touched or (path, line, line), truth, group, found, (1.0 if here else 0.4) / sizes[group] ** 0.5)


def _truth(
    found: Candidate, here: list[Place], labels: dict[Place, Label], data: bytes, lines: list[int]
) -> tuple[bool | None, Place | None]:
    truth: bool | None = False
    for place in here:
        label, begin = labels[place], lines[place[1] - 1]
        text = data[begin : lines[min(place[2], len(lines) - 1)]].decode("utf-8", "replace")
        true = [begin + len(text[:column].encode()) for column, is_true in label.values if is_true]
        if any(found.start - 3 <= start <= found.end for start in true):
            return True, place
        if label.any_true and not true:
            truth = None
    return truth, here[0] if here else None


def invented(rows: list[Row]) -> Iterator[Row]:
    """Yield values in forms that the set hardly has, and true passwords anew with values as people make them.

    The set's values were replaced by random letters; a model trained on them alone would take
    a word with a year and an exclamation mark for no password.
    """
    source = random.Random(7)
    words = [
        "summer",
        "winter",
        "spring",
        "autumn",
        "dragon",
        "monkey",
        "falcon",
        "orange",
        "purple",
        "silver",
        "thunder",
        "shadow",
        "mercury",
        "welcome",
        "company",
        "berlin",
        "madrid",
    ]
    for row in rows:
        name = row.found.name.lower()
        if row.truth is not None and source.random() < (0.4 if row.truth else 0.2):
            form, called, sep, quote, before, after = source.choice(ELSEWHERE)
            found = row.found._replace(form=form, name=called, sep=sep, wrap=b"", quote=quote, before=before, after=after)
            yield row._replace(found=found, weight=row.weight * 0.5)
        if row.truth and row.found.form != "scheme" and (b"pass" in name or b"pwd" in name) and source.random() < 0.6:
            word = source.choice(words)
            word = source.choice(
                [word.capitalize(), word, word.upper(), word + source.choice(words), word.replace("e", "3").replace("o", "0")]
            )
            tail = source.choice([f"{source.randrange(1990, 2027)}", f"{source.randrange(100)}", f"{source.randrange(1000)}"])
            sign = source.choice("!@#$%&*?._-")
            value = source.choice(
                [word + tail + sign, word + sign + tail, sign + word + tail, word.capitalize() + sign + tail + sign]
            ).encode()
            yield row._replace(found=row.found._replace(value=value), weight=row.weight * 0.5)


def unlabelled(tree: Path, look: Look) -> Iterator[Row]:
    """Yield the candidates of a source tree, most of which are none."""
    rows = []
    for file in sorted(tree.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.stat().st_size < 500_000:
            rows += [Row((str(file), 0, 0), False, tree.name, found, 0.0) for found in look.candidates(file.read_bytes())]
    for row in rows:
        yield row._replace(weight=0.25 / len(rows) ** 0.5)


def matrix(rows: list[Row]) -> tuple[list[str], Any, Any, Any]:
    import numpy as np

    found = [features(row.found) for row in rows]
    names = sorted(found[0])
    numbers = np.array([[one[name] for name in names] for one in found])
    weights = np.array([0.0 if row.truth is None else row.weight for row in rows])
    return names, numbers, np.array([bool(row.truth) for row in rows], int), weights / weights.mean()


def validate(rows: list[Row], extra: list[Row], labels: dict[Place, Label]) -> None:
    import numpy as np
    from lightgbm import LGBMClassifier
    from sklearn.model_selection import GroupKFold

    _, numbers, truth, weights = matrix(rows + extra)
    groups = [row.group for row in rows + extra]
    held = np.zeros(len(rows))
    for train, test in GroupKFold(FOLDS).split(numbers, truth, groups):
        test = test[test < len(rows)]
        if len(test):
            trained = LGBMClassifier(**SHAPE).fit(numbers[train], truth[train], sample_weight=weights[train])
            held[test] = trained.predict_proba(numbers[test])[:, 1]
    best: dict[Place, float] = defaultdict(float)
    for row, score in zip(rows, held, strict=True):
        best[row.place] = max(best[row.place], score)
    for percent in range(5, 100, 5):
        report(best, labels, percent / 100)


def report(best: dict[Place, float], labels: dict[Place, Label], limit: float) -> None:
    counted = [(place, label) for place, label in labels.items() if label.counted]
    hit = [label for place, label in counted if best[place] >= limit and (label.true or not label.any_true)]
    right, wanted = sum(label.true for label in hit), sum(label.true for _, label in counted)
    print(f"score {limit:.2f}: precision {right / max(1, len(hit)):.3f}, recall {right / wanted:.3f} of {wanted}")


def write(rows: list[Row], given: argparse.Namespace) -> None:
    from lightgbm import LGBMClassifier

    names, numbers, truth, weights = matrix(rows)
    trained = LGBMClassifier(**SHAPE).fit(numbers, truth, sample_weight=weights)
    trees = [_node(tree["tree_structure"], names) for tree in trained.booster_.dump_model()["tree_info"]]
    content = {"base": 0.0, "report": given.report, "stop": given.stop}
    with open(OUT, "w", encoding="ascii") as file:
        file.write(json.dumps(content)[:-1] + ',\n"trees": [\n' + ",\n".join(json.dumps(tree) for tree in trees) + "\n]}\n")
    used = Counter(name for tree in trees for name in _names(tree))
    print(f"{len(trees)} trees in {OUT}; never used: {', '.join(name for name in names if name not in used)}", file=sys.stderr)


def _node(node: dict[str, Any], names: list[str]) -> Any:
    if "leaf_value" in node:
        return round(node["leaf_value"], 4)
    below = [_node(node[side], names) for side in ("left_child", "right_child")]
    return [names[node["split_feature"]], float(f"{node['threshold']:.6g}"), *below]


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        yield node[0]
        yield from _names(node[2])
        yield from _names(node[3])


if __name__ == "__main__":
    raise SystemExit(main())
