"""The compiled core: event loop, memory sharing, costs and native policies. It knows nothing of the package around it."""
