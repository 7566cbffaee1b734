"""Words, overlays, figures and bundles, for people to see and take away."""
