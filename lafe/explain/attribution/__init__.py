"""Maps of what a prediction hangs on: Captum's methods beside LAFE's own."""
