"""Which rankers to fuse."""

import streamlit as st


def draw() -> None:
    st.info("not yet")
