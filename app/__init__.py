"""The Streamlit app: what a visitor sees.  All arithmetic is in ``lafe``."""

import os

# Before torch is there: its threads sleep while they wait, or they would keep a core from the
# browser, from Streamlit, and from other visitors.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
