"""Makes the corpus of policy packages beside this file, and verdicts.json: what must be said of each.

    python -m venv venv && venv/bin/pip install numpy==2.* onnx==1.23.* safetensors==0.8.*
    venv/bin/python tests/corpus/make.py

They are committed; run this to change them. Packages as their users have them and as they get
broken, in four dialects: `policy_package` 1.0, a LeRobot checkpoint with its graph beside it, and
graphs alone with the metadata of mjlab and of exploy. No graph here is learned: each gives zeros, and
hands what it remembers on as it was.
"""

import shutil
import sys

# Folders beside this file are packages.
sys.dont_write_bytecode = True

from checkpoints import checkpoints  # noqa: E402
from drawing import HERE, VERDICTS, write  # noqa: E402
from graphs import of_exploy, of_mjlab  # noqa: E402
from manifests import bad_packages, good_packages  # noqa: E402


def main():
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    good_packages()
    bad_packages()
    checkpoints()
    of_mjlab()
    of_exploy()
    write(HERE / "verdicts.json", VERDICTS)
    print(len(VERDICTS), "packages")


if __name__ == "__main__":
    main()
