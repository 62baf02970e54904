"""PDFs of a few hundred bytes, written by hand: what a test wants to be hard, and nothing else."""

import hashlib
import zlib

PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")  # ISO 32000-1, 7.6.3.3
A4 = (0, 0, 595, 842)
HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


class Pdf:
    """Objects in order, from 1; `made` writes them with their index."""

    def __init__(self):
        self.objects = []

    def add(self, words, stream=None):
        """Its number. `words` is the object, or the dictionary of the stream without its brackets."""
        self.objects.append((words, stream))
        return len(self.objects)

    def made(self, root, *, user=None, owner="owner", trailer=""):
        key = b""
        if user is not None:
            key, words = _locked(user, owner)
            trailer += f"/Encrypt {len(self.objects) + 1} 0 R /ID [<00> <00>]"
        out, places = bytearray(b"%PDF-1.7\n"), []
        for number, (words_of, stream) in enumerate(self.objects, 1):
            places.append(len(out))
            out += (
                f"{number} 0 obj\n".encode() + _body(words_of, stream, key and _object_key(key, number)) + b"\nendobj\n"
            )
        if key:
            places.append(len(out))
            out += f"{len(places)} 0 obj\n".encode() + words + b"\nendobj\n"
        index = len(out)
        out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
        out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
        out += f"trailer << /Size {len(places) + 1} /Root {root} 0 R {trailer} >>\nstartxref\n{index}\n%%EOF\n".encode()
        return bytes(out)


def _body(words, stream, key):
    if stream is None:
        return words.encode("latin-1")
    content = _rc4(key, stream) if key else stream
    return f"<< {words} /Length {len(content)} >>\nstream\n".encode("latin-1") + content + b"\nendstream"


def _rc4(key, data):
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def _locked(user, owner):
    """The key of 40-bit RC4 (revision 2), and the dictionary that says so."""
    users, owners = ((word.encode() + PAD)[:32] for word in (user, owner))
    opens = _rc4(hashlib.md5(owners).digest()[:5], users)
    allowed = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5(users + opens + allowed + b"\0").digest()[:5]
    words = f"<< /Filter /Standard /V 1 /R 2 /O <{opens.hex()}> /U <{_rc4(key, PAD).hex()}> /P -4 >>"
    return key, words.encode()


def _object_key(key, number):
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]


def pdf(*contents, box=A4, rotate=0, font=HELVETICA, images=(), extra="", page_extra="", user=None):
    """A PDF whose pages have these contents: operators, as text. Fonts: /F; images: /I0 and so on."""
    made = Pdf()
    font_at = made.add(font) if isinstance(font, str) else font(made)
    pictures = " ".join(f"/I{n} {made.add(*image)} 0 R" for n, image in enumerate(images))
    streams = [made.add("", content.encode("latin-1")) for content in contents]
    tree = len(made.objects) + 1 + len(streams)
    pages = [
        made.add(
            f"<< /Type /Page /Parent {tree} 0 R /MediaBox [{' '.join(map(str, box))}] /Rotate {rotate} "
            f"/Resources << /Font << /F {font_at} 0 R >> /XObject << {pictures} >> >> "
            f"/Contents {stream} 0 R {page_extra} >>"
        )
        for stream in streams
    ]
    made.add(f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{page} 0 R' for page in pages)}] >>")
    root = made.add(f"<< /Type /Catalog /Pages {tree} 0 R {extra} >>")
    return made.made(root, user=user)


def text(x, y, words, size=10, *, turned=(1, 0, 0, 1), mode=0):
    """Operators that write `words` at a place, in a direction."""
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    matrix = " ".join(f"{number:.6f}" for number in (*turned, x, y))
    return f"BT /F {size} Tf {mode} Tr {matrix} Tm ({escaped}) Tj ET\n"


def picture(x, y, width, height, number=0):
    return f"q {width} 0 0 {height} {x} {y} cm /I{number} Do Q\n"


def gray_image(width=8, height=8):
    words = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    return f"{words} /Filter /FlateDecode", zlib.compress(bytes(range(width)) * height)


def form(inner, matrix=(1, 0, 0, 1, 0, 0), box=A4):
    """A form that draws /I0 of the page, or anything else, moved by `matrix`."""
    numbers, corners = " ".join(map(str, matrix)), " ".join(map(str, box))
    return f"/Type /XObject /Subtype /Form /BBox [{corners}] /Matrix [{numbers}]", inner.encode()


def with_attachments(content, *files):
    """One page, and files (name, bytes) attached to it."""
    made = Pdf()
    named = []
    for name, data in files:
        stream = made.add("/Type /EmbeddedFile", data)
        spec = made.add(f"<< /Type /Filespec /F ({name}) /UF ({name}) /EF << /F {stream} 0 R >> >>")
        named.append(f"({name}) {spec} 0 R")
    font_at, stream = made.add(HELVETICA), made.add("", content.encode())
    tree = len(made.objects) + 2
    page = made.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F {font_at} 0 R >> >> "
        f"/Contents {stream} 0 R >>"
    )
    made.add(f"<< /Type /Pages /Count 1 /Kids [{page} 0 R] >>")
    root = made.add(
        f"<< /Type /Catalog /Pages {tree} 0 R /Names << /EmbeddedFiles << /Names [{' '.join(named)}] >> >> >>"
    )
    return made.made(root)


