"""The build: setuptools', and two things that it has no setting for.

The list of the files of an sdist stands here and not on the top floor; and where the project has a URL, the pictures
and links of the README, which are relative, are absolute in the long description: a package index has no such files.
"""

import re

from setuptools import Distribution
from setuptools.build_meta import *  # noqa: F403
from setuptools.command.egg_info import manifest_maker

manifest_maker.template = ".ci/MANIFEST.in"
parse = Distribution.parse_config_files


def absolute(text: str, url: str) -> str:
    """The text of a page with its relative pictures and links made those of the repository at `url`."""
    base = url.rstrip("/")
    text = re.sub(r"(!\[[^\]]*\]\()(?![a-z]+:|#)", rf"\1{base}/raw/HEAD/", text)
    text = re.sub(r'(<img [^>]*src=")(?![a-z]+:)', rf"\1{base}/raw/HEAD/", text)
    return re.sub(r"((?<!!)\[(?:[^\]\[]|!\[[^\]]*\]\([^)]*\))*\]\()(?![a-z]+:|#)", rf"\1{base}/blob/HEAD/", text)


def parse_config_files(self: Distribution, *args: object, **options: object) -> None:
    """As setuptools does it; then the long description is made absolute."""
    parse(self, *args, **options)
    url = (self.metadata.project_urls or {}).get("Source") or self.metadata.url
    if url and self.metadata.long_description:
        self.metadata.long_description = absolute(self.metadata.long_description, url)


Distribution.parse_config_files = parse_config_files
