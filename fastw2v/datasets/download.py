"""Find the files of data sets in the user's folder, or download and verify them once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from fastw2v.utils.compression import read_decompressed
from fastw2v.utils.download import cache_folder, download

__all__ = ["FOLDER_VARIABLE", "SOURCES", "SUB_FOLDERS", "find_file"]

FOLDER_VARIABLE = "FASTW2V_DATA"
"""Name of the environment variable that contains the path of the user's folder of data sets."""
SUB_FOLDERS = ("", "ptb", "corpora", "eval", "eval/word-sim", "eval/ko", "word-sim", "ko")
"""Sub-folders of the user's folder that are searched for files, in this order."""
_PTB = "https://raw.githubusercontent.com/tomsercu/lstm/master/data/"
_WORD2VEC = "https://raw.githubusercontent.com/tmikolov/word2vec/master/"
_WORD_SIM = "https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/master/data/word-sim/"
_KOREAN = "https://raw.githubusercontent.com/SungjoonPark/KoreanWordVectors/e34ba28e275bfd4a5d185e7718b147bc3177d8f7/"
SOURCES = {
    _PTB + "ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    _PTB + "ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    _PTB + "ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    "https://mattmahoney.net/dc/text8.zip": "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    _WORD2VEC + "questions-words.txt": "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
    _WORD_SIM + "EN-MC-30.txt": "33ee05911496ff83d95cac351d0746c6f63b9181b605cb7d307f4daa8864511b",
    _WORD_SIM + "EN-MEN-TR-3k.txt": "888b13580faa362c7b11da0a670258cf1b1eb4bf0ecbcd418918729a3bd3f43a",
    _WORD_SIM + "EN-MTurk-287.txt": "a9ae3a9decb75a9700fe0cf18b048c1344774d9f40e0196baf8e34d4cd9d1ce5",
    _WORD_SIM + "EN-RG-65.txt": "c243f3a91c3f5d8cf67f21a67f6fb80bde8b6bb060851a6a48e6f2d68ec98c9f",
    _WORD_SIM + "EN-SIMLEX-999.txt": "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
    _WORD_SIM + "EN-WS-353-ALL.txt": "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
    _WORD_SIM + "EN-WS-353-REL.txt": "66a7c88100624d0a391605ff61ce84e11d11ee620d51ec0298da49592838f8fa",
    _WORD_SIM + "EN-WS-353-SIM.txt": "f1da938998863c94e53f72f984a5c6e215f0b46c323aae8f0f4930703a339107",
    _KOREAN + "word_analogy_korean.txt": "b6dea84dda708883948de3b5922604acbe8fe71ed137c005c5b58b2cccbe4e96",
    _KOREAN + "WS353_korean.csv": "1a2d9048dfde1a63e864c59f292db42ebe62b63469900d08bb87b074cc96306e",
}
"""SHA-256 checksums by URL. The checksum of text8 is published; the others were computed from downloaded copies."""


def find_file(name: str, folder: str | PathLike[str] | None = None) -> Path:
    """Return the path of a file in the user's folder or the cache, and download the file if necessary.

    The file is searched for in the folder and in its `SUB_FOLDERS`, uncompressed or with the suffix ``.xz``. A
    compressed file is decompressed to the cache.

    Parameters
    ----------
    name : str
        Name of the file, without the suffix ``.xz`` or ``.zip``.
    folder : path, optional
        Folder in which to search. By default, the folder in the environment variable ``FASTW2V_DATA``.

    Raises
    ------
    NotADirectoryError
        If the path in `folder` or ``FASTW2V_DATA`` does not exist or is not a folder.
    OSError
        If the file is not found and cannot be downloaded.
    ValueError
        If a compressed file is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.datasets.download import find_file
    >>> Path("eval").mkdir()
    >>> _ = Path("eval", "questions-words.txt").write_text(": family", encoding="utf-8")
    >>> find_file("questions-words.txt", folder=".").as_posix()
    'eval/questions-words.txt'
    """
    for search_folder in _search_folders(folder):
        path = search_folder / name
        if path.is_file():
            return path
        if (packed := path.with_name(f"{name}.xz")).is_file():
            return _unpacked(packed, name)
    return _downloaded(name)


def _search_folders(folder: str | PathLike[str] | None) -> Iterator[Path]:
    """Yield the sub-folders to search. If `folder` is None, the environment variable specifies the parent folder."""
    given = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    if not given:
        return
    if not Path(given).is_dir():
        origin = "" if folder is not None else f", set in the environment variable {FOLDER_VARIABLE},"
        raise NotADirectoryError(
            f"the data folder {os.fspath(given)!r}{origin} does not exist or is not a folder; correct the path"
        )
    for sub_folder in SUB_FOLDERS:
        yield Path(given, sub_folder)


def _unpacked(packed: Path, name: str) -> Path:
    # The name of the target folder identifies the version of the compressed file.
    stamp = packed.stat()
    target = cache_folder() / "unpacked" / f"{stamp.st_size:x}-{stamp.st_mtime_ns:x}" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            with packed.open("rb") as source, partial.open("wb") as file:
                file.writelines(read_decompressed(source, str(packed), 1 << 20))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _downloaded(name: str) -> Path:
    import pooch  # type: ignore[import-untyped]

    url = next(url for url in SOURCES if url.endswith((f"/{name}", f"/{name}.zip")))
    packed = url.endswith(".zip")
    unzip = pooch.Unzip(members=[name]) if packed else None
    try:
        path = cache_folder() / url.rsplit("/", 1)[1]
        found = download(url, SOURCES[url], path, name=f"it from {url}", processor=unzip)
    except OSError as error:  # no network, or a wrong checksum
        raise OSError(
            f"{name} was not found, and {error}. Put it into a folder, and set the environment variable "
            f"{FOLDER_VARIABLE} to the path of the folder"
        ) from error
    return Path(found[0] if packed else found)
