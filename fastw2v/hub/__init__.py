"""Repositories of vectors on the Hugging Face Hub: their files, their model card, download and upload.

Most programs use `WordVectors.from_pretrained` and `WordVectors.push_to_hub` instead.
"""

from fastw2v.hub.access import HubError
from fastw2v.hub.card import model_card
from fastw2v.hub.folder import write_folder
from fastw2v.hub.pretrained import find_pretrained
from fastw2v.hub.upload import push_folder

__all__ = ["HubError", "find_pretrained", "model_card", "push_folder", "write_folder"]
