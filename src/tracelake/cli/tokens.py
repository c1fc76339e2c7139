"""`tracelake tokens`: who may call a server that asks for tokens."""

import argparse
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from tracelake.cli.commands import Commands
from tracelake.model.errors import InvalidInput
from tracelake.server.settings import load_settings
from tracelake.store.principals import Credential, CredentialKind, Principals

_DAY_S = 86_400.0


def add_parser(commands: Commands) -> None:
    tokens = commands.add_parser("tokens", help="make, list and revoke tokens and client secrets")
    verbs = tokens.add_subparsers(title="verbs", required=True, metavar="VERB")
    create = verbs.add_parser("create", help="make a token, and its owner where there is none")
    create.add_argument("owner", help="a person's name, or a service principal's")
    create.add_argument("--comment", default="", help="what it is for")
    create.add_argument("--days", type=float, help="how long it lasts; for ever without")
    create.add_argument(
        "--client-secret",
        action="store_true",
        help="a secret for DATABRICKS_CLIENT_SECRET instead; the owner is a service principal",
    )
    _store_options(create)
    create.set_defaults(run=_create)
    listed = verbs.add_parser("list", help="who has which, without the secrets themselves")
    _store_options(listed)
    listed.set_defaults(run=_list)
    revoke = verbs.add_parser("revoke", help="end one, within seconds, on every server")
    revoke.add_argument("id", help="as `tracelake tokens list` tells it")
    _store_options(revoke)
    revoke.set_defaults(run=_revoke)


def _store_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")


def _create(arguments: argparse.Namespace) -> int:
    is_service: bool = arguments.client_secret
    days: float | None = arguments.days
    if days is not None and days <= 0:
        raise InvalidInput("--days: a token lasts longer than that")
    with _principals(arguments) as principals:
        known = [p for p in principals.list_all() if p.name == arguments.owner]
        owner = known[0] if known else principals.create(arguments.owner, is_service=is_service)
        if is_service and not owner.is_service:
            raise InvalidInput(
                f"{owner.name} is a person; client secrets are of service principals"
            )
        secret, made = principals.issue(
            owner.principal_id,
            CredentialKind.SECRET if is_service else CredentialKind.TOKEN,
            comment=arguments.comment,
            lifetime_s=None if days is None else days * _DAY_S,
        )
    if is_service:
        print(f"client id      {owner.principal_id}")
        print(f"client secret  {secret}")
    else:
        print(secret)
    print(f"Keep it: it is not shown again. Its id is {made.credential_id}.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with _principals(arguments) as principals:
        everybody = principals.list_all()
        told = [each for p in everybody for each in principals.credentials_of(p.principal_id)]
    if not told:
        print("There are no tokens. `tracelake tokens create NAME` makes one.")
        return 0
    rows = [("ID", "OWNER", "KIND", "MADE", "STATE", "COMMENT"), *map(_row, told)]
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[5]]).rstrip())
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    with _principals(arguments) as principals:
        principals.revoke(arguments.id)
    print(f"{arguments.id} proves nothing any more.")
    return 0


@contextmanager
def _principals(arguments: argparse.Namespace) -> Generator[Principals]:
    settings = load_settings({"home": arguments.home, "store_url": arguments.store_url})
    settings.require_store()
    from tracelake.store.open import open_store

    store = open_store(settings.store_url)
    try:
        yield store.principals
    finally:
        store.close()


def _row(each: Credential) -> tuple[str, ...]:
    why = each.why_not(round(datetime.now(UTC).timestamp() * 1000))
    until = f"until {_day(each.expires_ms)}" if each.expires_ms is not None else "good"
    state = why.removeprefix("it ") if why else until
    kind = "client secret" if each.kind is CredentialKind.SECRET else "token"
    owner = each.principal
    return each.credential_id, owner.name, kind, _day(each.created_ms), state, each.comment


def _day(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"
