"""`tracelake demo`: deploy the support agent and let its scripted customers talk to it."""

import argparse
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tracelake.cli.commands import Commands

if TYPE_CHECKING:
    from tracelake.agents.client import Deployer

_PROVIDER = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
"""Handed to the agent where a key is set; otherwise it answers by rule."""
_PAUSE_S = 15.0


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "demo", help="deploy a support agent and let scripted customers talk to it"
    )
    parser.add_argument(
        "--server", metavar="URL", help="server to use. Environment: TRACELAKE_TRACKING_URI"
    )
    parser.add_argument(
        "--conversations",
        type=int,
        metavar="N",
        help="how many conversations to hold. Default: one per customer, six",
    )
    parser.add_argument(
        "--keep-running",
        action="store_true",
        help=f"go on with a conversation every {_PAUSE_S:.0f} s until interrupted",
    )
    parser.add_argument(
        "--once", action="store_true", help="do nothing where the demo was deployed before"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from tracelake.agents.client import Deployer
    from tracelake.agents.demo.customers import CUSTOMERS
    from tracelake.agents.demo.run import AGENT_NAME, deploy_support_agent

    deployer = Deployer(arguments.server)
    deployer.check_server()
    if arguments.once and _is_there(deployer, AGENT_NAME):
        print(f"The demo's agent {AGENT_NAME} is deployed already; nothing to do.")
        return 0
    environment = provider_variables(os.environ)
    model = "the provider's model" if environment else "a rule-based stand-in for a model"
    print(f"Deploying the demo's support agent {AGENT_NAME} (it answers with {model}) ...")
    deployment = deploy_support_agent(deployer, environment, print)
    print(f"Ready: {deployment.url}", flush=True)
    count = len(CUSTOMERS) if arguments.conversations is None else arguments.conversations
    held = 0
    while held < count or arguments.keep_running:
        if held >= count:
            time.sleep(_PAUSE_S)
        _converse(deployer, deployment.endpoint, held)
        held += 1
    print(f"\nTraces: {deployer.tracking_uri}/p/{deployment.experiment_id}/traces")
    return 0


def provider_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What the agent needs to call a real provider; empty without a key."""
    if not environ.get("OPENAI_API_KEY"):
        return {}
    return {name: environ[name] for name in _PROVIDER if environ.get(name)}


def _is_there(deployer: "Deployer", agent_name: str) -> bool:
    agents = deployer.call("GET", "/api/v1/agents")["agents"]
    return any(each["name"] == agent_name and each["endpoint"] for each in agents)


def _converse(deployer: "Deployer", endpoint: str, number: int) -> None:
    from tracelake.agents.demo.customers import CUSTOMERS
    from tracelake.agents.demo.run import Conversation

    customer = CUSTOMERS[number % len(CUSTOMERS)]
    conversation = Conversation(deployer, endpoint, customer)
    print(f"\n{customer.name} ({conversation.conversation_id})")
    for turn in customer.turns:
        answer = conversation.take_turn(turn)
        print(f"  {customer.name}: {turn.says}")
        print(f"  agent: {answer.text}" if answer.status == 200 else f"  failed: {answer.text}")
        if turn.opinion is not None:
            print(f"  {customer.name} gives a thumb {'up' if turn.opinion.good else 'down'}")
