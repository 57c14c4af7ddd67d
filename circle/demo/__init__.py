"""A living example, told through the product's own use cases at instants that lie some weeks back."""

from circle.demo.filling import Filled, fill

__all__ = ["Filled", "fill"]
