"""`tracelake deploy`: an agent file becomes an endpoint, step by step in plain words."""

import argparse
import json
import time
from pathlib import Path

from tracelake.cli.commands import Commands
from tracelake.model.errors import InvalidInput

_EXAMPLE = {"input": [{"role": "user", "content": "Hello!"}]}


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("deploy", help="package an agent file, register and serve it")
    parser.add_argument("file", type=Path, help="the agent's Python file")
    parser.add_argument(
        "--name", required=True, help="three-level name, such as main.support.airline"
    )
    parser.add_argument(
        "--server", metavar="URL", help="server to deploy to. Environment: TRACELAKE_TRACKING_URI"
    )
    parser.add_argument(
        "--requirements",
        type=Path,
        metavar="FILE",
        help="requirements file. Default: the `# /// script` block of the agent file, else "
        "requirements.txt beside it, else none",
    )
    parser.add_argument(
        "--code",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a file or folder that the agent imports; may be given more than once",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an environment variable for the agent; may be given more than once",
    )
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        help="experiment for its traces, made when missing. Default: one of the agent's name",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from tracelake.agents.client import Deployer, DeployFailed
    from tracelake.agents.names import check_agent_name, check_environment
    from tracelake.agents.package import build_package

    check_agent_name(arguments.name)
    environment = check_environment(read_variables(arguments.env))
    deployer = Deployer(arguments.server)
    package = build_package(
        arguments.file,
        name=arguments.name,
        requirements=arguments.requirements,
        code_paths=arguments.code,
    )
    needs = len([line for line in package.requirements.splitlines() if line.strip()])
    print(
        f"Packaged {arguments.file}: {_count(len(package.files), 'file')}, "
        f"{len(package.content) / 1024:.1f} KB, {_count(needs, 'requirement')}."
    )
    deployer.check_server()
    version = deployer.register(package)
    print(f"Registered {arguments.name} version {version} at {deployer.tracking_uri}.")
    print("Building its environment and starting it ...", flush=True)
    began = time.monotonic()
    try:
        deployment = deployer.serve(
            arguments.name,
            version,
            environment=environment,
            experiment=arguments.experiment,
            waiting=_tell_time,
        )
    except DeployFailed as failure:
        raise DeployFailed(
            f"version {version} is registered but does not start: {failure.message}\n"
            "A version that was served before goes on. Mend the cause and deploy again."
        ) from failure
    print(f"Ready after {time.monotonic() - began:.1f} s: {deployment.url}")
    print("\nTry it:")
    print(f"  curl {deployment.url} -H 'content-type: application/json' -d '{_body()}'")
    print("\nIts traces:")
    print(f"  {deployer.tracking_uri}/p/{deployment.experiment_id}/traces")
    return 0


def read_variables(given: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a dict. Raises InvalidInput for one without `=`."""
    variables: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"--env {text!r}: write it as NAME=VALUE")
        variables[name] = value
    return variables


def _body() -> str:
    return json.dumps(_EXAMPLE)


def _tell_time(seconds: float) -> None:
    if round(seconds) % 30 == 0:
        print(f"  still working after {seconds:.0f} s ...", flush=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
