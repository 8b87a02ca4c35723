"""Tables as data frames of the libraries that a user may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["Frames"]


class Frames:
    """Data frames of what has columns; a mixin."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """The table, by column."""
        raise NotImplementedError

    def to_pandas(self) -> pandas.DataFrame:
        """`columns` as a pandas data frame (pandas must be installed)."""
        import pandas

        return pandas.DataFrame(self.columns())

    def to_polars(self) -> polars.DataFrame:
        """`columns` as a polars data frame (polars must be installed)."""
        import polars

        return polars.DataFrame(self.columns())
