"""Whatever JSON can hold, for properties of what reads it."""

from hypothesis import strategies as st

_NUMBERS = st.integers(-(10**400), 10**400) | st.floats() | st.sampled_from([0, -1, 1e300, 65535])

ANY_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
