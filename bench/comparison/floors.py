"""What each step must cost at least, as bench/delta_floor computes it: kept beside the data."""

import json
import os
import shutil

from comparison import measure, postgres_data, sqlite_data


def _floor(binary, old, new, page_size):
    command = [binary, old, new, "--page-size", str(page_size), "--json"]
    return json.loads(measure.output_of(command))


def _sqlite(binary, data_folder, scratch):
    old, new = (sqlite_data.SqliteSource(data_folder, os.path.join(scratch, name))
                for name in ("old", "new"))
    old.reset()
    new.reset()
    floors = {}
    for share in sqlite_data.SHARES:
        new.step(share)
        floors[f"step-{share:g}"] = _floor(binary, old.database, new.database, sqlite_data.PAGE)
        old.step(share)
    return floors


def _postgres(binary, data_folder, scratch):
    old, new = (postgres_data.PostgresSource(data_folder, os.path.join(scratch, name))
                for name in ("old", "new"))
    old.reset()
    new.reset()
    new.step()
    return {"pg-step": _floor(binary, old.data, new.data, postgres_data.PAGE)}


MAKERS = {"sqlite": _sqlite, "postgres": _postgres}


def of(kind, binary, data_folder, scratch):
    """By case: what delta_floor prints. Nothing without the program, or for data without steps."""
    if kind not in MAKERS:
        return {}
    kept = os.path.join(data_folder, "floors.json")
    if not os.path.exists(kept):
        if not os.access(binary, os.X_OK):
            return {}
        folder = os.path.join(scratch, "floors")
        floors = MAKERS[kind](binary, data_folder, folder)
        shutil.rmtree(folder)
        with open(kept, "w", encoding="ascii") as file:
            json.dump(floors, file)
    with open(kept, encoding="ascii") as file:
        return json.load(file)
