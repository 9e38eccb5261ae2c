"""The same model behind LitServe and BentoML, each with its own batching, in an environment of their own."""