def filled_form(*, look, pages=1):
    """Pages with a field that says Anna Example; without a `look` of its own it is for a program to draw."""
    made = Pdf()
    font = made.add(HELVETICA)
    content = made.add("", text(50, 700, "Name:").encode())
    seen = made.add(
        f"/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F {font} 0 R >> >>",
        b"/Tx BMC BT /F 10 Tf 2 5 Td (Anna Example) Tj ET EMC",
    )
    tree = len(made.objects) + 2 * pages + 1
    numbers, fields = [], []
    for _ in range(pages):
        fields.append(
            made.add(
                f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name{len(fields)}) /V (Anna Example) "
                f"/DA (/F 10 Tf 0 g) /F 4 /Rect [100 695 200 715] {f'/AP << /N {seen} 0 R >>' if look else ''} >>"
            )
        )
        numbers.append(
            made.add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F {font} 0 R >> >> "
                f"/Contents {content} 0 R /Annots [{fields[-1]} 0 R] >>"
            )
        )
    made.add(f"<< /Type /Pages /Count {pages} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}] >>")
    named = f"/Fields [{' '.join(f'{field} 0 R' for field in fields)}]"
    return made.made(
        made.add(
            f"<< /Type /Catalog /Pages {tree} 0 R "
            f"/AcroForm << {named} /DA (/F 10 Tf 0 g) /DR << /Font << /F {font} 0 R >> >> >> >>"
        )
    )


def unicode_font(table):
    """A font whose codes stand for other characters: `table` of code → text."""

    def added(made):
        lines = "\n".join(f"<{code:02x}> <{text.encode('utf-16-be').hex()}>" for code, text in table.items())
        cmap = (
            "/CIDInit /ProcSet findresource begin begincmap /CMapName /X def /CMapType 2 def\n"
            f"1 begincodespacerange <00> <ff> endcodespacerange\n{len(table)} beginbfchar\n{lines}\nendbfchar\n"
            "endcmap end"
        )
        at = made.add("", cmap.encode())
        return made.add(HELVETICA[:-2] + f"/ToUnicode {at} 0 R >>")

    return added


def one_page_often(times):
    """`times` references to one page."""
    made = Pdf()
    font_at, stream = made.add(HELVETICA), made.add("", text(50, 700, "The one page").encode())
    page = made.add(
        f"<< /Type /Page /Parent 4 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F {font_at} 0 R >> >> "
        f"/Contents {stream} 0 R >>"
    )
    made.add(f"<< /Type /Pages /Count {times} /Kids [{f'{page} 0 R ' * times}] >>")
    return made.made(made.add("<< /Type /Catalog /Pages 4 0 R >>"))


def looping_tree(count=""):
    """A page tree whose child is its parent."""
    made = Pdf()
    made.add(f"<< /Type /Pages {count} /Kids [2 0 R] /Parent 2 0 R >>")
    made.add(f"<< /Type /Pages {count} /Kids [1 0 R] /Parent 1 0 R >>")
    return made.made(made.add("<< /Type /Catalog /Pages 1 0 R >>"))
