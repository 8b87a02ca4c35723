"""What every layer has."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MAX_DIMENSION", "LayerBase", "Padding", "Size"]

MAX_DIMENSION = 2**31 - 1

Size = Annotated[int, Field(ge=1, le=MAX_DIMENSION, strict=True)]
Padding = Annotated[int, Field(ge=0, le=MAX_DIMENSION, strict=True)]


class LayerBase(BaseModel):
    """What every layer has.

    Attributes
    ----------
    name : str
        Unique within its subnet.
    kind : str
        Selects the class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    kind: str

    is_free: ClassVar[bool] = False
    """True for layers that take no time and move no bytes; they are removed when a problem is compiled."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    @property
    def parameters(self) -> int:
        """Number of trained parameters, biases included where the layer has them."""
        return self.weight_elements

    @property
    def weight_elements(self) -> int:
        """Weight elements that one inference reads."""
        return 0

    @property
    def input_elements(self) -> int:
        """Activation elements read."""
        return 0

    @property
    def output_elements(self) -> int:
        """Activation elements written."""
        return 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """`macs`, `weight_elements`, `input_elements` and `output_elements` together."""
        return self.macs, self.weight_elements, self.input_elements, self.output_elements
