"""The Streamlit app: what a visitor sees.  All arithmetic is in ``lafe``."""
