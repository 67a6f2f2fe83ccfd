"""The dashboards, held as strictly as Grafana itself does not: it shows an empty panel where it is wrong."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.supervisor import COMPOSE_FILE
from tests.unit.deploy.test_kubernetes import exactly

FOLDER = COMPOSE_FILE.parent / "deploy" / "observability"
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
(SOURCE,) = (
    {"type": one["type"], "uid": one["uid"]}
    for one in yaml.safe_load((FOLDER / "provisioning" / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
)
UNITS = ["short", "s", "reqps", "ops", "bytes", "percentunit", "currencyUSD"]
"""Of Grafana's units, those that fit what Hooke measures: any other word would be shown as a suffix."""

TARGET = exactly(
    {"refId": {"pattern": "^[A-Z]$"}, "expr": TEXT, "legendFormat": TEXT, "instant": {"type": "boolean"}},
    *("refId", "expr"),
)
PANEL = exactly(
    {
        "id": {"type": "integer", "minimum": 1},
        "type": {"enum": ["stat", "timeseries"]},
        "title": TEXT,
        "description": TEXT,
        "datasource": {"const": SOURCE},
        "gridPos": exactly({"x": COUNT, "y": COUNT, "w": COUNT, "h": COUNT}, "x", "y", "w", "h"),
        "fieldConfig": exactly(
            {
                "defaults": exactly(
                    {
                        "unit": {"enum": UNITS},
                        "decimals": COUNT,
                        "min": {"type": "number"},
                        "max": {"type": "number"},
                        "mappings": {"type": "array"},
                        "thresholds": {"type": "object"},
                        "color": {"type": "object"},
                        "custom": {"type": "object"},
                    },
                    "unit",
                ),
                "overrides": {"const": []},
            },
            *("defaults", "overrides"),
        ),
        "options": {"type": "object"},
        "targets": {"type": "array", "items": TARGET, "minItems": 1},
    },
    *("id", "type", "title", "datasource", "gridPos", "fieldConfig", "options", "targets"),
)
VARIABLE = exactly(
    {
        "name": TEXT,
        "label": TEXT,
        "type": {"const": "query"},
        "datasource": {"const": SOURCE},
        "query": exactly({"query": TEXT, "refId": TEXT}, "query", "refId"),
        "definition": TEXT,
        "refresh": {"enum": [1, 2]},
        "sort": COUNT,
    },
    *("name", "type", "datasource", "query"),
)
DASHBOARD = exactly(
    {
        "uid": {"pattern": "^hooke-[a-z]+$"},
        "title": TEXT,
        "description": TEXT,
        "tags": {"const": ["hooke"]},
        "timezone": {"const": "browser"},
        "editable": {"type": "boolean"},
        "schemaVersion": {"const": 39},
        "refresh": {"pattern": r"^\d+[sm]$"},
        "time": exactly({"from": TEXT, "to": {"const": "now"}}, "from", "to"),
        "links": {"type": "array"},
        "templating": exactly({"list": {"type": "array", "items": VARIABLE}}, "list"),
        "panels": {"type": "array", "items": PANEL, "minItems": 1},
    },
    *("uid", "title", "schemaVersion", "time", "templating", "panels"),
)


def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON that says nothing twice."""
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


DASHBOARDS: Mapping[str, Any] = {
    path.name: json.loads(path.read_text(), object_pairs_hook=once)
    for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


# Every field is one that Grafana knows, of its type and of one version of the schema; what is asked is the
# datasource that there is.
@each_dashboard
def test_schema(name: str) -> None:
    jsonschema.validate(DASHBOARDS[name], DASHBOARD)


# No two dashboards share an identity, and no two panels of one do, or a place in the grid of 24 columns.
def test_identities() -> None:
    for key in ("uid", "title"):
        assert len({one[key] for one in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        panels = dashboard["panels"]
        for key in ("id", "title"):
            assert len({panel[key] for panel in panels}) == len(panels)
        cells = [
            cell
            for panel in panels
            for place in [panel["gridPos"]]
            for cell in itertools.product(
                range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            )
        ]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24


# A query names the variables that its dashboard has, and a legend the labels that its query leaves.
@each_dashboard
def test_queries(name: str) -> None:
    dashboard = DASHBOARDS[name]
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set()
    for panel in dashboard["panels"]:
        identities = [target["refId"] for target in panel["targets"]]
        assert len(set(identities)) == len(identities)
        for target in panel["targets"]:
            used |= set(re.findall(r"\$(?!__)(\w+)", target["expr"]))
            left = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"])))) - {"le"}
            assert set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) == left, panel["title"]
    assert used == known


# Grafana opens one of them first, and Kubernetes gets all of them.
def test_where_they_are_named() -> None:
    grafana = yaml.safe_load(COMPOSE_FILE.read_text())["services"]["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.rpartition("/")[2] in DASHBOARDS
    (generated,) = yaml.safe_load((FOLDER / "dashboards" / "kustomization.yaml").read_text())[
        "configMapGenerator"
    ]
    assert set(generated["files"]) == DASHBOARDS.keys()
