"""MLflow 3 and Tracelake's own SDK."""

from tracelake.model.semconv.convention import Convention

MLFLOW = Convention(
    name="mlflow",
    kind=("mlflow.spanType",),
    any_kind=True,
    inputs=("mlflow.spanInputs",),
    outputs=("mlflow.spanOutputs",),
    model=("mlflow.llm.model",),
    provider=("mlflow.llm.provider",),
    usage=("mlflow.chat.tokenUsage",),
    cost=("mlflow.llm.cost",),
    session=("mlflow.trace.session", "session.id"),
    user=("mlflow.trace.user", "user.id", "enduser.id"),
)
