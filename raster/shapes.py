"""Shape annotations: jaxtyping's where it is installed (under test it checks them), transparent elsewhere.

``Float[Tensor, "*batch n p 2"]`` reads "a floating tensor, any leading dimensions, then N, P, 2". jaxtyping
is a development extra, so a user's installation sees the bare ``Tensor``.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, UInt8
    except ImportError:

        class _Plain:
            """Stands in for ``Float`` and its like: subscripting gives the bare tensor type."""

            def __class_getitem__(cls, item: Any) -> Any:
                return item[0]

        Bool = Float = Int = UInt8 = _Plain

__all__ = ["Bool", "Float", "Int", "Tensor", "UInt8"]
