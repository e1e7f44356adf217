"""Whether Tarmac's own handler can load an archive's pickle. Called by `layouts` and `plans`; pure.

The same file is looked for as the handler does (inference_code/tarmac_inference/pickles.py).
"""

import re

from chalicelib.door.contents import Contents

PICKLE_FILE = re.compile(r"[^/]+\.(joblib|pkl|pickle)")
_USUAL = ("model.joblib", "model.pkl")
_MAKERS = frozenset({"lightgbm", "sklearn", "xgboost"})


def find_estimator(contents: Contents) -> str | None:
    """Name the file that holds the estimator; None where there is none, or more than one could be it."""
    found = sorted(name for name in contents.root_files if PICKLE_FILE.fullmatch(name))
    usual = [name for name in _USUAL if name in found]
    return usual[0] if usual else found[0] if len(found) == 1 else None


def handler_problem(contents: Contents) -> str | None:
    """Say why the handler cannot load it; None when it can, as far as is known."""
    path = find_estimator(contents)
    if path is None:
        return f"there are several pickles, and none is called {' or '.join(_USUAL)}"
    scanned = contents.pickles.get(path)
    # Of a trusted archive nothing is known; of one that cannot be followed `trust` speaks.
    is_known = scanned is not None and scanned.fault is None
    if scanned is not None and is_known and not any(one.module.split(".")[0] in _MAKERS for one in scanned.imports):
        return f"{path} holds nothing of scikit-learn's"
    if any(name == "code" or name.startswith("code/") for name in contents.files):
        return "there is a folder code/, and no inference.py in it"
    return None
