"""What an agent's author imports costs no server package."""

import subprocess
import sys

HEAVY = ("fastapi", "uvicorn", "httpx", "sqlalchemy", "uv", "starlette", "requests", "pydantic")


def test_importing_agents_loads_nothing_of_the_server() -> None:
    code = f"import sys, tracelake.agents; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
