"""Latin letters, digits and signs, drawn in many free font families of Debian."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

import numpy as np

from benchmarks.core import paths
from benchmarks.core.fingerprint import array_digest
from benchmarks.data.asset import Arrays, Asset, Unavailable, debs, member

#: Debian packages `fonts-*`. No two hold copies of one design (Nimbus and TeX Gyre, DejaVu and Hack, Lato and Carlito):
#: of packages whose letters differ by less than 0.06 (squared distance of pixels over the product of their norms), or
#: are known to come from one drawing, one is here. The nearest two of those left differ by 0.10.
PACKAGES = [
    "adf-accanthis", "adf-baskervald", "adf-berenis", "adf-gillius", "adf-ikarius", "adf-irianis", "adf-libris",
    "adf-mekanus", "adf-oldania", "adf-romande", "adf-switzera", "adf-tribun", "adf-universalis", "anonymous-pro",
    "arapey", "averia-sans-gwf", "b612", "breip", "cabin", "cantarell", "cardo", "century-catalogue", "clear-sans",
    "cmu", "comfortaa", "comic-neue", "courier-prime", "crosextra-caladea", "dancingscript", "dejavu-core",
    "dkg-handwriting", "dosis", "dustin", "ebgaramond", "engadget", "essays1743", "eurofurence", "fantasque-sans",
    "fanwood", "firacode", "georgewilliams", "gfs-artemisia", "gfs-didot", "gfs-neohellenic", "go", "goudybookletter",
    "hermit", "inconsolata", "inter", "isabella", "jetbrains-mono", "junction", "junicode", "jura", "karmilla",
    "kaushanscript", "klaudia-berenika", "kristi", "lato", "league-mono", "league-spartan", "leckerli-one", "lemonada",
    "liberation2", "lindenhill", "linuxlibertine", "lobstertwo", "manrope", "mmcedar", "monoid", "mononoki",
    "noto-mono", "okolaks", "oldstandard", "open-sans", "opendyslexic", "osifont", "oxygen", "paratype", "play",
    "prociono", "quattrocento", "quicksand", "roboto-unhinted", "routed-gothic", "sil-andika", "sil-charis",
    "sil-gentiumplus", "sjfonts", "sora", "staypuft", "summersby", "tiresias", "tlwg-laksaman-otf", "tlwg-loma-otf",
    "tlwg-purisa-otf", "tlwg-sawasdee-otf", "triod-postnaja", "tuffy", "urw-base35", "vollkorn", "yanone-kaffeesatz",
    "yrsa-rasa",
]  # fmt: skip
MAX_FACES = 6
#: File names of faces with capitals or ornaments in the place of small letters, and of sisters by another name.
LEFT_OUT = re.compile("SC|Caps|Small|Titling|Style|Symbol|Ornament|Initial|LinBiolinum_K|D050000L|Rasa|Klaudia|unifur")

#: Points below U+0180 that at least so many families draw; no other is kept.
LAST, MIN_FAMILIES = 0x180, 60
SIDE, SIZE, BASELINE = 28, 22, 21

FREETYPE, PILLOW = "2.14.3", "13.0.0"
FONTS_SHA256 = "9ba674e9e6d3477d263eb09fbddac36d00cde2d06f521848d9427dd96cc2f62a"
DRAWN_SHA256 = "a5615ce2a93f26354e003a20a094cd14c8ac804d5ad4d09ddf8fc3dd2d5e98c2"


def glyphs_from_debian(folder: Path) -> Arrays:
    """Every character in every face.

    `images` (N, 28, 28) of white on black, with `characters` (N,) as code points, `families` (N,) and `faces` (N,) as
    numbers, and `names` of the families.

    The packages are kept beside the data until all of it is drawn: a fetch that was stopped goes on where it stopped.

    Raises:
        Unavailable: the fonts are others than the pinned ones, or this FreeType draws them otherwise.
    """
    from PIL import __version__, features

    kept = paths.cache() / "data" / "fonts"
    kept.mkdir(parents=True, exist_ok=True)
    archives = debs([f"fonts-{name}" for name in PACKAGES], kept)
    found = [face for package, archive in zip(PACKAGES, archives, strict=True) for face in faces(package, archive)]
    fonts = hashlib.sha256(b"".join(raw for _, raw in found)).hexdigest()
    if fonts != FONTS_SHA256:
        shutil.rmtree(kept)  # one may be damaged: the next try fetches all anew
        raise Unavailable(
            f"other versions than those of Debian 12: the fonts' hash is {fonts}, expected {FONTS_SHA256}"
        )
    arrays = drawn(found)
    if (pixels := array_digest(arrays)) != DRAWN_SHA256:
        raise Unavailable(
            f"FreeType {features.version('freetype2')} of Pillow {__version__} draws other pixels than {FREETYPE}: "
            f"hash {pixels}, expected {DRAWN_SHA256}; install pillow=={PILLOW}"
        )
    shutil.rmtree(kept)
    return arrays


def faces(package: str, archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """(family, content) of the faces of a package that are for text and have its letters.

    Faces of a package are one family if the first five letters of their names' first word are the same, for Sans,
    Serif and Mono of one name share drawings. Of more than `MAX_FACES` as many, evenly spaced in the order of files.
    """
    files: dict[str, str] = {}
    for name in sorted(entry.name for entry in archive if entry.isfile()):
        if name.endswith((".otf", ".ttf")) and not LEFT_OUT.search(PurePath(name).stem):
            files.setdefault(PurePath(name).stem, name)
    families: dict[str, list[bytes]] = {}
    for _, name in sorted(files.items()):
        raw = member(archive, name)
        if (family := family_of(raw)) is not None:
            families.setdefault(f"{package}/{family}", []).append(raw)
    for family, its in families.items():
        chosen = np.linspace(0, len(its) - 1, min(MAX_FACES, len(its))).round().astype(int)
        yield from ((family, its[index]) for index in chosen)


def family_of(raw: bytes) -> str | None:
    """How a font's family begins; None where the font lacks ASCII letters and digits or many letters of Latin-1."""
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(raw), lazy=True)
    codes = font.getBestCmap() or {}
    ascii_letters = [code for code in range(0x30, 0x7B) if chr(code).isalnum()]
    if any(code not in codes for code in ascii_letters) or sum(0xC0 <= code < 0x100 for code in codes) < 55:
        return None
    name = font["name"].getBestFamilyName()
    return name.split()[0].lower()[:5] if name else None


