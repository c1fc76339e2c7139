"""Scorers: `3.0/mlflow/scorers/…`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.permissions import Permission, requires
from tracelake.store.scorers import ScorerConfig, Scorers, ScorerVersion
from tracelake.web.answer import JsonAnswer

_BASE = "/3.0/mlflow/scorers"
Number = Annotated[int, Field(ge=1, lt=2**31)]


class NewScorer(Message):
    experiment_id: Text
    name: Text
    serialized_scorer: Text


class OneScorer(Message):
    experiment_id: Text
    name: Text
    version: Number | None = None


class OnlineConfig(Message):
    experiment_id: Text
    name: Text
    sample_rate: float
    filter_string: Text | None = None


def add_scorers(routes: APIRouter, scorers: Scorers) -> None:
    @routes.post(_BASE + "/register")
    @requires(Permission.WRITE_EXPERIMENTS)
    def register(body: NewScorer) -> JsonAnswer:
        made = scorers.register(body.experiment_id, body.name, body.serialized_scorer)
        return JsonAnswer(
            {
                "version": made.version,
                "scorer_id": made.scorer_id,
                "experiment_id": str(made.experiment_id),
                "name": made.name,
                "serialized_scorer": made.content,
                "creation_time": made.creation_time_ms,
            }
        )

    @routes.get(_BASE + "/list")
    @requires(Permission.READ_EXPERIMENTS)
    def list_scorers(experiment_id: str) -> JsonAnswer:
        return JsonAnswer({"scorers": [_message(each) for each in scorers.newest(experiment_id)]})

    @routes.get(_BASE + "/versions")
    @requires(Permission.READ_EXPERIMENTS)
    def list_versions(experiment_id: str, name: str) -> JsonAnswer:
        found = scorers.versions(experiment_id, name)
        return JsonAnswer({"scorers": [_message(each) for each in found]})

    @routes.get(_BASE + "/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(query: Annotated[OneScorer, Query()]) -> JsonAnswer:
        found = scorers.get(query.experiment_id, query.name, query.version)
        return JsonAnswer({"scorer": _message(found)})

    @routes.delete(_BASE + "/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: OneScorer) -> JsonAnswer:
        scorers.delete(body.experiment_id, body.name, body.version)
        return JsonAnswer({})

    @routes.get(_BASE + "/online-configs")
    @requires(Permission.READ_EXPERIMENTS)
    def configs(
        scorer_ids: Annotated[list[str] | None, Query(max_length=1000)] = None,
    ) -> JsonAnswer:
        return JsonAnswer(
            {"configs": [_config(each) for each in scorers.configs(scorer_ids or [])]}
        )

    @routes.put(_BASE + "/online-config")
    @requires(Permission.WRITE_EXPERIMENTS)
    def configure(body: OnlineConfig) -> JsonAnswer:
        made = scorers.configure(
            body.experiment_id, body.name, body.sample_rate, body.filter_string or None
        )
        return JsonAnswer({"config": _config(made)})


def _message(scorer: ScorerVersion) -> dict[str, Any]:
    return {
        "experiment_id": scorer.experiment_id,
        "scorer_name": scorer.name,
        "scorer_version": scorer.version,
        "serialized_scorer": scorer.content,
        "creation_time": scorer.creation_time_ms,
        "scorer_id": scorer.scorer_id,
    }


def _config(config: ScorerConfig) -> dict[str, Any]:
    return said(
        online_scoring_config_id=config.config_id,
        scorer_id=config.scorer_id,
        sample_rate=config.sample_rate,
        experiment_id=str(config.experiment_id),
        filter_string=config.filter,
    )
