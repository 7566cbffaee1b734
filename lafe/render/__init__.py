"""What people see and take away: words, overlays, figures, bundles."""
