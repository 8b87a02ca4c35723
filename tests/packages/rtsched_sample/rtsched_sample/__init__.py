"""A package that offers policies to rtsched."""
