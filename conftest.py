"""Keeps the standard library's ``codecs`` in its place.

pytest names a test module by its path from here: ``codecs/opus/tests/test_opus.py`` becomes a child of ``codecs``. What
``sys.modules`` holds under that name would be replaced if it were no package; so it is said to be one.
"""

import codecs

codecs.__path__ = []
