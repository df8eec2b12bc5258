"""The configuration of Sphinx. `make docs` builds the site in build/docs.

The source folder is the root of the repository, so the README, the changelog and the report of the benchmarks are pages
of the site, and links between pages are the same as on GitHub. `site_pages.py` describes what the site changes in a
page.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import fastw2v

project = "fastw2v"
version = release = fastw2v.__version__
html_title = f"fastw2v {version}"
html_baseurl = "https://fastw2v.github.io/fastw2v/"

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton", "site_pages"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "benchmarks/results/REPORT.md"]
# Folders without pages are excluded, so that Sphinx does not search them.
exclude_patterns = [".*", "build", "dist", "examples", "fastw2v", "htmlcov", "node_modules", "release", "tests"]
nitpicky = True

# Anchors of headings, as on GitHub.
myst_heading_anchors = 6

# A name between single backticks in a docstring becomes a link if it is a name of the reference.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the section Parameters states the types
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
add_module_names = False
numpydoc_show_class_members = False
autosummary_generate = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_search_language = "en"
html_theme_options = {
    "source_repository": "https://github.com/fastw2v/fastw2v/",
    "source_branch": "main",
    "source_directory": "",
}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
