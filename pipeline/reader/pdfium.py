"""The library that PDFs are read with. It is not thread-safe, and a file may crash it: for child processes alone.

Its bindings are taken without the helpers of pypdfium2, which would take as long again to import.
"""

from pipeline.errors import JobError

try:
    import pypdfium2_raw as pdfium
except ModuleNotFoundError as _error:
    raise JobError("reading PDFs takes one package more: pip install 'ledger-pipeline[documents]'") from _error

__all__ = ["pdfium"]
pdfium.FPDF_InitLibrary()
