"""Streamlit that logs reruns to the file `$RERUNS`, for visitors.py: page, seconds, CPU seconds of its thread."""

import os
import time

from streamlit.runtime.scriptrunner import get_script_run_ctx, script_runner
from streamlit.web.cli import main

_run = script_runner.ScriptRunner._run_script


def _timed(self, rerun_data) -> None:
    started, worked = time.perf_counter(), time.thread_time()
    try:
        _run(self, rerun_data)
    finally:
        context = get_script_run_ctx()
        page = self._pages_manager.get_pages().get(context.page_script_hash, {}) if context else {}
        name = (page.get("url_pathname") or "overview") + (" part" if rerun_data.fragment_id_queue else "")
        with open(os.environ["RERUNS"], "a", encoding="utf-8") as file:
            file.write(f"{name}\t{time.perf_counter() - started:.3f}\t{time.thread_time() - worked:.3f}\n")


if __name__ == "__main__":
    script_runner.ScriptRunner._run_script = _timed
    main()
