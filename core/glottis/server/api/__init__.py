"""The routes of the HTTP interface, and which pages may use them."""
