"""The app: ``streamlit run streamlit_app.py``.  The pages, listed."""

from pathlib import Path

import streamlit as st

from app import address, session
from app.models import cards
from app.sidebar import sidebar
from app.widgets import guarded, show_notices

ASSETS = Path(__file__).parent / "app" / "assets"

st.set_page_config(
    page_title="LAFE",
    page_icon=(ASSETS / "icon.svg").read_text(),  # from here: Streamlit's own come from a CDN
    layout="wide",
    initial_sidebar_state=330,
)
st.logo((ASSETS / "logo.svg").read_text(), size="large")
st.html(ASSETS / "style.css")

page = st.navigation(
    [
        st.Page("app/compare.py", title="Compare", icon=":material/compare:", default=True),
        st.Page("app/stages.py", title="Stages", icon=":material/grid_view:"),
        st.Page("app/ablation.py", title="Ablation", icon=":material/toggle_off:"),
        st.Page("app/attribution.py", title="Attribution", icon=":material/flare:"),
        st.Page("app/lookalikes.py", title="Look-alikes", icon=":material/compare_arrows:"),
        st.Page("app/report.py", title="Report", icon=":material/monitoring:"),
        st.Page("app/about.py", title="About", icon=":material/info:"),
    ],
    position="top",
)


@guarded
def main() -> None:
    if "visit" not in st.session_state:
        known = {name: card.classes for name, card in cards().items()}
        visit, unread = address.read(st.query_params.to_dict(), known)
        session.keep(visit)
        if unread:
            session.notify(
                f"Part of this page's address could not be read ({', '.join(unread)}): "
                "the usual settings are shown instead."
            )
    if session.visit().checkpoint not in cards():
        session.change(checkpoint=next(iter(cards()), None))
    show_notices()
    sidebar()
    page.run()
    address.show(session.visit())


main()
