"""A photo under a model: its features once, every setting, evidence, attribution."""