def drawn(fonts: Iterable[tuple[str, bytes]]) -> Arrays:
    """The arrays of `glyphs_from_debian` for faces (family, content)."""
    images, rows = [], []
    names: dict[str, int] = {}
    for face, (family, raw) in enumerate(fonts):
        number = names.setdefault(family, len(names))
        for character, image in draw(raw).items():
            images.append(image)
            rows.append((character, number, face))
    characters, families, numbers = np.array(rows, np.int16).T
    pairs = np.unique(np.stack([characters, families]), axis=1)
    kept = np.bincount(pairs[0], minlength=LAST)[characters] >= MIN_FAMILIES
    return {
        "images": np.stack(images)[kept],
        "characters": characters[kept],
        "families": families[kept],
        "faces": numbers[kept],
        "names": np.frombuffer("\n".join(names).encode(), np.uint8).copy(),
    }


def draw(raw: bytes) -> dict[int, np.ndarray]:
    """Images (28, 28) of the characters below U+0180 that a font holds, by code point.

    22 pixels an em; on one baseline, centred from left to right; what does not fit is cut off, what is blank left out.
    """
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(io.BytesIO(raw), SIZE, layout_engine=ImageFont.Layout.BASIC)
    found: dict[int, np.ndarray] = {}
    for code in sorted(TTFont(io.BytesIO(raw), lazy=True).getBestCmap()):
        if code >= LAST:
            break
        left, _, right, _ = font.getbbox(chr(code), anchor="ls")
        image = Image.new("L", (SIDE, SIDE))
        corner = ((SIDE - int(left) - int(right)) // 2, BASELINE)
        ImageDraw.Draw(image).text(corner, chr(code), 255, font, anchor="ls")
        if image.getextrema() != (0, 0):
            found[code] = np.asarray(image)
    return found


GLYPHS = Asset(
    "glyphs",
    DRAWN_SHA256,
    "free by Debian's guidelines (OFL-1.1, GPL with the font exception, Apache-2.0 and the like: each package's own)",
    f"{len(PACKAGES)} Debian packages fonts-* (Debian 12), drawn with Pillow",
    (glyphs_from_debian,),
)
