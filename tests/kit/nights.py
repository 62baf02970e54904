"""What the tests of nights share: tonight's input on disk, and the command line in this process."""

import json
import sqlite3
from contextlib import closing

from scripted_server import Scripted

COLUMNS = {"path": "in.jsonl", "id": "id", "tenant": "customer", "keep": ["customer"]}


def answer(document):
    return json.dumps({"name": document.replace("<", "").replace(">", "")[:40], "total": "1"})


def lines(texts):
    return [{"id": key, "text": text, "customer": f"c{len(key)}"} for key, text in texts.items()]


def nights_of(job, server):
    """Writes tonight's input, a dict of id and text or a list of rows; answers say which document they are of."""
    server.script = lambda document, nth, body: Scripted(text=answer(document))

    def write(texts, **sections):
        rows = texts if isinstance(texts, list) else lines(texts)
        return job.write(server.url, rows=rows, input=COLUMNS, **sections)

    return write


def command_line_of(job):
    """`pipeline VERB JOB FLAGS`: what it told people, after its exit code was seen to be right."""

    def call(verb, *flags, code=0):
        return job.pipeline(verb, job.file, *flags, code=code).err

    return call


def on_record(job):
    """The outcome of each row by its id, byte for byte as the ledger holds it, with its checksum."""
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        sql = "SELECT r.id, o.status, o.records, o.error, o.crc FROM rows r JOIN outcomes o USING (doc)"
        return {key: rest for key, *rest in db.execute(sql)}
