"""A small PDF writer: lines of text at given places, an outline, a title and a language."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 612, 792
FONTS = {"body": "Helvetica", "bold": "Helvetica-Bold", "code": "Courier"}


@dataclass(frozen=True)
class Put:
    """Text with its baseline at `y` points from the bottom."""

    text: str
    y: float
    x: float = 72
    size: float = 11
    font: str = "body"


def paragraph(*lines: str, y: float, x: float = 72, size: float = 11, font: str = "body") -> list[Put]:
    """Lines one below the other, 1.2 times their size apart."""
    return [Put(line, y - 1.2 * size * number, x, size, font) for number, line in enumerate(lines)]


def make(
    pages: Sequence[Sequence[Put]],
    *,
    outline: Sequence[tuple[int, str, int]] = (),
    title: str = "",
    language: str = "",
    producer: str = "a test",
    encrypted: bool = False,
) -> bytes:
    """A PDF file; `outline` has (level, title, page from 1), levels 0 and 1."""
    objects: list[bytes] = []

    def add(content: str | bytes) -> int:
        objects.append(content.encode("cp1252") if isinstance(content, str) else content)
        return len(objects)

    info = add(f"<< /Title {_string(title)} /Producer {_string(producer)} >>")
    fonts = " ".join(
        f"/{name} {add(f'<< /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding /WinAnsiEncoding >>')} 0 R"
        for name, base in FONTS.items()
    )
    tree = len(objects) + 2 * len(pages) + 1
    numbers = []
    for page in pages:
        drawing = "".join(
            f"BT /{put.font} {put.size} Tf {put.x} {put.y} Td {_string(put.text)} Tj ET\n" for put in page
        ).encode("cp1252")
        stream = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing))
        box = f"/MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources << /Font << {fonts} >> >>"
        numbers.append(add(f"<< /Type /Page /Parent {tree} 0 R {box} /Contents {stream} 0 R >>"))
    add(f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}] >>")
    bookmarks = _outline(add, len(objects), outline, numbers) if outline else ""
    lang = f"/Lang {_string(language)}" if language else ""
    root = add(f"<< /Type /Catalog /Pages {tree} 0 R {bookmarks} {lang} >>")
    secret = f"<{'ab' * 32}>"
    lock = f"<< /Filter /Standard /V 1 /R 2 /O {secret} /U {secret} /P -4 >>"
    security = f"/Encrypt {add(lock)} 0 R /ID [<00> <00>]" if encrypted else ""
    return _file(objects, f"/Root {root} 0 R /Info {info} 0 R {security}")


def _outline(add, start: int, outline: Sequence[tuple[int, str, int]], pages: Sequence[int]) -> str:
    root = start + 1
    numbers = [root + 1 + index for index in range(len(outline))]
    parents: list[int] = []
    for index, (level, _, _) in enumerate(outline):
        above = [at for at in range(index) if outline[at][0] < level]
        parents.append(numbers[above[-1]] if above else root)

    def family(parent: int) -> list[int]:
        return [number for number, its in zip(numbers, parents, strict=True) if its == parent]

    add(f"<< /Type /Outlines /First {family(root)[0]} 0 R /Last {family(root)[-1]} 0 R >>")
    for number, parent, (_, title, page) in zip(numbers, parents, outline, strict=True):
        siblings, children = family(parent), family(number)
        at = siblings.index(number)
        links = f"/Next {siblings[at + 1]} 0 R " if at + 1 < len(siblings) else ""
        links += f"/Prev {siblings[at - 1]} 0 R " if at else ""
        links += f"/First {children[0]} 0 R /Last {children[-1]} 0 R " if children else ""
        add(f"<< /Title {_string(title)} /Parent {parent} 0 R {links}/Dest [{pages[page - 1]} 0 R /Fit] >>")
    return f"/Outlines {root} 0 R"


def _file(objects: Sequence[bytes], trailer: str) -> bytes:
    body = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} {trailer} >>"
    return bytes(body) + f"{end}\nstartxref\n{len(body)}\n%%EOF\n".encode()


def _string(text: str) -> str:
    return "(" + text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") + ")"
