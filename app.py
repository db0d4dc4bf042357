"""`streamlit run app.py`: navigation, and the sidebar's choice of run."""

import streamlit as st

from transclipped.ui import runs

st.set_page_config(page_title="TransClipped", page_icon="✂️", layout="wide")

page = st.navigation(
    [
        st.Page("pages/overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page("pages/clipping.py", title="Clipping", icon=":material/content_cut:"),
        st.Page("pages/codebooks.py", title="Codebooks", icon=":material/grid_view:"),
        st.Page("pages/embeddings.py", title="Embeddings", icon=":material/scatter_plot:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/retrieval.py", title="Retrieval", icon=":material/image_search:"),
    ]
)
with st.sidebar:
    runs.choose()
page.run()
