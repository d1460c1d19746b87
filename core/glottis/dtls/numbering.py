"""Sequence numbers of records that are not protected, which anyone may rewrite: so do we."""

from glottis.wire.dtls_record import DtlsRecord


class Numbering:
    """Numbers the records of epoch 0 in the order in which they pass by, and leaves protected ones alone."""

    def __init__(self) -> None:
        self._next = 0

    def apply(self, record: DtlsRecord) -> DtlsRecord:
        """The record, with the next number if it is of epoch 0."""
        if record.epoch != 0:
            return record
        self._next += 1
        return record.with_sequence_number(self._next - 1)
