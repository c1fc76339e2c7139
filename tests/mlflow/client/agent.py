"""The code of a model that the tests log: it says again what it is told."""

from typing import Any

from mlflow.pyfunc import ResponsesAgent
from mlflow.types.responses import ResponsesAgentRequest, ResponsesAgentResponse

import mlflow


class Parrot(ResponsesAgent):
    def predict(self, request: ResponsesAgentRequest) -> ResponsesAgentResponse:
        said: Any = request.input[-1].content
        item = self.create_text_output_item(text=f"again: {said}", id="item")
        return ResponsesAgentResponse(output=[item])


mlflow.models.set_model(Parrot())
