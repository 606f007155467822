"""A check of the project's own: no error tells what is inside the orchestrator."""

import re

import schemathesis

# SQL and what a database says of it, Rust's and JavaScript's traces, and the keys of the stack.
INSIDE = re.compile(
    r"D1_ERROR|SQLITE_|no such (table|column)|syntax error|SELECT \S+ FROM|INSERT INTO|"
    r"panicked|RuntimeError|wasm-function|\.rs:\d+|\n\s+at |fuzz-(client-key|worker-secret|secret-key)"
)


@schemathesis.check
def errors_keep_the_inside_inside(ctx, response, case):
    """Error replies are for people and programs outside; causes go to the log."""
    if response.status_code >= 400:
        found = INSIDE.search(response.text)
        if found:
            raise AssertionError(f"The error tells {found.group()!r}")
