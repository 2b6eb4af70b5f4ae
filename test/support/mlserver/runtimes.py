import numpy
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Echo(MLModel):
    """Gives back the text that it is given."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        said = [f"You said: {text}" for text in texts]
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("text_output", said)])


class Meaning(MLModel):
    """Three numbers for a text: its letters, its words, one."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        rows = numpy.array([[len(text), len(text.split()), 1.0] for text in texts], dtype=numpy.float32)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("embedding", rows)])
