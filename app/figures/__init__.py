"""Pictures of results: maps over a photo, Plotly figures, the model's diagram."""
